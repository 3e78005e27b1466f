//! Counting the samples that cannot be used, and stopping when a dataset loses too many.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{DatasetWork, ExtractError};
use crate::store::{Failure, Failures, Published, Shard, StoreError};

/// A dataset lost more samples than it may.
#[derive(Debug, thiserror::Error)]
#[error(
    "dataset \"{dataset}\": {failed} of {samples} samples failed, more than \
     extract.max_failure_rate = {limit} allows; the first: row {row} ({id}): {reason}. All are \
     listed in {list}. Mend the data and run again with --retry-failed, or raise the limit"
)]
pub struct TooManyFailures {
    /// The dataset's name.
    pub dataset: String,
    /// How many failed so far.
    pub failed: usize,
    /// How many the dataset was to give.
    pub samples: usize,
    /// The limit in force.
    pub limit: f64,
    /// The first failure's row.
    pub row: u64,
    /// The first failure's id.
    pub id: String,
    /// The first failure's reason.
    pub reason: String,
    /// Where all failures are listed.
    pub list: String,
}

/// The failures of a run, and how many a dataset may have.
pub struct FailureLimit {
    rate: f64,
    list: PathBuf,
    samples: BTreeMap<String, usize>,
    failures: Failures,
}

impl FailureLimit {
    /// No failures yet; at most `rate` of each dataset's samples may fail. `list` is where they are written.
    pub fn new<'a>(
        datasets: impl Iterator<Item = &'a DatasetWork>,
        rate: f64,
        list: &Path,
    ) -> Self {
        Self {
            rate,
            list: list.to_owned(),
            samples: datasets
                .map(|dataset| (dataset.name.clone(), dataset.order.len()))
                .collect(),
            failures: Failures::default(),
        }
    }

    /// Adds failures of a dataset; one that was added before counts once.
    ///
    /// # Errors
    /// When the dataset now has more than it may. The failures are listed all the same.
    pub fn add(&mut self, dataset: &str, failures: &[Failure]) -> Result<(), ExtractError> {
        self.failures.add(dataset, failures);
        let samples = self.samples.get(dataset).copied().unwrap_or(0);
        let mut of_dataset = self
            .failures
            .records()
            .filter(|record| record.dataset == dataset)
            .peekable();
        let Some(first) = of_dataset.peek().copied() else {
            return Ok(());
        };
        let failed = of_dataset.count();
        if failed as f64 <= self.rate * samples as f64 {
            return Ok(());
        }
        Err(ExtractError::TooManyFailures(Box::new(TooManyFailures {
            dataset: dataset.to_owned(),
            failed,
            samples,
            limit: self.rate,
            row: first.row,
            id: first.id.clone(),
            reason: first.reason.clone(),
            list: self.list.display().to_string(),
        })))
    }

    /// Adds the failures of a shard, as [`Self::add`].
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn add_shard(&mut self, shard: &Shard) -> Result<(), ExtractError> {
        self.add(&shard.dataset, &shard.failures)
    }

    /// Failures of all datasets.
    pub fn total(&self) -> u64 {
        self.failures.records().len() as u64
    }

    /// Writes the list.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self) -> Result<Published, ExtractError> {
        Ok(self
            .failures
            .publish(&self.list)
            .map_err(StoreError::from)?)
    }
}
