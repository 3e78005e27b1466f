//! Why a cache, or a file in it, is not used.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::store::{PublishError, ShardError};

/// Why a cache cannot be used.
#[derive(Debug, Error)]
pub enum CacheError {
    /// A file or folder cannot be read, or not be removed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A file cannot be written.
    #[error("cannot write {} ({step}): {cause}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What failed.
        step: &'static str,
        /// The operating system's error.
        cause: io::Error,
    },
    /// A shard that contradicts itself.
    #[error("a shard cannot be written: {0}")]
    Encode(ShardError),
    /// A key that has no JSON form.
    #[error("a key cannot be written: {0}")]
    Key(#[from] serde_json::Error),
    /// A folder of something else.
    #[error(
        "{} is not a shard cache: it holds files, and no CACHEDIR.TAG that madmix wrote; name an empty or a new folder",
        folder.display()
    )]
    Foreign {
        /// The folder.
        folder: PathBuf,
    },
    /// Nothing is there.
    #[error("there is no shard cache at {}", folder.display())]
    Absent {
        /// The folder.
        folder: PathBuf,
    },
}

impl From<PublishError> for CacheError {
    /// Without that error's advice, which is for a run that ends with it.
    fn from(error: PublishError) -> Self {
        Self::Write {
            path: error.path,
            step: error.step,
            cause: error.source,
        }
    }
}

/// A file in a cache that is not what its name says.
#[derive(Debug, Error)]
#[error("{}: {reason}", path.display())]
pub struct Refused {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: Unfit,
}

/// Why a file is not the shard that its name promises.
#[derive(Debug, Error)]
pub enum Unfit {
    /// The file system does not give it.
    #[error("it cannot be read: {0}")]
    NotRead(io::Error),
    /// Damaged, or of a newer format.
    #[error(transparent)]
    Unreadable(ShardError),
    /// Made from another checkpoint, other settings or other data.
    #[error("it was made from something else: {}", .differences.join("; "))]
    OtherKey {
        /// One line per part that differs, with both values.
        differences: Vec<String>,
    },
    /// In the folder of another key, of which only the hash is known.
    #[error("it belongs into the folder {folder}")]
    OtherFolder {
        /// The folder that its key has.
        folder: String,
    },
    /// Another shard of the dataset.
    #[error("it is shard {index}")]
    OtherIndex {
        /// The index in the file.
        index: u32,
    },
    /// Made from other pictures.
    #[error("it was made from other pictures or clips: their digest is {found}")]
    OtherContent {
        /// The content in the file.
        found: String,
    },
    /// The shard of a run's folder, not of a cache.
    #[error("it does not say which pictures and clips it was made from")]
    NoContent,
}

impl Unfit {
    /// Whether the file is worthless. One of a newer format is not: another madmix can read it. Nor is one that only
    /// cannot be read here.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::NotRead(_) => false,
            Self::Unreadable(error) => error.is_damage(),
            _ => true,
        }
    }
}
