//! What is in a cache, every file read whole and verified.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rayon::prelude::*;

use super::names;
use super::{Cache, CacheError, Unfit};
use crate::store::{MAX_SHARD_BYTES, Shard, ShardError, ShardKey, read_regular};

/// A file that has the name of a shard.
#[derive(Debug)]
pub struct Entry {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// When it was last made or taken.
    pub used: SystemTime,
    /// The shard, if it is what its name says.
    pub shard: Result<CachedShard, Unfit>,
}

/// What is worth knowing of a sound shard.
#[derive(Debug)]
pub struct CachedShard {
    /// What it was made from.
    pub key: ShardKey,
    /// The dataset's name in the run that made it.
    pub dataset: String,
    /// Its samples that have vectors.
    pub samples: usize,
    /// Its samples that could not be used.
    pub failed: usize,
}

impl Cache {
    /// Every file that has the name of a shard, by path. `progress` hears of each that was read, with the number of
    /// all. Links are not followed.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn entries(&self, progress: &(dyn Fn(usize) + Sync)) -> Result<Vec<Entry>, CacheError> {
        let mut files = Vec::new();
        for folder in self.folders()? {
            files.extend(
                self::files(&folder)?
                    .into_iter()
                    .filter(|path| of(path).is_some()),
            );
        }
        files.sort();
        let count = files.len();
        let look = |path: PathBuf| {
            let entry = look(path);
            progress(count);
            entry.transpose()
        };
        files.into_par_iter().filter_map(look).collect()
    }

    /// The folders of keys.
    pub(super) fn folders(&self) -> Result<Vec<PathBuf>, CacheError> {
        let mut folders = Vec::new();
        for entry in fs_err::read_dir(&self.root)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() && names::is_folder(&entry.file_name()) {
                folders.push(entry.path());
            }
        }
        Ok(folders)
    }
}

/// The regular files in a key's folder; none when it is gone.
pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>, CacheError> {
    let entries = match fs_err::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        match entry.file_type() {
            Ok(kind) if kind.is_file() => files.push(entry.path()),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(files)
}

/// The index and content that a file's name promises.
fn of(path: &Path) -> Option<(u32, &str)> {
    names::of_file(path.file_name()?)
}

/// `None` when another process has just removed it.
fn look(path: PathBuf) -> Result<Option<Entry>, CacheError> {
    let Some((index, content)) = of(&path) else {
        return Ok(None);
    };
    let gone = |error: &std::io::Error| error.kind() == ErrorKind::NotFound;
    let (bytes, data) = match (
        read_regular(&path, MAX_SHARD_BYTES),
        fs_err::metadata(&path),
    ) {
        (Err(error), _) | (_, Err(error)) if gone(&error) => return Ok(None),
        (bytes, data) => (bytes, data?),
    };
    let read = bytes.map_err(Unfit::NotRead);
    let read = read.and_then(|bytes| read_as(bytes, index, content, None));
    let shard = read.and_then(|(shard, dataset)| {
        let folder = names::folder(&shard.key);
        if path.parent().and_then(Path::file_name) != Some(folder.as_ref()) {
            return Err(Unfit::OtherFolder { folder });
        }
        Ok(CachedShard {
            samples: shard.rows.len(),
            failed: shard.failures.len(),
            key: shard.key,
            dataset,
        })
    });
    Ok(Some(Entry {
        bytes: data.len(),
        used: data.modified()?,
        shard,
        path,
    }))
}

/// Reads a file's bytes, if it is one, as the cached shard that its name promises, and gives the name of its dataset.
/// Without `key` any key will do.
pub(super) fn read_as(
    bytes: Option<Vec<u8>>,
    index: u32,
    content: &str,
    key: Option<&ShardKey>,
) -> Result<(Shard, String), Unfit> {
    let bytes = bytes.ok_or(Unfit::Unreadable(ShardError::NotAShardsFile))?;
    let shard = Shard::from_bytes(&bytes).map_err(Unfit::Unreadable)?;
    let differences = key.map_or_else(Vec::new, |key| shard.key.differences(key));
    if !differences.is_empty() {
        return Err(Unfit::OtherKey { differences });
    }
    if shard.index != index {
        return Err(Unfit::OtherIndex { index: shard.index });
    }
    match names::unbound(&shard.dataset) {
        None => Err(Unfit::NoContent),
        Some((found, _)) if found != content => Err(Unfit::OtherContent {
            found: found.to_owned(),
        }),
        Some((_, dataset)) => {
            let dataset = dataset.to_owned();
            Ok((shard, dataset))
        }
    }
}
