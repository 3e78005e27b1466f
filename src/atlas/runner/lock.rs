//! Locks on folders that end with the process that holds them.

use std::fs::TryLockError;
use std::io;
use std::path::Path;

use fs_err::{File, OpenOptions};

/// The file that is locked. It stays: who removes it takes the lock from under somebody's feet.
const FILE: &str = ".running";

/// A folder that nobody else has.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Locks a folder, made if missing; `None` if another has it.
    pub(super) fn take(folder: &Path) -> io::Result<Option<Self>> {
        let file = open(folder)?;
        Ok(match file.file().try_lock() {
            Err(TryLockError::WouldBlock) => None,
            // There are file systems without locks.
            Ok(()) | Err(TryLockError::Error(_)) => Some(Self { _file: file }),
        })
    }

    /// Locks a folder, made if missing, once nobody else has it.
    pub(super) fn wait(folder: &Path) -> io::Result<Self> {
        let file = open(folder)?;
        // As above.
        let _ = file.file().lock();
        Ok(Self { _file: file })
    }
}

fn open(folder: &Path) -> io::Result<File> {
    fs_err::create_dir_all(folder)?;
    let path = folder.join(FILE);
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}
