//! What can be wrong with a shard or a run's folder.

use std::io;
use std::path::{Path, PathBuf};

use safetensors::tensor::SafeTensorError;
use thiserror::Error;

use super::{FORMAT, MAX_SHARD_BYTES, PublishError};

/// Why bytes are not a shard, or a shard cannot be written.
#[derive(Debug, Error)]
pub enum ShardError {
    /// A folder, a pipe, a device, or larger than any shard.
    #[error("not a regular file of at most {MAX_SHARD_BYTES} bytes")]
    NotAShardsFile,
    /// Not a whole safetensors file.
    #[error("not a whole safetensors file ({0})")]
    Container(SafeTensorError),
    /// A safetensors file of something else.
    #[error("a safetensors file, but not a shard: its metadata must be the one key `madmix`")]
    Foreign,
    /// The metadata is not the JSON of a shard.
    #[error("the shard's metadata cannot be read ({0})")]
    Metadata(serde_json::Error),
    /// Written by a madmix that this one does not know.
    #[error(
        "format version {found}, but this madmix reads up to {FORMAT}: use the madmix that wrote it, or delete the file \
         to make it again"
    )]
    UnknownVersion {
        /// The version in the file.
        found: u32,
    },
    /// The version number alone is damaged.
    #[error("it claims format version {found}, but its checksum is of format {FORMAT}")]
    DamagedVersion {
        /// The version in the file.
        found: u32,
    },
    /// The content is not what was written.
    #[error("the checksum is {found}, but the content's is {computed}")]
    Checksum {
        /// The checksum in the file.
        found: String,
        /// The checksum of the content.
        computed: String,
    },
    /// The content is that of a shard, but no madmix writes it so.
    #[error("its metadata are not written as madmix writes them")]
    NotCanonical,
    /// The shard of another dataset or index: a file that was renamed.
    #[error("it is shard {index} of dataset `{dataset}`, which does not belong under this name")]
    Misplaced {
        /// The dataset in the metadata.
        dataset: String,
        /// The index in the metadata.
        index: u32,
    },
    /// A tensor is missing, unknown or of another type or shape.
    #[error("tensor `{name}`: {problem}")]
    Tensor {
        /// The tensor's name.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl ShardError {
    /// Whether the file is worthless and may be made again. A newer format is not: another madmix can read it.
    pub fn is_damage(&self) -> bool {
        !matches!(self, Self::UnknownVersion { .. })
    }

    pub(super) fn tensor(name: &str, problem: impl Into<String>) -> Self {
        Self::Tensor {
            name: name.to_owned(),
            problem: problem.into(),
        }
    }
}

/// Why the store cannot go on.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A file or folder cannot be read, renamed or cleaned.
    #[error("cannot read or tidy the shards")]
    Io(#[from] io::Error),
    /// A shard could not be published.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The shard to publish contradicts itself.
    #[error("shard {index} of dataset `{dataset}` cannot be written")]
    Encode {
        /// The dataset's name.
        dataset: String,
        /// The shard's index.
        index: u32,
        /// What is wrong.
        source: ShardError,
    },
    /// A shard to be loaded is damaged, or any shard is of a newer format.
    #[error("cannot use {}", path.display())]
    Unusable {
        /// The shard's file.
        path: PathBuf,
        /// What is wrong.
        source: ShardError,
    },
    /// A shard to be loaded has not been made.
    #[error("shard {index} of dataset `{dataset}` is missing ({}): extract it first", path.display())]
    Absent {
        /// The dataset's name.
        dataset: String,
        /// The shard's index.
        index: u32,
        /// Where it should be.
        path: PathBuf,
    },
    /// The shard was made from another checkpoint, other settings or other data.
    #[error(
        "{} was made from something else:\n  {}\nchoose another output folder, or delete {} to extract {} again",
        path.display(), differences.join("\n  "), stale(path, *dataset_only).display(),
        if *dataset_only { "the dataset" } else { "everything" }
    )]
    OtherKey {
        /// The shard's file.
        path: PathBuf,
        /// One line per part that differs, with both values.
        differences: Vec<String>,
        /// Whether nothing but the dataset differs, so that the other datasets' shards are good.
        dataset_only: bool,
    },
    /// A shard is damaged again whenever it has been replaced.
    #[error("{} was damaged each time it was looked at: check the disk", path.display())]
    Unstable {
        /// The shard's file.
        path: PathBuf,
    },
}

/// The folder that a shard of something else spoils: its dataset's, or that of all shards.
fn stale(shard: &Path, dataset_only: bool) -> &Path {
    let folder = shard.parent().unwrap_or(shard);
    if dataset_only {
        folder
    } else {
        folder.parent().unwrap_or(folder)
    }
}
