//! Removing from a cache what is not wanted any more. Only files that have the names of a cache's are touched.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::entries::files;
use super::{Cache, CacheError, Entry, KEY_FILE, names};
use crate::store::clean_stale_temporaries;

/// The ending of damaged shards that were set aside.
const ASIDE: &str = "corrupt";

/// A file that was removed, or would be.
#[derive(Debug)]
pub struct Removed {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Why, for a person.
    pub reason: String,
}

impl Cache {
    /// Removes what is of no use: damaged shards, those set aside, temporaries of dead processes and the folders of
    /// keys that are left without shards; and of the `entries` those that `unwanted` gives a reason for. With `dry`
    /// nothing is removed. Says which files these are, by path.
    ///
    /// A shard that a run keeps meanwhile stays, or is removed as if it had been there before; neither harms the run.
    ///
    /// # Errors
    /// When a folder cannot be listed or a file not be removed.
    pub fn prune(
        &self,
        entries: &[Entry],
        unwanted: &dyn Fn(&Entry) -> Option<String>,
        dry: bool,
    ) -> Result<Vec<Removed>, CacheError> {
        let mut removed = Vec::new();
        for entry in entries {
            let damage = entry
                .shard
                .as_ref()
                .err()
                .filter(|reason| reason.is_damage());
            let reason = damage.map(ToString::to_string).or_else(|| unwanted(entry));
            if let Some(reason) = reason {
                removed.push(Removed {
                    path: entry.path.clone(),
                    bytes: entry.bytes,
                    reason,
                });
            }
        }
        let folders = self.folders()?;
        for path in folders.iter().map(|folder| files(folder)) {
            for path in path? {
                if is_aside(&path) {
                    let bytes = fs_err::metadata(&path).map_or(0, |data| data.len());
                    let reason = "a damaged shard that was set aside".to_owned();
                    removed.push(Removed {
                        path,
                        bytes,
                        reason,
                    });
                }
            }
        }
        removed.sort_by(|a, b| a.path.cmp(&b.path));
        if dry {
            return Ok(removed);
        }
        for file in &removed {
            remove(&file.path)?;
        }
        clean_stale_temporaries(&self.root)?;
        for folder in folders {
            clean_stale_temporaries(&folder)?;
            remove_if_empty(&folder)?;
        }
        Ok(removed)
    }
}

/// Removes the folder of a key without shards. What is not a cache's stays, and so does its folder.
fn remove_if_empty(folder: &Path) -> Result<(), CacheError> {
    let is_key = |path: &PathBuf| path.file_name() == Some(KEY_FILE.as_ref());
    if !files(folder)?.iter().all(is_key) {
        return Ok(());
    }
    remove(&folder.join(KEY_FILE))?;
    match fs_err::remove_dir(folder) {
        Err(error)
            if !matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::DirectoryNotEmpty
            ) =>
        {
            Err(error.into())
        }
        _ => Ok(()),
    }
}

fn is_aside(path: &Path) -> bool {
    path.extension() == Some(ASIDE.as_ref())
        && path
            .file_stem()
            .is_some_and(|name| names::of_file(name).is_some())
}

/// Removes a file; another process may have been quicker.
fn remove(path: &Path) -> io::Result<()> {
    match fs_err::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
