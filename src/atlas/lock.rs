//! Locks that processes hold on files: they end with the process, however it ends.

use std::fs::TryLockError;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
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
    /// When the file cannot be made, or the file system has no locks; [`io::ErrorKind::Interrupted`] once `stop` is set.
    pub fn wait(path: &Path, reason: &str, stop: Option<&AtomicBool>) -> io::Result<Self> {
        let started = Instant::now();
        let mut said = false;
        loop {
            if let Some(lock) = Self::take(path)? {
                return Ok(lock);
            }
            if stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
                let words = format!("stopped while waiting: {reason}");
                return Err(io::Error::new(io::ErrorKind::Interrupted, words));
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
    /// When the file cannot be made, or the file system has no locks.
    pub fn take(path: &Path) -> io::Result<Option<Self>> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)?;
        match file.file().try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(io::Error::new(
                error.kind(),
                format!(
                    "{} cannot be locked ({error}): its file system may have no locks; put `output` on one that has",
                    path.display()
                ),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_can_be_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let _held = Lock::take(&path).unwrap().unwrap();
        assert!(Lock::take(&path).unwrap().is_none());
        let stop = AtomicBool::new(false);
        let waited = thread::scope(|scope| {
            let waits = scope.spawn(|| Lock::wait(&path, "somebody has it", Some(&stop)));
            thread::sleep(3 * PAUSE);
            assert!(!waits.is_finished());
            stop.store(true, Ordering::Relaxed);
            waits.join().unwrap()
        });
        assert_eq!(waited.unwrap_err().kind(), io::ErrorKind::Interrupted);
    }
}
