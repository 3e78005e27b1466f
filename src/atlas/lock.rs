//! Locks that processes hold on files: they end with the process, however it ends.

use std::fs::TryLockError;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use fs_err::{File, OpenOptions};

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);
/// How long waiting goes without saying.
const SILENT: Duration = Duration::from_secs(3);

/// A lock on a file, given back when it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, waiting for whoever has it; `reason` says who, once that takes a while.
    ///
    /// # Errors
    /// When the file cannot be made, or the file system has no locks.
    pub fn wait(path: &Path, reason: &str) -> io::Result<Self> {
        let started = Instant::now();
        let mut said = false;
        loop {
            if let Some(lock) = Self::take(path)? {
                return Ok(lock);
            }
            if !said && started.elapsed() > SILENT {
                tracing::info!("{reason}; waiting until it is done");
                said = true;
            }
            thread::sleep(PAUSE);
        }
    }

    /// Takes the lock if nobody has it.
    ///
    /// # Errors
    /// As [`Self::wait`].
    pub fn take(path: &Path) -> io::Result<Option<Self>> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)?;
        match file.file().try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}
