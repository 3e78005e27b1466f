//! A program that runs for hours in a process group of its own, and ends with everything it started.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{io, thread};

use fs_err::File;

use super::strays::{self, Mark};

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

/// Runs a program whose words all go to `log`. Whatever it started and left running, a worker or a server in the
/// background, is killed: it would hold the device that the next run is to have.
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
    let mark = Mark::new();
    command
        .env(strays::VARIABLE, mark.value())
        .stdin(Stdio::null())
        .stdout(words()?)
        .stderr(words()?)
        // Ctrl-C on the terminal is for this program alone, which ends the others in good order.
        .process_group(0);
    let mut group = Group {
        leader: command.spawn()?,
        mark,
        killed: false,
    };
    let started = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if group.leader_has_ended()? {
            let status = group.kill();
            return status
                .map(End::Exited)
                .ok_or_else(|| io::Error::other("it has ended, and the system does not say how"));
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

/// A program and all it started. None of them outlives it.
///
/// The program is waited for last: until then neither its id nor that of its group can be given to somebody else.
struct Group {
    leader: Child,
    mark: Mark,
    killed: bool,
}

impl Group {
    /// Asks all of them to end, and waits for the last of them: a shell ends at once, and what it runs may have a
    /// checkpoint to write or workers of its own to end.
    fn end(&mut self, grace: Duration) {
        self.signal(libc::SIGTERM);
        let asked = Instant::now();
        while asked.elapsed() < grace && !self.alive().is_empty() {
            thread::sleep(Duration::from_millis(50));
        }
        self.kill();
    }

    /// Kills all of them, and says how the program ended.
    fn kill(&mut self) -> Option<ExitStatus> {
        let begun = Instant::now();
        loop {
            self.signal(libc::SIGKILL);
            let alive = self.alive();
            for process in &alive {
                send(*process, libc::SIGKILL);
            }
            // One that hangs in the kernel, on a lost network drive, is not waited for.
            if alive.is_empty() || begun.elapsed() > Duration::from_secs(2) {
                break;
            }
            thread::sleep(Duration::from_millis(5));
        }
        self.killed = true;
        self.leader.try_wait().ok().flatten()
    }

    fn alive(&self) -> Vec<libc::pid_t> {
        strays::alive(self.id(), &self.mark)
    }

    fn id(&self) -> libc::pid_t {
        libc::pid_t::try_from(self.leader.id()).unwrap_or_default()
    }

    /// Sends a signal to the group.
    fn signal(&self, signal: libc::c_int) {
        send(-self.id(), signal);
    }

    /// Whether the program has ended. It is not waited for.
    #[expect(
        unsafe_code,
        reason = "the standard library gives back the id of a process that it finds ended"
    )]
    fn leader_has_ended(&self) -> io::Result<bool> {
        let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        // SAFETY: `siginfo_t` is plain data, for which zeros are a value; the call writes to it, and the process is a
        // child of this one.
        let (result, ended) = unsafe {
            let mut found: libc::siginfo_t = std::mem::zeroed();
            let result = libc::waitid(libc::P_PID, self.leader.id(), &raw mut found, options);
            (result, found.si_pid() != 0)
        };
        if result == 0 {
            return Ok(ended);
        }
        match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::Interrupted => Ok(false),
            error => Err(error),
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.killed {
            self.kill();
        }
    }
}

/// Sends a signal to a process, or with its negative id to a group; there may be none any more.
#[expect(
    unsafe_code,
    reason = "the standard library sends no signals; this call touches no memory"
)]
fn send(to: libc::pid_t, signal: libc::c_int) {
    // 0 and -1 stand for much more than one program.
    if !(-1..=1).contains(&to) {
        // SAFETY: two numbers go in, and one comes out.
        unsafe {
            libc::kill(to, signal);
        }
    }
}

/// The signal that ended a program, as shells tell it, too.
fn signal_of(status: ExitStatus) -> Option<i32> {
    let told = |code: i32| (129..=192).contains(&code).then(|| code - 128);
    status.signal().or_else(|| status.code().and_then(told))
}

/// Whether somebody ended it by a signal.
pub(super) fn was_ended(status: ExitStatus) -> bool {
    signal_of(status).is_some()
}

/// How a program ended, for a person.
pub(super) fn described(status: ExitStatus) -> String {
    match (signal_of(status), status.code()) {
        (Some(signal), _) => format!("ended by signal {signal}"),
        (None, Some(code)) => format!("exit code {code}"),
        (None, None) => status.to_string(),
    }
}
