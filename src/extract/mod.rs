//! From datasets to shards: what is missing is prepared ahead on worker threads, passed through the
//! model in batches of a bounded number of tokens, and published shard by shard.
//!
//! A shard is a pure function of the checkpoint, the settings, the dataset and its index: which
//! samples it holds, and how they are packed into batches, depends on nothing else. So a run that was
//! interrupted makes only what is missing, and ends in the same files.

mod batch;
mod content;
mod limit;
mod measured;
mod options;
mod pipeline;
mod plan;
mod prepare;
mod progress;
mod settings;
mod source;
mod work;

use std::sync::atomic::{AtomicBool, Ordering};

use crate::checkpoint::CheckpointError;
use crate::dataset::DatasetError;
use crate::modality::Modality;
use crate::prompt::PromptError;
use crate::store::{Matrix, Pooled, Shard, Store, StoreError};
use crate::vlm::{Layer, Model, PooledBatch, TextScope, VlmError};

pub use content::is_lasting;
pub use limit::{FailureLimit, TooManyFailures};
pub use measured::Measured;
pub use options::Options;
pub use pipeline::Pipeline;
pub use plan::{DatasetPlan, plan};
pub use prepare::Preparer;
pub use progress::{Progress, Tally};
pub use settings::settings;
pub use work::{DatasetWork, SHARD_ROWS, ShardWork};

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
    /// The model failed.
    #[error(transparent)]
    Vlm(#[from] VlmError),
    /// Shards cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Too many of a dataset's samples are unusable.
    #[error(transparent)]
    TooManyFailures(Box<TooManyFailures>),
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

/// What one extraction is to do with the model.
pub struct Pass<'a> {
    /// The model on its device.
    pub model: &'a dyn Model,
    /// Hidden states to average.
    pub layers: &'a [Layer],
    /// What counts as text.
    pub scope: TextScope,
    /// Set from outside to stop after the batch in hand.
    pub stop: &'a AtomicBool,
}

/// Makes the shards of `work` one after the other and publishes each.
///
/// # Errors
/// When the model or the store fails, or a dataset loses more samples than `failure_limit` allows.
pub fn run(
    pass: &Pass<'_>,
    pipeline: &mut Pipeline,
    store: &Store,
    progress: &dyn Progress,
    mut published: impl FnMut(&Shard) -> Result<(), ExtractError>,
) -> Result<Outcome, ExtractError> {
    while let Some(mut shard) = pipeline.next_shard()? {
        let mut gathered = Gathered::new(pass.layers);
        while let Some(batch) = shard.next_batch()? {
            if pass.stop.load(Ordering::Relaxed) {
                return Ok(Outcome::Interrupted);
            }
            if !batch.inputs.is_empty() {
                let pooled = pass.model.forward(&batch.inputs, pass.layers, pass.scope)?;
                gathered.push(&batch.rows, &pooled.merged(&batch.passes));
            }
            progress.advance(&batch.tally());
        }
        let shard = gathered.into_shard(shard.finish());
        if let Some(fault) = pipeline.machine_fault() {
            return Err(ExtractError::Machine(fault.to_owned()));
        }
        store.publish(&shard)?;
        tracing::debug!(
            "made shard {} of {}: {} samples, {} failed",
            shard.index,
            shard.dataset,
            shard.rows.len(),
            shard.failures.len()
        );
        published(&shard)?;
    }
    Ok(Outcome::Complete)
}

/// The vectors of a shard as they come off the device.
struct Gathered<'a> {
    names: &'a [Layer],
    rows: Vec<u64>,
    tokens: [Vec<u32>; 3],
    width: usize,
    /// Per layer and modality, the rows one after the other.
    values: Vec<[Vec<f32>; 3]>,
}

impl<'a> Gathered<'a> {
    fn new(names: &'a [Layer]) -> Self {
        let values = vec![Default::default(); names.len()];
        Self {
            names,
            rows: Vec::new(),
            tokens: Default::default(),
            width: 0,
            values,
        }
    }

    fn push(&mut self, rows: &[u64], batch: &PooledBatch) {
        self.rows.extend(rows);
        self.width = batch.width;
        for sample in 0..rows.len() {
            for modality in Modality::ALL {
                self.tokens[modality as usize].push(batch.tokens[sample][modality as usize]);
                for (layer, values) in self.values.iter_mut().enumerate() {
                    values[modality as usize].extend(batch.vector(layer, sample, modality));
                }
            }
        }
    }

    /// The shard, with its samples in the order in which it took them and only the modalities that occur.
    fn into_shard(mut self, header: work::Header) -> Shard {
        let mut modalities = std::collections::BTreeMap::new();
        for modality in Modality::ALL {
            let tokens = std::mem::take(&mut self.tokens[modality as usize]);
            if tokens.iter().all(|&count| count == 0) {
                continue;
            }
            let mut layers = std::collections::BTreeMap::new();
            for (name, values) in self.names.iter().zip(&mut self.values) {
                let values = std::mem::take(&mut values[modality as usize]);
                let matrix = Matrix::new(self.rows.len(), self.width, values)
                    .expect("a vector of the model's width for every row");
                layers.insert(name.to_string(), matrix);
            }
            modalities.insert(modality, Pooled { tokens, layers });
        }
        Shard {
            key: header.key,
            dataset: header.dataset,
            index: header.index,
            rows: self.rows,
            modalities,
            failures: header.failures,
        }
    }
}
