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
    /// A dataset whose rows are needed cannot be opened.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A file cannot be written.
    #[error(transparent)]
    Publish(#[from] PublishError),
}
