//! The samples of a run that could not be read, gathered from its shards into `failures.jsonl`.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Failure, PublishError, Published, publish};

/// One line of `failures.jsonl`. Records sort by dataset, then row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailureRecord {
    /// The dataset's name in the config.
    pub dataset: String,
    /// The sample's row in its dataset.
    pub row: u64,
    /// The sample's id in its dataset.
    pub id: String,
    /// Why it failed, for a person.
    pub reason: String,
}

/// `failures.jsonl` could not be understood.
#[derive(Debug, Error)]
#[error(
    "line {line} of failures.jsonl is not the record of a failure; `madmix extract` writes the file anew"
)]
pub struct FailuresError {
    /// The line, counted from 1.
    pub line: usize,
    /// What the parser says.
    pub source: serde_json::Error,
}

/// Failures in an order that depends on them alone, not on the order in which shards were made or added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    records: BTreeSet<FailureRecord>,
}

impl Failures {
    /// Adds failures of a dataset. Adding one again changes nothing.
    pub fn add(&mut self, dataset: &str, failures: &[Failure]) {
        self.records
            .extend(failures.iter().map(|failure| FailureRecord {
                dataset: dataset.to_owned(),
                row: failure.row,
                id: failure.id.clone(),
                reason: failure.reason.clone(),
            }));
    }

    /// The records by dataset, then row.
    pub fn records(&self) -> impl ExactSizeIterator<Item = &FailureRecord> {
        self.records.iter()
    }

    /// One JSON object per line, in the order of [`Failures::records`]; empty when nothing failed.
    pub fn to_jsonl(&self) -> String {
        let line = |record| {
            serde_json::to_string(record).expect("strings and numbers have a JSON form") + "\n"
        };
        self.records.iter().map(line).collect()
    }

    /// Reads what [`Failures::to_jsonl`] wrote.
    ///
    /// # Errors
    /// Names the first line that is no record.
    pub fn from_jsonl(text: &str) -> Result<Self, FailuresError> {
        let parse = |(i, line)| {
            serde_json::from_str(line).map_err(|source| FailuresError {
                line: i + 1,
                source,
            })
        };
        Ok(Self {
            records: text
                .lines()
                .enumerate()
                .map(parse)
                .collect::<Result<_, _>>()?,
        })
    }

    /// Publishes the records as `path`; an empty file says that nothing failed.
    ///
    /// # Errors
    /// As [`publish()`].
    pub fn publish(&self, path: &Path) -> Result<Published, PublishError> {
        publish(path, self.to_jsonl().as_bytes())
    }
}
