//! Mixtures as trainers read them: one file per trainer.
//!
//! A [`Plan`] says of every dataset where it lies, which share of the training samples it is to give and, for a budget,
//! exactly how many. [`prepare()`] makes one of a mixture, and writes files of rows in the place of those that a trainer
//! cannot read. A [`Trainer`] writes it down in its own words, into a folder, and says how those files are used. A
//! further trainer is one file that implements [`Trainer`] and one line in [`TRAINERS`].

mod amount;
mod energon;
mod error;
mod folder;
mod hf_datasets;
mod internvl;
mod jsonl;
mod lay_out;
mod llama_factory;
mod llava_next;
mod look;
mod mosaic;
mod ms_swift;
mod plan;
mod prepare;
pub mod quote;
mod qwen_vl;
pub mod rows;
mod script;
mod veomni;
mod webdataset;

pub use error::ExportError;
pub use folder::{Folder, Progress};
pub(crate) use lay_out::nearest;
pub use lay_out::{Request, Source};
pub use plan::{Plan, PlannedDataset, PlannedDomain, Unit};
pub use prepare::{Prepared, prepare};
use rows::VideoPlaceholder;

/// A trainer's way to say a mixture.
pub trait Trainer: Sync {
    /// What it asks of the datasets' files; by default nothing, as for a trainer's file that is made of their rows.
    fn needs(&self) -> Needs {
        Needs::NOTHING
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

/// What a trainer that reads the datasets' files itself asks of them. [`prepare()`] gives it a file of just its rows for
/// a dataset that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// It reads every row of a file, so a filter cannot be left to it.
    pub whole_files: bool,
    /// It takes one folder of media for all datasets.
    pub one_media_root: bool,
    /// How it wants the rows laid out.
    pub form: Form,
    /// It gives every column one type, so a picture cannot be a string in one row and a list in another.
    pub columns: bool,
    /// What it wants for a video in the text of rows that are written for it.
    pub video: VideoPlaceholder,
}

impl Needs {
    /// Nothing: it is not given the datasets' own files.
    pub const NOTHING: Self = Self {
        whole_files: false,
        one_media_root: false,
        form: Form::Any,
        columns: false,
        video: VideoPlaceholder::Video,
    };
}

/// How a trainer wants rows laid out that, unless it is said, have LLaVA's keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// One array, or a row per line: it finds out itself.
    #[default]
    Any,
    /// `.json` with one array, or `.jsonl` with a row per line: it goes by the name.
    AsNamed,
    /// `.jsonl` with a row per line.
    Lines,
    /// Its users say for each dataset how the rows are read, so all will do.
    Own,
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
    llava_next::ENTRY,
    llama_factory::ENTRY,
    ms_swift::ENTRY,
    qwen_vl::ENTRY,
    internvl::ENTRY,
    veomni::ENTRY,
    energon::ENTRY,
    hf_datasets::ENTRY,
    mosaic::ENTRY,
    webdataset::ENTRY,
    jsonl::ENTRY,
];

/// The trainer called `name`.
///
/// # Errors
/// When there is none; with the nearest name.
pub fn trainer(name: &str) -> Result<&'static TrainerEntry, ExportError> {
    TRAINERS
        .iter()
        .find(|entry| entry.name == name)
        .ok_or_else(|| ExportError::UnknownTrainer {
            name: name.to_owned(),
            nearest: lay_out::nearest(name, TRAINERS.iter().map(|entry| entry.name)),
        })
}
