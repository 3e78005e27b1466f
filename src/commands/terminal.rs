//! What a person sees: log lines, bars and errors, all on stderr.

use std::io::{self, IsTerminal, Write};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use indicatif::{HumanCount, HumanDuration, MultiProgress, ProgressBar, ProgressStyle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::extract::{Progress, Tally};
use crate::printable::{printable, printable_lines};

/// All bars; log lines are written above them.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// The longest error that is shown: some quote what they found in a file.
const MAX_ERROR_CHARS: usize = 16_000;

/// Time between two log lines of progress where there is no terminal.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Starts logging to stderr. `MADMIX_LOG` (the syntax of `RUST_LOG`) says more than `verbose`.
pub(super) fn start_log(verbose: bool) {
    let default = if verbose {
        "madmix=debug"
    } else {
        "madmix=info"
    };
    let filter = EnvFilter::try_from_env("MADMIX_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    // A second start, as in tests, keeps the first.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(AboveBars)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .without_time()
        .try_init();
}

/// Prints what a program would read.
pub(super) fn print(text: impl AsRef<[u8]>) -> Result<()> {
    io::stdout()
        .write_all(text.as_ref())
        .context("writing to standard output")
}

/// Says what went wrong, with its causes.
pub(super) fn error(error: &anyhow::Error) {
    let text = format!("{error:#}");
    let text = match text.char_indices().nth(MAX_ERROR_CHARS) {
        None => text.as_str(),
        Some((end, _)) => &text[..end],
    };
    let _ = writeln!(AboveBars, "error: {}", printable_lines(text));
}

#[derive(Clone, Copy)]
struct AboveBars;

impl Write for AboveBars {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        BARS.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl MakeWriter<'_> for AboveBars {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}

/// A bar over something counted in bytes or pieces; nothing without a terminal.
pub(super) fn bar(title: &str, total: u64, bytes: bool) -> ProgressBar {
    let counts = if bytes {
        "{bytes}/{total_bytes}"
    } else {
        "{human_pos}/{human_len}"
    };
    let bar = ProgressBar::new(total);
    bar.set_style(style(&format!("{{prefix}} {{wide_bar}} {counts}")));
    bar.set_prefix(printable(title).into_owned());
    BARS.add(bar)
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are written here")
}

/// The bar of the main job: samples, tokens a second, time left from tokens done, failures so far.
pub(super) struct JobBar {
    bar: ProgressBar,
    started: Instant,
    state: Mutex<State>,
}

struct State {
    total: Tally,
    done: Tally,
    logged: Instant,
}

impl JobBar {
    /// A bar over the work that is left.
    pub(super) fn new(total: Tally) -> Self {
        let bar = BARS.add(ProgressBar::new(total.tokens));
        bar.set_style(style("extracting {wide_bar} {percent}% {msg}"));
        let now = Instant::now();
        let state = Mutex::new(State {
            total,
            done: Tally::default(),
            logged: now,
        });
        Self {
            bar,
            started: now,
            state,
        }
    }

    /// Takes the bar away and says how long the work took.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
        let Ok(state) = self.state.lock() else { return };
        let seconds = self.started.elapsed().as_secs_f64();
        tracing::info!(
            "extracted {} samples, {} tokens in {seconds:.2} s ({:.0} tokens/s), {} failed",
            HumanCount(state.done.samples),
            HumanCount(state.done.tokens),
            state.done.tokens as f64 / seconds.max(1e-9),
            HumanCount(state.done.failures),
        );
    }

    fn describe(&self, State { total, done, .. }: &State) -> String {
        let elapsed = self.started.elapsed();
        let rate = done.tokens as f64 / elapsed.as_secs_f64().max(1e-9);
        let left = match done.tokens {
            0 => "unknown".to_owned(),
            tokens => {
                let share = (total.tokens.saturating_sub(tokens)) as f64 / tokens as f64;
                HumanDuration(elapsed.mul_f64(share)).to_string()
            }
        };
        format!(
            "{}/{} samples, {rate:.0} tokens/s, {left} left, {} failed",
            HumanCount(done.samples),
            HumanCount(total.samples),
            HumanCount(done.failures),
        )
    }
}

impl Progress for JobBar {
    fn advance(&self, tally: &Tally) {
        let Ok(mut state) = self.state.lock() else {
            return;
        };
        state.done += *tally;
        let message = self.describe(&state);
        self.bar.set_position(state.done.tokens);
        self.bar.set_message(message.clone());
        if self.bar.is_hidden() && state.logged.elapsed() >= LOG_EVERY {
            tracing::info!("{message}");
            state.logged = Instant::now();
        }
    }

    fn skipped(&self, tally: &Tally) {
        if let Ok(mut state) = self.state.lock() {
            state.total -= *tally;
            self.bar.set_length(state.total.tokens);
        }
    }
}
