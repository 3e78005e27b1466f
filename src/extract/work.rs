//! What there is to do: the datasets, the order of their samples, and the shards they fall into.

use std::sync::Arc;

use crate::config;
use crate::dataset::{self, Dataset, DatasetError};
use crate::store::{Failure, SHARD_ROWS, Settings, ShardKey};

/// A dataset that was opened, with the samples it is to give.
#[derive(Clone)]
pub struct DatasetWork {
    /// Its name.
    pub name: String,
    /// Its rows.
    pub dataset: Arc<dyn Dataset>,
    /// What its shards are made from.
    pub key: Arc<ShardKey>,
    /// Indices of the samples in the order in which they are taken.
    pub order: Arc<[u64]>,
}

/// One shard to be made.
#[derive(Clone)]
pub struct ShardWork {
    /// The dataset that it is of.
    pub dataset: DatasetWork,
    /// Its index.
    pub index: u32,
}

/// What a shard is, apart from its vectors.
#[derive(Debug)]
pub(super) struct Header {
    pub key: ShardKey,
    pub dataset: String,
    pub index: u32,
    pub failures: Vec<Failure>,
}

/// The samples that a dataset is to give, as indices into it, in the order in which they are taken.
pub fn order(dataset: &dyn Dataset, extract: &config::Extract) -> Vec<u64> {
    let samples = extract
        .samples_per_dataset
        .next_multiple_of(SHARD_ROWS as u64);
    dataset::order(dataset.len(), extract.seed, samples)
}

impl DatasetWork {
    /// Opens a dataset and orders its samples; `progress` hears bytes read and to be read.
    ///
    /// # Errors
    /// When the dataset cannot be opened.
    pub fn open(
        spec: &config::Dataset,
        extract: &config::Extract,
        checkpoint: &str,
        settings: &Settings,
        progress: dataset::Progress<'_>,
    ) -> Result<Self, DatasetError> {
        let dataset = dataset::open_with(&spec.spec(), progress)?;
        let key = Arc::new(ShardKey {
            checkpoint: checkpoint.to_owned(),
            settings: settings.clone(),
            dataset: dataset.fingerprint().to_owned(),
        });
        Ok(Self {
            name: spec.name.clone(),
            order: order(dataset.as_ref(), extract).into(),
            dataset: dataset.into(),
            key,
        })
    }

    /// How many shards the samples fall into.
    pub fn shards(&self) -> u32 {
        self.order.len().div_ceil(SHARD_ROWS) as u32
    }

    /// All of its shards.
    pub fn all_shards(&self) -> impl Iterator<Item = ShardWork> {
        (0..self.shards()).map(|index| ShardWork {
            dataset: self.clone(),
            index,
        })
    }

    /// The samples of one shard, as indices into the dataset.
    pub fn samples(&self, shard: u32) -> &[u64] {
        let start = shard as usize * SHARD_ROWS;
        &self.order[start..self.order.len().min(start + SHARD_ROWS)]
    }
}

impl ShardWork {
    /// Its samples, as indices into the dataset.
    pub fn samples(&self) -> &[u64] {
        self.dataset.samples(self.index)
    }
}
