//! Atomic, durable publishing: a name that exists is whole; everything else is absent.
//!
//! A file is written under a temporary name in its own folder, fsynced, renamed, and the folder fsynced. Its writer
//! holds a lock on the temporary until the rename, so a temporary whose lock can be taken belongs to nobody and may go
//! (names and times would not tell across machines). On a file system without locks temporaries of dead processes
//! stay: hidden, and never read. Where locks do not reach other machines a temporary may be taken for a dead one's;
//! its writer then notices and writes again.

use std::ffi::OsStr;
use std::fs::TryLockError;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use fs_err::os::unix::fs::OpenOptionsExt;
use fs_err::{File, OpenOptions};
use tempfile::NamedTempFile;
use thiserror::Error;

const PREFIX: &str = ".";
const SUFFIX: &str = ".madmix-tmp";
/// How often a writer whose temporary was taken away tries again.
const ATTEMPTS: usize = 8;
/// How much is gathered before it goes to the file system.
const BUFFER_BYTES: usize = 1 << 16;
const WRITING: &str = "writing";

/// A file could not be published: it is absent or what it was before, unless only the folder's fsync failed, when the
/// new content may or may not survive a crash of the machine.
#[derive(Debug, Error)]
#[error("cannot publish {} ({step}){}", path.display(), advice(source))]
pub struct PublishError {
    /// The file that should have been published.
    pub path: PathBuf,
    /// What failed.
    pub step: &'static str,
    /// The operating system's error.
    pub source: io::Error,
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            ": no space is left; free some and run again, what is published is kept"
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            ": choose an output folder that you may write to"
        }
        _ => ": the file system refused; see the cause, mend it and run again",
    }
}

/// What [`publish()`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// The file was written.
    Written,
    /// The file was there already and is untouched.
    AlreadyThere,
}

/// Makes `path` hold `bytes`, atomically and durably, creating missing folders. A file that holds them already is left
/// as it is. The mode is 0644 as far as the umask allows.
///
/// # Errors
/// When any step fails, down to the last fsync. The temporary file is removed then.
pub fn publish(path: &Path, bytes: &[u8]) -> Result<Published, PublishError> {
    if !fs_err::read(path).is_ok_and(|found| found == bytes) {
        publish_with(path, |output| output.write(bytes))?;
        return Ok(Published::Written);
    }
    // Whoever wrote it may have died, or have been a plain copy, before it was durable.
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(failed(path, "fsync of the file"))?;
    sync_folder(folder_of(path)).map_err(failed(path, "fsync of its folder"))?;
    Ok(Published::AlreadyThere)
}

/// As [`publish()`], for what is too large to be held: `write` writes the content piece by piece, and whatever was under
/// the name is replaced when it has come to its end. Returns what `write` returns. Where another process takes the temporary file away, `write` is
/// called again, from the start.
///
/// # Errors
/// As [`publish()`], and whatever `write` returns.
pub fn publish_with<T, E: From<PublishError>>(
    path: &Path,
    mut write: impl FnMut(&mut Output<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let folder = folder_of(path);
    make_folders(folder).map_err(failed(path, "making its folder"))?;
    let mut attempt = 1;
    let written = loop {
        let temporary = locked_temporary(folder).map_err(failed(path, WRITING))?;
        let mut output = Output {
            file: BufWriter::with_capacity(BUFFER_BYTES, temporary),
            path,
        };
        let written = write(&mut output)?;
        if output.finish(attempt == ATTEMPTS)? {
            break written;
        }
        attempt += 1;
    };
    sync_folder(folder).map_err(failed(path, "fsync of its folder"))?;
    Ok(written)
}

/// What step of publishing `path` an error came from.
fn failed(path: &Path, step: &'static str) -> impl Fn(io::Error) -> PublishError {
    move |source| PublishError {
        path: path.to_owned(),
        step,
        source,
    }
}

/// A file that [`publish_with`] is about to publish. It is removed when dropped before its end.
pub struct Output<'a> {
    file: BufWriter<NamedTempFile<File>>,
    path: &'a Path,
}

impl Output<'_> {
    /// Appends `bytes`.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), PublishError> {
        self.file
            .write_all(bytes)
            .map_err(failed(self.path, WRITING))
    }

    /// Makes the content durable and gives it its name; `false` when the temporary file was taken away, unless this is
    /// the last attempt, when that is an error.
    fn finish(self, last: bool) -> Result<bool, PublishError> {
        let path = self.path;
        let fail = failed(path, WRITING);
        let mut temporary = self
            .file
            .into_inner()
            .map_err(|error| fail(error.into_error()))?;
        temporary.as_file().sync_all().map_err(&fail)?;
        match fs_err::rename(temporary.path(), path) {
            Ok(()) => {
                temporary.disable_cleanup(true);
                Ok(true)
            }
            Err(error) => {
                let taken = error.kind() == ErrorKind::NotFound && !temporary.path().exists();
                if taken && !last {
                    Ok(false)
                } else {
                    Err(fail(error))
                }
            }
        }
    }
}

/// A new temporary file in `folder`, locked and still there. It is removed when dropped.
fn locked_temporary(folder: &Path) -> io::Result<NamedTempFile<File>> {
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix(PREFIX).suffix(SUFFIX).rand_bytes(12);
    let mut attempt = 1;
    loop {
        let temporary = builder.make_in(folder, |path| {
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o644)
                .open(path)
        })?;
        let taken = match temporary.as_file().try_lock() {
            Ok(()) => !temporary.path().exists(),
            Err(TryLockError::WouldBlock) => true,
            Err(TryLockError::Error(_)) => false, // No locks here: nobody can take it for a dead one's.
        };
        if !taken {
            return Ok(temporary);
        }
        // A cleaner came between creation and lock.
        if attempt == ATTEMPTS {
            return Err(io::Error::other(
                "every temporary file was removed by another process",
            ));
        }
        attempt += 1;
    }
}

/// Removes the temporaries of dead processes from `folder` and says how many. Those being written are left, and so is
/// every other file; a folder that does not exist has none.
///
/// # Errors
/// When the folder cannot be listed or a dead one's temporary not be removed.
pub fn clean_stale_temporaries(folder: &Path) -> io::Result<usize> {
    let entries = match fs_err::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut removed = 0;
    for entry in entries {
        let entry = entry?;
        if !is_temporary(&entry.file_name()) {
            continue;
        }
        // Opened for writing: a lock on NFS needs it. Gone, or another user's: not ours to clean.
        let Ok(file) = OpenOptions::new().write(true).open(entry.path()) else {
            continue;
        };
        if file.try_lock().is_ok() {
            match fs_err::remove_file(entry.path()) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                result => {
                    result?;
                    removed += 1;
                }
            }
        }
    }
    Ok(removed)
}

/// Whether a name is that of a temporary.
pub(super) fn is_temporary(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(PREFIX.as_bytes()) && name.ends_with(SUFFIX.as_bytes())
}

/// The folder that holds `path`.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Creates `folder` and what is missing above it, each made durable in its parent.
fn make_folders(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder_of(folder);
    make_folders(parent)?;
    match fs_err::create_dir(folder) {
        // Made by another process just now, which may not have come to its fsync.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => {}
        result => result?,
    }
    sync_folder(parent).inspect_err(|_| {
        // An existing folder counts as durable, so this one must not stay. Another process may be using it already.
        let _ = fs_err::remove_dir(folder);
    })
}

/// Makes the names in a folder durable. Some file systems have no such operation on folders; that is no failure.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::InvalidInput | ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        result => result,
    }
}

#[cfg(test)]
mod tests;
