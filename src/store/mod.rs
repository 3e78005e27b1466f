//! What a run leaves on disk: shards of pooled vectors, the failures, and the one way files are published.
//!
//! A shard is a pure function of a checkpoint, the extraction settings, a dataset and an index ([`ShardKey`]), so it is
//! the unit of work, of resuming, of spreading over machines and of caching at once. Everything here is plain data in
//! and files out: nothing knows of models or dataset formats.
//!
//! * [`Shard`] – the typed content, its bytes and the checks on reading them
//! * [`Store`] – a run's folder: which shards are missing, loading and publishing them
//! * [`Cache`] – shards that outlive their run
//! * [`publish()`] – atomic, durable writing of any file
//! * [`Manifest`] – what a run's folder is to hold
//! * [`Failures`] – the samples that could not be read

mod cache;
mod checksum;
mod error;
mod failures;
mod folder;
mod format;
mod manifest;
mod names;
mod publish;
mod read;
mod settings;
mod shard;

pub use cache::{Cache, CacheError, CachedShard, Entry, Refused, Removed, Taken, Unfit};
pub(crate) use checksum::checksum;
pub use error::{ShardError, StoreError};
pub use failures::{FailureRecord, Failures, FailuresError};
pub use folder::{Missing, SetAside, ShardState, Store};
pub use format::FORMAT;
use format::MAX_SHARD_BYTES;
pub use manifest::{Manifest, ManifestDataset, ManifestError};
pub(crate) use names::folder_name;
pub use publish::{
    Output, PublishError, Published, clean_stale_temporaries, publish, publish_with,
};
pub(crate) use read::read_regular;
pub use settings::Settings;
pub use shard::{Failure, Matrix, Pooled, SHARD_ROWS, Shard, ShardKey};
