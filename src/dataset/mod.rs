//! Training datasets as their users have them: every format yields [`Sample`]s by row number.
//!
//! Nothing here knows of pixels or tokens. A row that cannot be used is a [`SampleError`] that a caller counts; only
//! what makes a whole file unreliable is a [`DatasetError`].
//!
//! A dataset is one file or many of one format. Two things are told apart: the *container*, which says where rows lie and
//! hands out one at a time (`json_rows`, a format's own file), and the *dialect* of a row, which says what its keys mean
//! (`row`). A further container is one file that implements `format::Rows` and one line in `formats::FORMATS`; a further
//! dialect is one file in `row`.

mod braces;
mod data_uri;
mod error;
mod fault;
mod files;
mod filter;
mod format;
mod formats;
mod gzip;
mod irregularity;
mod joined;
mod json_rows;
mod labelled;
pub(crate) mod labels;
mod listing;
mod llava;
mod media_root;
mod messages;
mod named;
mod natural;
mod order;
mod parquet;
mod peek;
mod remote_files;
mod row;
mod sampling;
mod scan;
mod sniff;
mod webdataset;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use error::{DatasetError, DatasetProblem, Place, SampleError, SampleProblem};
pub use fault::Fault;
pub use filter::Filter;
pub use formats::{format_names, is_format};
pub use gzip::remove_copies;
pub use irregularity::Irregularity;
pub use json_rows::{MAX_ROW_BYTES, MAX_ROW_VALUES};
pub use labelled::{Shared, share};
pub use labels::{CellRows, Labels, LabelsProblem};
pub use order::order;
pub use parquet::ParquetProblem;
pub use peek::{NotADataset, Peek, Shape, peek};
pub use sampling::SamplingStrategy;

use crate::blob::Blob;

/// Marks in a user turn's text where a picture stands.
pub const IMAGE_PLACEHOLDER: &str = "<image>";
/// Marks in a user turn's text where a video stands.
pub const VIDEO_PLACEHOLDER: &str = "<video>";

/// One training sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The row in the dataset, from 0, whatever the filter left out. Of several files each goes on where the one before
    /// ends.
    pub row: u64,
    /// The id as the file has it; the row where it has none.
    pub id: String,
    /// The conversation in the file's order. Roles need not alternate, nor the first turn be the user's.
    pub turns: Vec<Turn>,
    /// One for every placeholder in the turns, in the order of the placeholders.
    pub media: Vec<Media>,
    /// Its `data_source`, where the row has one: the collection that it was taken from.
    pub data_source: Option<String>,
    /// What is odd about the row, and was taken for what it plainly means.
    pub irregularities: Vec<Irregularity>,
}

/// What one side says. [`IMAGE_PLACEHOLDER`] and [`VIDEO_PLACEHOLDER`] stand in turns of the user only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// The text with its placeholders.
    pub text: String,
}

/// Who speaks in a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The system prompt.
    System,
    /// The person who asks.
    User,
    /// The model that answers.
    Assistant,
}

impl Role {
    /// The name that chat templates use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// A picture or a video of a sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// Which of the two.
    pub kind: MediaKind,
    /// The path or URL as the row writes it, the same on every machine; of bytes in the row what they are, in short.
    pub name: String,
    /// Its bytes: below the media root, or inside the dataset. Whether they exist is found when they are decoded.
    pub blob: Blob,
}

/// The kinds of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A video: a file, or a folder of frames.
    Video,
}

impl MediaKind {
    /// What stands for it in the text.
    pub fn placeholder(self) -> &'static str {
        match self {
            Self::Image => IMAGE_PLACEHOLDER,
            Self::Video => VIDEO_PLACEHOLDER,
        }
    }
}

/// Rows that can be read in any order and from any thread.
pub trait Dataset: Send + Sync {
    /// How many rows the filter and the sampling strategy keep; [`open`] refuses a dataset without any.
    fn len(&self) -> u64;

    /// Whether no row is kept.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads the row at `index` of the kept rows.
    ///
    /// # Errors
    /// Whatever makes this one row unusable. The message names nothing of this machine, so it may go into a shard.
    fn read(&self, index: u64) -> Result<Sample, SampleError>;

    /// BLAKE3 in hexadecimal of the content, the filter and the sampling strategy; the same wherever and whenever the
    /// files lie.
    fn fingerprint(&self) -> &str;

    /// What the format is called in messages.
    fn format(&self) -> &str;

    /// How many files its rows come from.
    fn files(&self) -> usize;

    /// Files, and ends of files, that cannot be used; the rows that are there do not come from them.
    fn faults(&self) -> &[Fault];
}

/// Where a dataset lies and which of its rows count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetSpec {
    /// What messages call it.
    pub name: String,
    /// The annotation file, a folder or a pattern of such; or a URL.
    pub path: PathBuf,
    /// The folder or URL that media paths start from and may not leave; by default the annotation file's.
    pub media_root: Option<PathBuf>,
    /// The format by its name in [`format_names`]; told from the content if not said.
    pub format: Option<String>,
    /// Which rows to keep; by default all.
    pub filter: Option<Filter>,
    /// Which part of these; by default all.
    pub sampling_strategy: Option<SamplingStrategy>,
    /// Which of these, by their labels; by default all.
    pub labels: Option<Labels>,
}

impl DatasetSpec {
    /// The folder that media paths start from: `media_root`, or that of the files.
    pub fn media_folder(&self) -> PathBuf {
        self.media_root
            .clone()
            .unwrap_or_else(|| files::folder(&self.path))
    }

    /// Whether less is asked for than all rows of its files.
    pub fn is_part(&self) -> bool {
        let filters = |filter: &Filter| !filter.is_empty();
        self.filter.as_ref().is_some_and(filters)
            || self
                .sampling_strategy
                .is_some_and(|strategy| strategy != SamplingStrategy::All)
            || self.labels.is_some()
    }
}

/// Hears, now and then while a dataset opens, how many bytes are read and how many there are.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Sync);

/// Opens a dataset, of whichever format its content is.
///
/// # Errors
/// Files that are missing, empty, of no known format or broken as a whole, or a filter that keeps nothing. One broken
/// file among several is no error but a [`Fault`].
pub fn open(spec: &DatasetSpec) -> Result<Box<dyn Dataset>, DatasetError> {
    open_with(spec, &|_, _| {})
}

/// As [`open`], telling how far it is: a file of many gigabytes takes a while.
///
/// # Errors
/// As [`open`].
pub fn open_with(
    spec: &DatasetSpec,
    progress: Progress<'_>,
) -> Result<Box<dyn Dataset>, DatasetError> {
    let opened = match &spec.labels {
        None => joined::open(spec, progress)
            .map(|files| sampling::sampled(files, spec.sampling_strategy)),
        Some(labels) => labelled::open(spec, labels, progress),
    };
    opened.map_err(|problem| DatasetError {
        name: spec.name.clone(),
        path: spec.path.clone(),
        problem,
    })
}
