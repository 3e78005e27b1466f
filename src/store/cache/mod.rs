//! Shards that outlive their run: `KEY/NNNNN-CONTENT.safetensors` below the cache's folder.
//!
//! KEY stands for a [`ShardKey`] and NNNNN for the shard's index. CONTENT is the caller's digest of what a dataset's
//! fingerprint does not cover: the pictures themselves. All three are in the file as well, under its checksum, so a
//! file that was renamed, mixed up or damaged is told by itself and never used. `key.json` beside it is for people.
//!
//! The dataset's name is not part of the key: the same data is found under any name, and [`Cache::take`] gives the
//! shard the name that it is wanted under.
//!
//! Any number of processes may use one cache at once; a run that finds it unusable goes on without.

mod entries;
mod error;
mod names;
mod prune;
mod tag;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    MAX_SHARD_BYTES, Published, Shard, ShardKey, clean_stale_temporaries, publish, read_regular,
};

pub use entries::{CachedShard, Entry};
pub use error::{CacheError, Refused, Unfit};
pub use prune::Removed;

/// The format version of `key.json`.
const KEY_FORMAT: u32 = 1;
const KEY_FILE: &str = "key.json";

/// Shards of many runs, by what they were made from.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

/// What [`Cache::take`] found.
#[derive(Debug)]
pub enum Taken {
    /// The wanted shard, verified, under the wanted name.
    Hit(Box<Shard>),
    /// Nothing.
    Miss,
    /// A file that is not what its name says. It is left where it is; [`Cache::keep`] replaces it.
    Refused(Refused),
}

/// `key.json`. The fields stand in alphabetical order and serde keeps it: that makes the JSON canonical.
#[derive(Serialize)]
struct KeyFile<'a> {
    checkpoint: &'a str,
    dataset: &'a str,
    format: u32,
    settings: Box<RawValue>,
    settings_fingerprint: String,
}

impl Cache {
    /// The cache in a folder for a run to use; an empty or missing folder becomes one. Temporaries of dead processes
    /// are removed from the folder itself; [`Cache::prune`] removes those of shards.
    ///
    /// # Errors
    /// When the folder holds something else, or cannot be read or made.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, CacheError> {
        let root = root.into();
        tag::claim(&root)?;
        clean_stale_temporaries(&root)?;
        Ok(Self { root })
    }

    /// The cache in a folder to look at or to tidy; makes nothing.
    ///
    /// # Errors
    /// When the folder is missing or holds something else.
    pub fn existing(root: impl Into<PathBuf>) -> Result<Self, CacheError> {
        let root = root.into();
        if !root.exists() {
            return Err(CacheError::Absent { folder: root });
        }
        if !tag::is_ours(&root)? {
            return Err(CacheError::Foreign { folder: root });
        }
        Ok(Self { root })
    }

    /// The cache's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where a shard of this key and content is or will be.
    pub fn shard_path(&self, key: &ShardKey, index: u32, content: &str) -> PathBuf {
        self.root
            .join(names::folder(key))
            .join(names::file(index, content))
    }

    /// Looks for a shard and gives it the name of `dataset`. `content` is 32 hexadecimal digits, as for
    /// [`Cache::keep`].
    ///
    /// # Errors
    /// When there is a file that cannot be read.
    pub fn take(
        &self,
        key: &ShardKey,
        dataset: &str,
        index: u32,
        content: &str,
    ) -> Result<Taken, CacheError> {
        let path = self.shard_path(key, index, content);
        let bytes = match read_regular(&path, MAX_SHARD_BYTES) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Taken::Miss),
            bytes => bytes?,
        };
        Ok(match entries::read_as(bytes, index, content, Some(key)) {
            Ok((shard, _)) => {
                mark_as_used(&path);
                Taken::Hit(Box::new(Shard {
                    dataset: dataset.to_owned(),
                    ..shard
                }))
            }
            Err(reason) => Taken::Refused(Refused { path, reason }),
        })
    }

    /// Keeps a shard for other runs, in place of whatever has its name in the cache. `content` is the digest, 32
    /// hexadecimal digits, of all that the shard was made from and its key does not cover.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn keep(&self, shard: &Shard, content: &str) -> Result<Published, CacheError> {
        let path = self.shard_path(&shard.key, shard.index, content);
        let named = Shard {
            dataset: names::bound(content, &shard.dataset),
            ..shard.clone()
        };
        let bytes = named.to_bytes().map_err(CacheError::Encode)?;
        let write = || {
            self.describe(&shard.key)?;
            Ok::<_, CacheError>(publish(&path, &bytes)?)
        };
        // Somebody who tidies up may remove the folder just after it was made, for want of shards in it.
        let published = write().or_else(|_| write())?;
        if published == Published::AlreadyThere {
            mark_as_used(&path);
        }
        Ok(published)
    }

    /// Writes `key.json`, unless it is there.
    fn describe(&self, key: &ShardKey) -> Result<(), CacheError> {
        let path = self.root.join(names::folder(key)).join(KEY_FILE);
        let json = serde_json::to_string_pretty(&KeyFile {
            checkpoint: &key.checkpoint,
            dataset: &key.dataset,
            format: KEY_FORMAT,
            settings: RawValue::from_string(key.settings.json().to_owned())?,
            settings_fingerprint: key.settings.fingerprint(),
        })? + "\n";
        if fs_err::read(&path).is_ok_and(|found| found == json.as_bytes()) {
            return Ok(());
        }
        publish(&path, json.as_bytes())?;
        Ok(())
    }
}

/// Notes that a file was of use. Decides nothing but what `prune --unused-days` removes, so it may fail: the file may
/// be another user's.
fn mark_as_used(path: &Path) {
    if let Ok(file) = fs_err::OpenOptions::new().append(true).open(path) {
        let _ = file.set_modified(SystemTime::now());
    }
}
