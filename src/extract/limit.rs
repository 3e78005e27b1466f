//! Counting the samples that cannot be used, and stopping when a dataset loses too many.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::ExtractError;
use crate::printable::printable;
use crate::store::{Failure, FailureRecord, Failures, StoreError};

/// A dataset lost more samples than it may.
#[derive(Debug, thiserror::Error)]
#[error(
    "dataset \"{dataset}\": {failed} of {samples} samples failed, more than \
     extract.max_failure_rate = {limit} allows; the first: row {row} ({}): {}.{}{} Mend \
     the data and run again with --retry-failed, or raise the limit",
    printable(id), printable(reason), also(others), listed(list.as_deref())
)]
pub struct TooManyFailures {
    /// The dataset's name.
    pub dataset: String,
    /// How many failed so far.
    pub failed: usize,
    /// How many the dataset was to give.
    pub samples: u64,
    /// The limit in force.
    pub limit: f64,
    /// The first failure's row.
    pub row: u64,
    /// The first failure's id.
    pub id: String,
    /// The first failure's reason.
    pub reason: String,
    /// The other datasets that have too many.
    pub others: Vec<String>,
    /// Where all failures are listed, if they are.
    pub list: Option<PathBuf>,
}

fn also(others: &[String]) -> String {
    match others {
        [] => String::new(),
        others => format!(" Too many failed also of \"{}\".", others.join("\", \"")),
    }
}

fn listed(list: Option<&Path>) -> String {
    list.map_or_else(String::new, |list| {
        format!(" All are listed in {}.", list.display())
    })
}

/// What a dataset lost: at least one sample.
#[derive(Clone, Copy, Debug)]
pub struct Lost<'a> {
    /// The dataset's name.
    pub dataset: &'a str,
    /// How many samples failed.
    pub failed: usize,
    /// How many there were to be.
    pub samples: u64,
    /// The first failure's row, id and reason.
    pub first: (u64, &'a str, &'a str),
}

/// Holds datasets against the share of their samples that may fail; the error is of the first and names the others.
/// `list` is where all failures are written, if anywhere.
///
/// # Errors
/// When one of them has lost more.
pub fn too_many<'a>(
    lost: impl IntoIterator<Item = Lost<'a>>,
    rate: f64,
    list: Option<&Path>,
) -> Result<(), ExtractError> {
    let exceeds = |lost: &Lost<'_>| lost.failed as f64 > rate * lost.samples as f64;
    let mut exceeding = lost.into_iter().filter(exceeds);
    let Some(first) = exceeding.next() else {
        return Ok(());
    };
    let (row, id, reason) = first.first;
    Err(ExtractError::TooManyFailures(Box::new(TooManyFailures {
        dataset: first.dataset.to_owned(),
        failed: first.failed,
        samples: first.samples,
        limit: rate,
        row,
        id: id.to_owned(),
        reason: reason.to_owned(),
        others: exceeding.map(|lost| lost.dataset.to_owned()).collect(),
        list: list.map(Path::to_owned),
    })))
}

/// The failures of a run, and how many a dataset may have.
pub struct FailureLimit {
    rate: f64,
    list: Option<PathBuf>,
    samples: BTreeMap<String, u64>,
    failures: Failures,
}

impl FailureLimit {
    /// No failures yet; of each dataset, given by name and number of samples, at most `rate` may fail. `list` is
    /// where they are written, if anywhere.
    pub fn new(
        datasets: impl Iterator<Item = (String, u64)>,
        rate: f64,
        list: Option<&Path>,
    ) -> Self {
        Self {
            rate,
            list: list.map(Path::to_owned),
            samples: datasets.collect(),
            failures: Failures::default(),
        }
    }

    /// Adds failures of a dataset; one that was added before counts once.
    pub fn add(&mut self, dataset: &str, failures: &[Failure]) {
        self.failures.add(dataset, failures);
    }

    /// Whether every dataset is within the limit. To be asked once all that is known has been added, so that
    /// the list and the message hold all of it.
    ///
    /// # Errors
    /// When a dataset has more failures than it may.
    pub fn check(&self) -> Result<(), ExtractError> {
        let mut failed: BTreeMap<&str, Vec<&FailureRecord>> = BTreeMap::new();
        for record in self.failures.records() {
            failed.entry(&record.dataset).or_default().push(record);
        }
        let lost = failed.into_iter().map(|(dataset, records)| Lost {
            dataset,
            failed: records.len(),
            samples: self.samples.get(dataset).copied().unwrap_or(0),
            first: (records[0].row, &records[0].id, &records[0].reason),
        });
        too_many(lost, self.rate, self.list.as_deref())
    }

    /// Failures of all datasets.
    pub fn total(&self) -> u64 {
        self.failures.records().len() as u64
    }

    /// Writes the list, where there is a place for it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self) -> Result<(), ExtractError> {
        if let Some(list) = &self.list {
            self.failures.publish(list).map_err(StoreError::from)?;
        }
        Ok(())
    }
}
