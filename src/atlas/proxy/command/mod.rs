//! The proxy that is a program of the user's: a training run and its evaluation.

pub(crate) mod metrics;
mod mixture;
mod process;
mod program;
mod strays;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Seek, SeekFrom, Write as _};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fs_err::{File, OpenOptions};

use super::{Proxy, ProxyError};
use crate::atlas::Trial;
use crate::config;
use crate::store::publish;
use metrics::Unread;
use mixture::Written;
pub use mixture::{Exporter, MixtureOf};
use process::{End, Limits};

/// What all attempts of a trial said.
pub const LOG: &str = "log.txt";
/// The mixture of a trial for a command without a trainer.
const MIXTURE: &str = "mixture.json";
/// Says how the last attempt of a trial ended. The attempt itself writes it, so that it is there, too, when this program
/// was killed in the meantime.
const EXIT: &str = "exit";
/// From a request to end until the end. torchrun gives its workers 30 seconds.
const GRACE: Duration = Duration::from_secs(40);
/// How long a log that is locked is waited for.
const LOCK_TRIES: u32 = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(50);
/// How much of the log is told of a failure.
const TOLD_LINES: usize = 6;
const TOLD_BYTES: u64 = 2000;

/// Runs the command of `[atlas.proxy]`.
pub struct CommandProxy<'a> {
    settings: &'a config::Proxy,
    benchmarks: &'a [config::Benchmark],
    mixture: MixtureOf<'a>,
    exporter: Option<Exporter>,
    grace: Duration,
}

/// What the command is told of a trial.
struct Told<'a> {
    trial: &'a Trial,
    mixture: Written,
    out: &'a Path,
    device: Option<&'a str>,
}

/// Why an attempt gave no metrics.
enum Problem {
    /// Another attempt may fare better.
    Passing(String),
    /// It would not.
    Final(ProxyError),
}

impl<'a> CommandProxy<'a> {
    /// Runs the command of the settings, which must have one, and reads the benchmarks. `exporter` is that of the
    /// settings' trainer, if they name one.
    pub fn new(
        settings: &'a config::Proxy,
        benchmarks: &'a [config::Benchmark],
        mixture: MixtureOf<'a>,
        exporter: Option<Exporter>,
    ) -> Self {
        Self {
            settings,
            benchmarks,
            mixture,
            exporter,
            grace: GRACE,
        }
    }

    /// Waits so long between asking a program to end and killing it, in place of 40 seconds.
    #[must_use]
    pub fn with_grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    /// Whether any argument has the mixture's place; without, a command has to look into its environment.
    pub fn takes_mixture(settings: &config::Proxy) -> bool {
        let mut arguments = settings.command.iter();
        arguments.any(|argument| config::placeholders(argument).any(|name| name == "mixture"))
    }

    fn write_mixture(
        &self,
        trial: &Trial,
        out: &Path,
        stop: &AtomicBool,
    ) -> Result<Written, ProxyError> {
        let mixture = (self.mixture)(trial).map_err(ProxyError::Failed)?;
        if let Some(exporter) = &self.exporter {
            return exporter.write(&mixture, trial, out, stop);
        }
        let path = out.join(MIXTURE);
        let unusable = |error: &dyn std::fmt::Display| ProxyError::Unusable(error.to_string());
        let bytes = mixture.to_bytes().map_err(|error| unusable(&error))?;
        publish(&path, &bytes).map_err(|error| unusable(&error))?;
        Ok(Written {
            path,
            media_root: String::new(),
        })
    }

    fn command(&self, told: &Told<'_>, attempt: u32) -> Result<Command, ProxyError> {
        let mut arguments = self.settings.command.iter().map(|text| told.fill_in(text));
        let program = arguments.next().unwrap_or_default();
        let program = program::found(&program).map_err(|error| self.cannot_start(&error))?;
        let mut command = program::telling(&program, &told.out.join(EXIT));
        command.args(arguments);
        if let Some(device) = told.device {
            command.env("CUDA_VISIBLE_DEVICES", device);
        }
        for (name, value) in told.values() {
            command.env(format!("MADMIX_{}", name.to_uppercase()), value);
        }
        command.env("MADMIX_MEDIA_ROOT", &told.mixture.media_root);
        command.env("MADMIX_BUDGET", self.settings.budget.to_string());
        command.env("MADMIX_ATTEMPT", attempt.to_string());
        Ok(command)
    }

    fn cannot_start(&self, error: &std::io::Error) -> ProxyError {
        ProxyError::Unusable(format!(
            "atlas.proxy.command: {} cannot be started: {error}",
            self.settings.command.first().map_or("", String::as_str)
        ))
    }

    fn read_metrics(&self, out: &Path) -> Result<BTreeMap<String, f64>, Unread> {
        let names = self.benchmarks.iter().map(|benchmark| &*benchmark.name);
        metrics::read(&out.join(&self.settings.metrics), names)
    }

    /// What an attempt came to that ended well and was not told: this program was killed, or a benchmark was misnamed.
    fn left(&self, out: &Path) -> Option<Result<BTreeMap<String, f64>, ProxyError>> {
        let exit = fs_err::read_to_string(out.join(EXIT)).ok()?;
        if exit.trim() != "0" {
            return None;
        }
        match self.read_metrics(out) {
            Ok(metrics) => Some(Ok(metrics)),
            Err(Unread::Lacking(problem)) => Some(Err(self.misnamed(&problem, out))),
            Err(Unread::Unusable(_)) => None,
        }
    }

    fn misnamed(&self, problem: &str, out: &Path) -> ProxyError {
        ProxyError::Misnamed(format!(
            "the command ended well, but {problem}. Name each [[atlas.benchmark]] as the file does and run again: the \
             metrics are read, and nothing is trained anew. If it is the command that is to be mended, remove {} before",
            out.join(&self.settings.metrics).display()
        ))
    }

    /// One attempt: its metrics, or why there are none.
    fn attempt(
        &self,
        told: &Told<'_>,
        attempt: u32,
        log: &mut File,
        stop: &AtomicBool,
    ) -> Result<BTreeMap<String, f64>, Problem> {
        // Those of an earlier attempt would pass for this one's.
        for path in [Path::new(EXIT), &self.settings.metrics] {
            match fs_err::remove_file(told.out.join(path)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Problem::Final(ProxyError::Failed(error.to_string())));
                }
                _ => {}
            }
        }
        let command = self.command(told, attempt).map_err(Problem::Final)?;
        let attempts = u64::from(self.settings.retries) + 1;
        let begun = writeln!(
            log,
            "[madmix] attempt {attempt} of {attempts}: {}",
            program::shown(&command)
        )
        .and_then(|()| log.seek(SeekFrom::End(0)));
        let begun =
            begun.map_err(|error| Problem::Final(ProxyError::Unusable(error.to_string())))?;
        let limits = Limits {
            time: match self.settings.timeout_seconds {
                0 => None,
                seconds => Some(Duration::from_secs(seconds)),
            },
            grace: self.grace,
        };
        let end = process::run(command, log, limits, stop)
            .map_err(|error| Problem::Final(self.cannot_start(&error)))?;
        let why = match end {
            End::Stopped => return Err(Problem::Final(ProxyError::Stopped)),
            End::Timeout => {
                let why = format!(
                    "not done after {} s (atlas.proxy.timeout_seconds)",
                    self.settings.timeout_seconds
                );
                // It would take as long again.
                let why = why + &last_words(log, begun);
                return Err(Problem::Final(ProxyError::Failed(why)));
            }
            End::Exited(status) if status.success() => match self.read_metrics(told.out) {
                Ok(metrics) => return Ok(metrics),
                Err(Unread::Lacking(problem)) => {
                    return Err(Problem::Final(self.misnamed(&problem, told.out)));
                }
                Err(Unread::Unusable(problem)) => problem,
            },
            End::Exited(status) => {
                // A batch system ends everything at once, and this program may hear of it last.
                if process::was_ended(status) {
                    std::thread::sleep(Duration::from_millis(500));
                }
                if stop.load(Ordering::Relaxed) {
                    return Err(Problem::Final(ProxyError::Stopped));
                }
                process::described(status)
            }
        };
        Err(Problem::Passing(why + &last_words(log, begun)))
    }
}

impl Proxy for CommandProxy<'_> {
    fn run(
        &self,
        trial: &Trial,
        out: &Path,
        device: Option<&str>,
        stop: &AtomicBool,
    ) -> Result<BTreeMap<String, f64>, ProxyError> {
        let mut log = open_log(out)?;
        if let Some(result) = self.left(out) {
            let _ = writeln!(
                log,
                "[madmix] an earlier attempt ended well: its metrics are read"
            );
            return result;
        }
        let told = Told {
            trial,
            mixture: self.write_mixture(trial, out, stop)?,
            out,
            device,
        };
        let mut attempt = 1;
        loop {
            let reason = match self.attempt(&told, attempt, &mut log, stop) {
                Ok(metrics) => return Ok(metrics),
                Err(Problem::Final(error)) => {
                    let _ = writeln!(log, "[madmix] attempt {attempt}: {error}");
                    return Err(error);
                }
                Err(Problem::Passing(reason)) => reason,
            };
            let _ = writeln!(log, "[madmix] attempt {attempt} failed: {reason}");
            if stop.load(Ordering::Relaxed) {
                return Err(ProxyError::Stopped);
            }
            if attempt > self.settings.retries {
                return Err(ProxyError::Failed(reason));
            }
            attempt += 1;
        }
    }
}

impl Told<'_> {
    /// What is filled in for each of [`config::PLACEHOLDERS`].
    fn values(&self) -> [(&'static str, String); 5] {
        [
            ("mixture", self.mixture.path.display().to_string()),
            ("out", self.out.display().to_string()),
            ("seed", self.trial.seed.to_string()),
            ("trial", self.trial.number.to_string()),
            ("device", self.device.unwrap_or_default().to_owned()),
        ]
    }

    fn fill_in(&self, argument: &str) -> String {
        let values = self.values();
        let mut filled = String::new();
        let mut rest = argument;
        // From left to right, so that what is filled in is not looked at again.
        while let Some(at) = rest.find('{') {
            let (before, from) = rest.split_at(at);
            filled.push_str(before);
            let shell = before.ends_with('$');
            let value = values.iter().find_map(|(name, value)| {
                let after = from[1..].strip_prefix(name)?.strip_prefix('}')?;
                Some((value, after))
            });
            if let Some((value, after)) = value.filter(|_| !shell) {
                filled.push_str(value);
                rest = after;
            } else {
                filled.push('{');
                rest = &from[1..];
            }
        }
        filled + rest
    }
}

/// Opens the log of a trial and locks it. The lock goes to all that writes to the log, so it is held as long as
/// anything of an earlier run is at work, whatever became of who started it.
fn open_log(out: &Path) -> Result<File, ProxyError> {
    let path = out.join(LOG);
    let log = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .open(&path)
        .map_err(|error| ProxyError::Unusable(error.to_string()))?;
    // What was killed may take a moment to be gone, and so may a copy of the file in a process that is about to start.
    for _ in 0..LOCK_TRIES {
        match log.file().try_lock() {
            Err(std::fs::TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            // There are file systems without locks.
            Ok(()) | Err(std::fs::TryLockError::Error(_)) => return Ok(log),
        }
    }
    Err(ProxyError::Busy(format!(
        "something that an earlier run started still writes to {}: wait for it, or end it",
        path.display()
    )))
}

/// The last lines that were written to the log since `begun`, as the end of a sentence.
fn last_words(log: &mut File, begun: u64) -> String {
    let mut bytes = Vec::new();
    let end = log.seek(SeekFrom::End(0)).unwrap_or(begun);
    let from = begun.max(end.saturating_sub(TOLD_BYTES));
    let read = log
        .seek(SeekFrom::Start(from))
        .and_then(|_| log.take(TOLD_BYTES).read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes);
    let mut lines: Vec<&str> = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect();
    if read.is_err() || lines.is_empty() {
        return "; it said nothing".into();
    }
    if from > begun && lines.len() > 1 {
        // It begins somewhere in a line.
        lines.remove(0);
    }
    let mut words = String::from("; its last words:");
    for line in &lines[lines.len().saturating_sub(TOLD_LINES)..] {
        // A progress bar writes over itself.
        let line = line.rsplit('\r').next().unwrap_or(line);
        let _ = write!(words, "\n{}", crate::printable::printable(line));
    }
    words
}

#[cfg(test)]
mod tests;
