//! A program that runs for hours in a process group of its own, and ends with everything it started.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{io, thread};

use fs_err::File;

/// How a program came to an end.
#[derive(Debug)]
pub(super) enum End {
    /// By itself, or by somebody else's signal.
    Exited(ExitStatus),
    /// It took too long and was ended.
    Timeout,
    /// It was ended because all is to stop.
    Stopped,
}

/// How long a program may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Until it is asked to end; `None` for ever.
    pub(super) time: Option<Duration>,
    /// From there until it is killed.
    pub(super) grace: Duration,
}

/// Runs a program whose words all go to `log`. Whatever is left of its process group when it has ended, a worker or a
/// server in the background, is killed: it would hold the device that the next run is to have.
///
/// # Errors
/// The program cannot be started.
pub(super) fn run(
    mut command: Command,
    log: &File,
    limits: Limits,
    stop: &AtomicBool,
) -> io::Result<End> {
    let words = || io::Result::Ok(Stdio::from(log.file().try_clone()?));
    command
        .stdin(Stdio::null())
        .stdout(words()?)
        .stderr(words()?)
        // Ctrl-C on the terminal is for this program alone, which ends the others in good order.
        .process_group(0);
    let mut group = Group(command.spawn()?);
    let started = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = group.0.try_wait()? {
            return Ok(End::Exited(status));
        }
        if stop.load(Ordering::Relaxed) {
            group.end(limits.grace);
            return Ok(End::Stopped);
        }
        if limits.time.is_some_and(|limit| started.elapsed() >= limit) {
            group.end(limits.grace);
            return Ok(End::Timeout);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// A program and all it started that is still in its group. None of them outlives it.
struct Group(Child);

impl Group {
    /// Asks all of them to end, and waits for the first of them.
    fn end(&mut self, grace: Duration) {
        signal(&self.0, libc::SIGTERM);
        let asked = Instant::now();
        while asked.elapsed() < grace && matches!(self.0.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        signal(&self.0, libc::SIGKILL);
        // One that hangs in the kernel, on a lost network drive, is not waited for.
        let killed = Instant::now();
        while killed.elapsed() < Duration::from_secs(2) && matches!(self.0.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Sends a signal to a program's group; there may be none any more.
#[expect(
    unsafe_code,
    reason = "the standard library sends no signals to groups; this call touches no memory"
)]
fn signal(leader: &Child, signal: libc::c_int) {
    if let Ok(group @ 2..) = libc::pid_t::try_from(leader.id()) {
        unsafe {
            libc::killpg(group, signal);
        }
    }
}

/// Whether somebody ended it by a signal, as shells tell it, too.
pub(super) fn was_ended(status: ExitStatus) -> bool {
    status.signal().is_some() || status.code().is_some_and(|code| code > 128)
}

/// How a program ended, for a person.
pub(super) fn described(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => status.to_string(),
    }
}
