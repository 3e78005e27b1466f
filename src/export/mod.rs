//! Mixtures as trainers read them: one file per trainer.
//!
//! A [`Plan`] says of every dataset where it lies, which share of the training samples it is to give and, for a budget,
//! exactly how many. A [`Trainer`] writes it down in its own words, into a folder, and says how those files are used. A
//! further trainer is one file that implements [`Trainer`] and one line in [`TRAINERS`].

mod error;
mod folder;
mod plan;

pub use error::ExportError;
pub use folder::Folder;
pub use plan::{Plan, PlannedDataset, PlannedDomain};

/// A trainer's way to say a mixture.
pub trait Trainer: Sync {
    /// Writes the files, and returns how to use them: lines for a person, the commands among them indented.
    ///
    /// # Errors
    /// When the trainer cannot say this plan at all, or a file cannot be written.
    fn write(&self, plan: &Plan, folder: &mut Folder) -> Result<String, ExportError>;
}

/// A trainer and what it is called.
pub struct TrainerEntry {
    /// The name on the command line.
    pub name: &'static str,
    /// What it writes, in a line.
    pub summary: &'static str,
    /// How it is written.
    pub trainer: &'static dyn Trainer,
}

/// Every trainer, one line each.
pub const TRAINERS: &[TrainerEntry] = &[];
