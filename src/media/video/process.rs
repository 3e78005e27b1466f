//! A program whose output is read as it comes, within a time limit.

use std::io::{BufReader, Read};
use std::ops::ControlFlow;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::VideoError;
use crate::media::MediaError;

/// How a program came to an end.
pub(super) enum End {
    /// It was stopped, because its reader had enough.
    Stopped,
    /// It has said all.
    Exited {
        /// Its exit status.
        status: ExitStatus,
        /// The end of what it wrote to stderr.
        words: Vec<u8>,
    },
}

/// Runs a program. `parse` takes its output apart on a thread of its own (`None` ends it) and waits while `take` is
/// at work on the item before: no more than two items are about. The program is killed as soon as `take` breaks or
/// fails, and when the next item has not come for `limit`; time spent in `take` does not count.
///
/// # Errors
/// The program cannot be started, or takes too long; and what `parse` and `take` give.
pub(super) fn run<T: Send + 'static>(
    mut command: Command,
    program: &'static str,
    limit: Duration,
    mut parse: impl FnMut(&mut BufReader<ChildStdout>) -> Result<Option<T>, MediaError> + Send + 'static,
    take: &mut dyn FnMut(T) -> Result<ControlFlow<()>, MediaError>,
) -> Result<End, MediaError> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A report would land in the working directory; colours would land in error texts.
        .env_remove("FFREPORT")
        .env("AV_LOG_FORCE_NOCOLOR", "1")
        // Ctrl-C on the terminal is for this program alone: it ends in good order, and a decoder that dies before
        // it would look like a broken video.
        .process_group(0);
    let mut child = Running(Some(command.spawn().map_err(|e| not_started(program, &e))?));
    let (stdout, stderr) = child.pipes();
    let thread = |name: &str| thread::Builder::new().name(format!("{program} {name}"));

    // Both threads end with the pipes; nothing waits for them, since a grandchild may hold a pipe open.
    let (send_words, words) = mpsc::sync_channel(1);
    thread("errors")
        .spawn(move || drop(send_words.send(stderr.map(tail).unwrap_or_default())))
        .map_err(|e| not_started(program, &e))?;
    let (send, items) = mpsc::sync_channel(0);
    let reader = move || {
        let Some(stdout) = stdout else { return };
        let mut stdout = BufReader::with_capacity(1 << 16, stdout);
        while let Some(item) = parse(&mut stdout).transpose() {
            let last = item.is_err();
            if send.send(item).is_err() || last {
                break;
            }
        }
    };
    thread("output")
        .spawn(reader)
        .map_err(|e| not_started(program, &e))?;

    let late = || VideoError::Timeout {
        program,
        seconds: limit.as_secs_f64(),
    };
    loop {
        match items.recv_timeout(limit) {
            Ok(item) => {
                if take(item?)?.is_break() {
                    return Ok(End::Stopped);
                }
            }
            Err(RecvTimeoutError::Timeout) => return Err(late().into()),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let status = child.exit_within(limit).ok_or_else(late)?;
    let words = last_words(&words);
    Ok(End::Exited { status, words })
}

fn last_words(words: &Receiver<Vec<u8>>) -> Vec<u8> {
    words
        .recv_timeout(Duration::from_millis(500))
        .unwrap_or_default()
}

fn not_started(program: &'static str, error: &std::io::Error) -> VideoError {
    use std::io::ErrorKind::{NotFound, PermissionDenied};
    let reason = error.kind().to_string();
    if matches!(error.kind(), NotFound | PermissionDenied) {
        VideoError::NoProgram { program, reason }
    } else {
        VideoError::NotStarted { program, reason }
    }
}

/// Bytes kept of stderr: a few messages, each of which may hold a long path.
const TAIL: usize = 16 << 10;

/// The end of all that can be read.
fn tail(mut from: impl Read) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(len @ 1..) = from.read(&mut chunk) {
        kept.extend_from_slice(&chunk[..len]);
        if kept.len() > 2 * TAIL {
            kept.drain(..kept.len() - TAIL);
        }
    }
    kept.drain(..kept.len().saturating_sub(TAIL));
    kept
}

/// A child that does not outlive its owner, nor becomes a zombie.
struct Running(Option<Child>);

impl Running {
    fn pipes(&mut self) -> (Option<ChildStdout>, Option<std::process::ChildStderr>) {
        self.0
            .as_mut()
            .map_or((None, None), |c| (c.stdout.take(), c.stderr.take()))
    }

    /// Waits for the end. `None` when it does not come, or nothing can be learnt about it.
    fn exit_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        let child = self.0.as_mut()?;
        let (start, mut pause) = (Instant::now(), Duration::from_micros(200));
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if start.elapsed() < limit => thread::sleep(pause),
                _ => return None,
            }
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = self.0.as_mut() {
            // Fails only for a child that has ended.
            drop(child.kill());
        }
        // A child that hangs in the kernel, on a lost network drive, is buried later: who gave up on it is not to wait.
        if self.exit_within(Duration::from_secs(1)).is_none()
            && let Some(mut child) = self.0.take()
        {
            drop(thread::Builder::new().spawn(move || child.wait()));
        }
    }
}
