//! Finds what a program started, and that left its process group: torchrun's workers have sessions of their own, and
//! hold the GPU when nobody ends them.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// What all that a run starts finds in its environment.
pub(super) const VARIABLE: &str = "MADMIX_RUN";

/// A value of [`VARIABLE`] that no other run has.
pub(super) struct Mark(String);

impl Mark {
    pub(super) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |since| since.as_nanos());
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(format!("{}.{now}.{count}", std::process::id()))
    }

    pub(super) fn value(&self) -> &str {
        &self.0
    }
}

/// A process as `/proc` tells it.
struct Process {
    id: libc::pid_t,
    parent: libc::pid_t,
    group: libc::pid_t,
}

/// The processes of a group that have not ended, those that have the mark, and what these have started.
pub(super) fn alive(group: libc::pid_t, mark: &Mark) -> Vec<libc::pid_t> {
    let processes = processes();
    let entry = format!("{VARIABLE}={}", mark.0).into_bytes();
    let is_marked = |id: libc::pid_t| {
        // That of another user's process cannot be read.
        let environment = fs_err::read(format!("/proc/{id}/environ")).unwrap_or_default();
        environment.split(|&byte| byte == 0).any(|own| own == entry)
    };
    let mut found: BTreeSet<libc::pid_t> = processes
        .iter()
        .filter(|process| process.group == group || is_marked(process.id))
        .map(|process| process.id)
        .collect();
    // Some write over their environment to change their name.
    loop {
        let before = found.len();
        for process in &processes {
            if found.contains(&process.parent) {
                found.insert(process.id);
            }
        }
        if found.len() == before {
            return found.into_iter().collect();
        }
    }
}

/// All that have not ended; none where there is no `/proc`.
fn processes() -> Vec<Process> {
    let entries = fs_err::read_dir("/proc").into_iter().flatten();
    let processes = entries.filter_map(|entry| process(&entry.ok()?.file_name()));
    processes.collect()
}

fn process(name: &OsString) -> Option<Process> {
    let id = name.to_str()?.parse().ok()?;
    let stat = fs_err::read(format!("/proc/{id}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    // ID (NAME) STATE PARENT GROUP …, and a name may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    Some(Process {
        id,
        parent: fields.next()?.parse().ok()?,
        group: fields.next()?.parse().ok()?,
    })
}
