//! Training datasets as their users have them: every format yields [`Sample`]s by row number.
//!
//! Nothing here knows of pixels or tokens. A row that cannot be used is a [`SampleError`] that a caller counts; only
//! what makes a whole file unreliable is a [`DatasetError`].
//!
//! A further format is one file that implements [`Dataset`] and one line in `FORMATS`. A format that carries its
//! pictures inside itself (parquet, tar) turns [`Media::path`] into an enum of a path and of bytes; nothing else moves.

mod error;
mod filter;
mod json_rows;
mod llava;
mod media_root;
mod order;
mod scan;
mod sniff;

use std::io::Read;
use std::path::{Path, PathBuf};

pub use error::{DatasetError, DatasetProblem, SampleError, SampleProblem};
pub use filter::Filter;
pub use json_rows::{MAX_ROW_BYTES, MAX_ROW_VALUES};
pub use order::order;

/// Marks in a user turn's text where a picture stands.
pub const IMAGE_PLACEHOLDER: &str = "<image>";
/// Marks in a user turn's text where a video stands.
pub const VIDEO_PLACEHOLDER: &str = "<video>";

/// One training sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The row in the file, from 0, whatever the filter left out.
    pub row: u64,
    /// The id as the file has it; the row where it has none.
    pub id: String,
    /// The conversation in the file's order. Roles need not alternate, nor the first turn be the user's.
    pub turns: Vec<Turn>,
    /// One for every placeholder in the turns, in the order of the placeholders.
    pub media: Vec<Media>,
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
    /// The path as the row writes it, the same on every machine.
    pub name: String,
    /// Its place inside the media root. Whether it exists is found when it is decoded.
    pub path: PathBuf,
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
    /// How many rows the filter keeps; [`open`] refuses a dataset without any.
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

    /// BLAKE3 in hexadecimal of the content and the filter; the same wherever and whenever the file lies.
    fn fingerprint(&self) -> &str;
}

/// Where a dataset lies and which of its rows count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DatasetSpec {
    /// What messages call it.
    pub name: String,
    /// The annotation file.
    pub path: PathBuf,
    /// The folder that media paths start from and may not leave; by default the annotation file's.
    pub media_root: Option<PathBuf>,
    /// Which rows to keep; by default all.
    pub filter: Option<Filter>,
}

/// Hears, now and then while a dataset opens, how many bytes are read and how many there are.
pub type Progress<'a> = &'a dyn Fn(u64, u64);

type Opened = Result<Box<dyn Dataset>, DatasetProblem>;

/// How a format is told and opened.
struct Format {
    name: &'static str,
    /// Whether a file that starts so is of this format.
    recognises: fn(&[u8]) -> bool,
    open: fn(&DatasetSpec, Progress<'_>) -> Opened,
}

/// Every format; the first that recognises a file opens it.
const FORMATS: &[Format] = &[llava::FORMAT];

/// How much of a file's start is shown to the formats: enough for tar, whose mark stands at byte 257.
const HEAD_BYTES: u64 = 512;

/// Opens a dataset, of whichever format its content is.
///
/// # Errors
/// A file that is missing, empty, of no known format or broken as a whole, or a filter that keeps nothing.
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
    recognise(&spec.path)
        .and_then(|format| (format.open)(spec, progress))
        .map_err(|problem| DatasetError {
            name: spec.name.clone(),
            path: spec.path.clone(),
            problem,
        })
}

fn recognise(path: &Path) -> Result<&'static Format, DatasetProblem> {
    let metadata = fs_err::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => DatasetProblem::NoFile,
        _ => error.into(),
    })?;
    if !metadata.is_file() {
        return Err(DatasetProblem::NotAFile);
    }
    let mut head = Vec::new();
    fs_err::File::open(path)?
        .take(HEAD_BYTES)
        .read_to_end(&mut head)?;
    if head.is_empty() {
        return Err(DatasetProblem::Empty);
    }
    FORMATS
        .iter()
        .find(|format| (format.recognises)(&head))
        .ok_or_else(|| {
            let known = FORMATS
                .iter()
                .map(|format| format.name)
                .collect::<Vec<_>>()
                .join(", ");
            DatasetProblem::Unrecognised {
                looks_like: sniff::looks_like(&head),
                known,
            }
        })
}
