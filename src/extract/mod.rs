//! From datasets to shards: what is missing is prepared ahead on worker threads, passed through the
//! model in batches of a bounded number of tokens, and published shard by shard.
//!
//! A shard is a pure function of the checkpoint, the settings, the dataset and its index: which
//! samples it holds, and how they are packed into batches, depends on nothing else. So a run that was
//! interrupted makes only what is missing, and ends in the same files.
//!
//! # Memory
//!
//! What a process holds on the host, apart from the model of a run on the CPU, is at most the sum of
//!
//! * for each row that a dataset's filter keeps: 16 bytes, where it lies;
//! * for each sample that is chosen: 8 bytes for the order, 16 more while that is found, and about 4 for its part of a
//!   shard that is to be made; for each video file also about half a kilobyte with its name; for each sample that fails
//!   its id and reason, three times at most;
//! * for each device: the pixels and tokens of two batches (one that waits and one that is being started, which on the
//!   CPU is being passed) and of what is loaded or being loaded behind them: two batches more or, where that is more, one
//!   sample for each of its workers, on CUDA at least 12,288 tokens for each; the prompts of the shard that is being
//!   loaded and of the next one, some 5 bytes for each of their own tokens, and for each of their samples up to 1 MiB of
//!   pictures that came with the row (data URIs, columns of parquet), beyond which they are read again, so 128 MiB for
//!   both; the vectors of a shard,
//!   64 · 3 · layers · width · 4 bytes, three times while it is published; 64 MiB while a checkpoint is loaded. A token's
//!   pixels are 0.6 to 2.4 KB (SigLIP's 384² · 3 bytes for 729 tokens, Qwen2-VL's 28² · 3 for one), so a batch of 8192
//!   tokens has at most 20 MB, and one of the 32,768 that a large GPU takes 80 MB;
//! * for each worker: the row in hand, at most [`MAX_ROW_BYTES`](crate::dataset::MAX_ROW_BYTES), and its parsed form;
//!   some 200 times its text while that is tokenised, which is refused beyond 32 bytes for each token allowed; one
//!   picture or frame, decoded, with its file.
//!
//! Only the first two hang on how much data there is. Two million rows of which 64 are chosen take 32 MB.

mod batch;
mod content;
mod devices;
mod faults;
mod feed;
mod feeder;
mod forward;
mod gathered;
mod limit;
mod measured;
mod options;
mod pipeline;
mod plan;
mod prepare;
mod progress;
mod queue;
mod settings;
mod source;
pub mod survey;
mod usage;
mod work;

use crate::checkpoint::CheckpointError;
use crate::dataset::DatasetError;
use crate::prompt::PromptError;
use crate::store::StoreError;
use crate::vlm::VlmError;

pub use content::is_lasting;
pub use devices::{Job, Placed, run};
pub use faults::{TooManyLost, check_faults, warn_of_faults};
pub use limit::{FailureLimit, Lost, TooManyFailures, too_many};
pub use measured::Measured;
pub use options::Options;
pub use plan::{DatasetPlan, plan};
pub use prepare::Preparer;
pub use progress::{Progress, Tally};
pub use queue::Queue;
pub use settings::settings;
pub use usage::Usage;
pub use work::{DatasetWork, ShardWork, order};

/// Why an extraction stopped.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    /// The checkpoint cannot be used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint's tokenizer or template cannot be used.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// A dataset cannot be opened.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The model failed on a device.
    #[error("{device}: {error}")]
    Forward {
        /// What people call the device.
        device: String,
        /// Why.
        error: Box<VlmError>,
    },
    /// Shards cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Too many of a dataset's samples are unusable.
    #[error(transparent)]
    TooManyFailures(Box<TooManyFailures>),
    /// Too many of a dataset's rows are lost with files that cannot be used.
    #[error(transparent)]
    TooManyLost(Box<TooManyLost>),
    /// Something is wrong with this machine, so that samples fail which are sound.
    #[error("{0}. No shard was made of the samples that this concerns")]
    Machine(String),
    /// A worker thread ended before its work.
    #[error("preparing samples failed: {0}")]
    Worker(String),
}

/// How an extraction ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every shard exists.
    Complete,
    /// Stopped on request; what is published stays.
    Interrupted,
}
