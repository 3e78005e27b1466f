//! Mixtures as trainers read them: one file per trainer.
//!
//! A [`Plan`] says of every dataset where it lies, which share of the training samples it is to give and, for a budget,
//! exactly how many. A [`Trainer`] writes it down in its own words, into a folder, and says how those files are used. A
//! further trainer is one file that implements [`Trainer`] and one line in [`TRAINERS`].

mod energon;
mod error;
mod folder;
mod hf_datasets;
mod jsonl;
mod lay_out;
mod mosaic;
mod plan;
pub mod quote;
pub mod rows;
mod script;
mod webdataset;

pub use error::ExportError;
pub use folder::{Folder, Progress};
pub use lay_out::{Request, Source};
pub use plan::{Plan, PlannedDataset, PlannedDomain, Unit};

/// A trainer's way to say a mixture.
pub trait Trainer: Sync {
    /// What it asks of the datasets' files; by default nothing, as for a trainer's file that is made of their rows.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// Whether it can draw by tokens, or by packed sequences, and so take a plan of [`Unit::Tokens`].
    fn draws_tokens(&self) -> bool {
        false
    }

    /// Writes the files, and returns how to use them: lines for a person, the commands among them indented.
    ///
    /// # Errors
    /// When the trainer cannot say this plan at all, or a file cannot be written.
    fn write(&self, plan: &Plan, folder: &mut Folder) -> Result<String, ExportError>;
}

/// What a trainer that reads the datasets' files itself asks of them. A dataset that does not fit is given to it as a
/// file of just its rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// It reads every row of a file, so a filter cannot be left to it.
    pub whole_files: bool,
    /// It takes one folder of media for all datasets.
    pub one_media_root: bool,
    /// How it wants the rows laid out.
    pub form: Form,
}

/// How a file of JSON rows is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// One array, or a row per line: it finds out itself.
    #[default]
    Any,
    /// `.json` with one array, or `.jsonl` with a row per line: it goes by the name.
    AsNamed,
    /// `.jsonl` with a row per line.
    Lines,
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
pub const TRAINERS: &[TrainerEntry] = &[
    hf_datasets::ENTRY,
    webdataset::ENTRY,
    mosaic::ENTRY,
    energon::ENTRY,
    jsonl::ENTRY,
];
