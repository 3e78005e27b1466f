//! What can be wrong with an export.

use std::path::PathBuf;

use thiserror::Error;

use crate::dataset::DatasetError;
use crate::store::PublishError;

/// Why a mixture cannot be written for a trainer.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The trainer has no words for this plan.
    #[error("{trainer} cannot take this mixture: {problem}")]
    Trainer {
        /// The trainer's name.
        trainer: &'static str,
        /// What is in the way, and what to do.
        problem: String,
    },
    /// A path has no place in a trainer's file.
    #[error("cannot write {} into a trainer's file: {problem}", path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// Why, and what to do.
        problem: &'static str,
    },
    /// A dataset has no number of rows to draw.
    #[error(
        "a file of rows needs to know how many rows to draw of dataset `{name}`: give a budget with --budget"
    )]
    NoCount {
        /// The dataset's name.
        name: String,
    },
    /// None of a dataset's rows can be used.
    #[error(
        "dataset `{name}` ({}): none of its {rows} rows can be used; the run's failures.jsonl says what is wrong with \
         those that were tried",
        path.display()
    )]
    NothingReadable {
        /// The dataset's name.
        name: String,
        /// Its annotation file.
        path: PathBuf,
        /// How many rows were tried.
        rows: u64,
    },
    /// More rows than can be shuffled here.
    #[error(
        "{rows} rows are too many to shuffle in this machine's memory, at 8 bytes each; give a smaller --budget"
    )]
    TooManyRows {
        /// How many were asked for.
        rows: u64,
    },
    /// A dataset whose rows are needed cannot be opened.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A file cannot be written.
    #[error(transparent)]
    Publish(#[from] PublishError),
}
