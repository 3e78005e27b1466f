//! A run's shards on disk: `shards/DATASET/NNNNN.safetensors` below the run's folder.

use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::names::folder_name;
use super::publish::sync_folder;
use super::{
    Failure, MAX_SHARD_BYTES, Published, Shard, ShardError, ShardKey, StoreError,
    clean_stale_temporaries, publish, read_regular,
};

const SHARDS: &str = "shards";
/// How often a name is looked at again while other processes change what is under it.
const ATTEMPTS: usize = 8;

/// What is under a shard's name.
#[derive(Debug)]
pub enum ShardState {
    /// The wanted shard, verified.
    Present(Box<Shard>),
    /// Nothing.
    Absent,
    /// Something that is not a whole shard of this name.
    Damaged(ShardError),
}

/// A damaged shard that was set aside.
#[derive(Debug, Error)]
#[error("{} is damaged ({reason}); it was set aside as {} and will be made again", path.display(), aside.display())]
pub struct SetAside {
    /// The shard's name.
    pub path: PathBuf,
    /// Where the damaged file is now.
    pub aside: PathBuf,
    /// What is wrong with it.
    pub reason: ShardError,
}

/// The outcome of [`Store::missing`].
#[derive(Debug, Default)]
pub struct Missing {
    /// The shards to make, in ascending order.
    pub indices: Vec<u32>,
    /// The damaged shards among them, for the log.
    pub set_aside: Vec<SetAside>,
    /// The failures of the shards that are there.
    pub failures: Vec<Failure>,
}

/// The shards of one run. Any number of processes may use one folder at once.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// The store in a run's folder, which need not exist yet. Temporaries of dead processes are removed.
    ///
    /// # Errors
    /// When the folder exists and cannot be listed or cleaned.
    pub fn open(run: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let root = run.into();
        clean_stale_temporaries(&root)?;
        match fs_err::read_dir(root.join(SHARDS)) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            entries => {
                for entry in entries? {
                    let entry = entry?;
                    if entry.file_type()?.is_dir() {
                        clean_stale_temporaries(&entry.path())?;
                    }
                }
            }
        }
        Ok(Self { root })
    }

    /// The store in a run's folder, to look only: nothing is cleaned.
    pub fn at(run: impl Into<PathBuf>) -> Self {
        Self { root: run.into() }
    }

    /// The run's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of a dataset's shards. Characters that are unsafe in file names are percent-encoded.
    pub fn dataset_folder(&self, dataset: &str) -> PathBuf {
        self.root.join(SHARDS).join(folder_name(dataset))
    }

    /// Where shard `index` of `dataset` is or will be.
    pub fn shard_path(&self, dataset: &str, index: u32) -> PathBuf {
        self.dataset_folder(dataset)
            .join(format!("{index:05}.safetensors"))
    }

    /// Reads and verifies what is under a shard's name; changes nothing.
    ///
    /// # Errors
    /// When the file cannot be read, is of a newer format, or was made from something other than `key`.
    pub fn inspect(
        &self,
        key: &ShardKey,
        dataset: &str,
        index: u32,
    ) -> Result<ShardState, StoreError> {
        let path = self.shard_path(dataset, index);
        let state = read_shard(&path, dataset, index)?;
        if let ShardState::Present(shard) = &state {
            let differences = shard.key.differences(key);
            if !differences.is_empty() {
                let dataset_only =
                    shard.key.checkpoint == key.checkpoint && shard.key.settings == key.settings;
                return Err(StoreError::OtherKey {
                    path,
                    differences,
                    dataset_only,
                });
            }
        }
        Ok(state)
    }

    /// Which of these shards of a dataset are to be made. Each that exists is read whole and verified; a
    /// damaged one is renamed to `NNNNN.safetensors.corrupt` and counts as missing.
    ///
    /// # Errors
    /// As [`Store::inspect`], and when a damaged shard cannot be renamed.
    pub fn missing(
        &self,
        key: &ShardKey,
        dataset: &str,
        indices: Range<u32>,
    ) -> Result<Missing, StoreError> {
        let folder = self.dataset_folder(dataset);
        if folder.is_dir() {
            // A process that was killed may have renamed a shard and not come to this.
            sync_folder(&folder)?;
        }
        let mut missing = Missing::default();
        for index in indices {
            self.add_if_missing(key, dataset, index, &mut missing)?;
        }
        Ok(missing)
    }

    fn add_if_missing(
        &self,
        key: &ShardKey,
        dataset: &str,
        index: u32,
        missing: &mut Missing,
    ) -> Result<(), StoreError> {
        for _ in 0..ATTEMPTS {
            match self.inspect(key, dataset, index)? {
                ShardState::Present(shard) => {
                    missing.failures.extend(shard.failures);
                    return Ok(());
                }
                ShardState::Absent => {
                    missing.indices.push(index);
                    return Ok(());
                }
                ShardState::Damaged(_) => {
                    // The next look finds the name free, or taken by another process's whole shard.
                    missing.set_aside.extend(self.set_aside(dataset, index)?);
                }
            }
        }
        Err(StoreError::Unstable {
            path: self.shard_path(dataset, index),
        })
    }

    /// Removes a shard if it holds failures, so that it is made again.
    ///
    /// # Errors
    /// As [`Store::inspect`], and when the shard cannot be removed.
    pub fn remove_failed(
        &self,
        key: &ShardKey,
        dataset: &str,
        index: u32,
    ) -> Result<(), StoreError> {
        match self.inspect(key, dataset, index)? {
            ShardState::Present(shard) if !shard.failures.is_empty() => {
                fs_err::remove_file(self.shard_path(dataset, index))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Loads a shard after verifying all of it.
    ///
    /// # Errors
    /// As [`Store::inspect`], and when the shard is absent or damaged.
    pub fn load(&self, key: &ShardKey, dataset: &str, index: u32) -> Result<Shard, StoreError> {
        let path = self.shard_path(dataset, index);
        match self.inspect(key, dataset, index)? {
            ShardState::Present(shard) => Ok(*shard),
            ShardState::Absent => Err(StoreError::Absent {
                dataset: dataset.to_owned(),
                index,
                path,
            }),
            ShardState::Damaged(source) => Err(StoreError::Unusable { path, source }),
        }
    }

    /// Publishes a shard under its name. A whole shard of the same key that is there already is left; anything damaged
    /// is replaced.
    ///
    /// # Errors
    /// As [`Store::inspect`] and [`publish()`], and when the shard contradicts itself.
    pub fn publish(&self, shard: &Shard) -> Result<Published, StoreError> {
        let (dataset, index) = (&shard.dataset, shard.index);
        let bytes = shard.to_bytes().map_err(|source| StoreError::Encode {
            dataset: dataset.clone(),
            index,
            source,
        })?;
        let published = match self.inspect(&shard.key, dataset, index)? {
            ShardState::Present(_) => Published::AlreadyThere,
            ShardState::Absent | ShardState::Damaged(_) => {
                publish(&self.shard_path(dataset, index), &bytes)?
            }
        };
        // The folders' own names: another process may have made them and died before they were durable.
        for folder in [
            self.dataset_folder(dataset),
            self.root.join(SHARDS),
            self.root.clone(),
        ] {
            sync_folder(&folder)?;
        }
        Ok(published)
    }

    /// Renames a damaged shard. `None` when another process was quicker to set it aside or to replace it.
    fn set_aside(&self, dataset: &str, index: u32) -> Result<Option<SetAside>, StoreError> {
        let path = self.shard_path(dataset, index);
        let aside = path.with_extension("safetensors.corrupt");
        if !renamed(&path, &aside)? {
            return Ok(None);
        }
        // What was renamed need not be what was read: look again, and put back what is whole.
        let state = read_shard(&aside, dataset, index)?;
        if let ShardState::Present(_) = state {
            renamed(&aside, &path)?;
        }
        sync_folder(&self.dataset_folder(dataset))?;
        Ok(match state {
            ShardState::Damaged(reason) => Some(SetAside {
                path,
                aside,
                reason,
            }),
            ShardState::Present(_) | ShardState::Absent => None,
        })
    }
}

/// Renames; `false` when there was nothing to rename, because another process was quicker.
fn renamed(from: &Path, to: &Path) -> io::Result<bool> {
    match fs_err::rename(from, to) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Reads a file as the shard of that name, of whatever key.
fn read_shard(path: &Path, dataset: &str, index: u32) -> Result<ShardState, StoreError> {
    let read = match read_regular(path, MAX_SHARD_BYTES) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(ShardState::Absent),
        read => read?.ok_or(ShardError::NotAShardsFile),
    };
    match read.and_then(|bytes| Shard::from_bytes(&bytes)) {
        Ok(shard) if shard.dataset == dataset && shard.index == index => {
            Ok(ShardState::Present(Box::new(shard)))
        }
        Ok(Shard { dataset, index, .. }) => Ok(ShardState::Damaged(ShardError::Misplaced {
            dataset,
            index,
        })),
        Err(reason) if reason.is_damage() => Ok(ShardState::Damaged(reason)),
        Err(source) => Err(StoreError::Unusable {
            path: path.to_owned(),
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::store::Settings;

    /// A process that saw damage acts after another one has already replaced the shard.
    #[test]
    fn a_whole_shard_is_put_back_when_the_damage_seen_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let settings = Settings::new(&()).unwrap();
        let key = ShardKey {
            checkpoint: "c".into(),
            settings,
            dataset: "d".into(),
        };
        let shard = Shard {
            key: key.clone(),
            dataset: "a".into(),
            index: 0,
            rows: vec![],
            modalities: BTreeMap::new(),
            failures: vec![],
        };
        store.publish(&shard).unwrap();
        assert!(store.set_aside("a", 0).unwrap().is_none());
        assert_eq!(store.load(&key, "a", 0).unwrap(), shard);
        assert!(
            store.set_aside("a", 1).unwrap().is_none(),
            "set aside by another process"
        );
    }
}
