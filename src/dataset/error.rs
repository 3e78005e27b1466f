//! What can be wrong with a dataset as a whole, and what with one row of it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use super::labels::LabelsProblem;
use super::parquet::error::ParquetProblem;
use crate::blob::is_no_file;
use crate::blob::{shown, url_of};

/// How much of a file's text a message quotes, in characters: data URIs are megabytes long.
const EXCERPT_CHARS: usize = 200;

/// The start of a text, for a message.
pub(super) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT_CHARS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// A dataset that cannot be opened.
#[derive(Debug, Error)]
#[error("dataset `{name}` ({}): {problem}", place(path))]
pub struct DatasetError {
    /// The dataset's name in the config.
    pub name: String,
    /// Its annotation file.
    pub path: PathBuf,
    /// What is wrong.
    pub problem: DatasetProblem,
}

/// Why a dataset cannot be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DatasetProblem {
    /// The file cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Nothing has that name.
    #[error("there is no such file; `path` starts from the config's folder")]
    NoFile,
    /// A pipe or a device.
    #[error("not a regular file; name the annotation file itself")]
    NotAFile,
    /// A pattern that is none.
    #[error("`path` names no file and is no pattern either: {reason}")]
    BadPath {
        /// What is wrong with it.
        reason: String,
    },
    /// A pattern that no file has the name of.
    #[error("no file matches `path`; the first that was looked for is `{first}`")]
    NothingMatches {
        /// A name, or a pattern without braces.
        first: String,
    },
    /// A folder of other files.
    #[error(
        "no data file in this folder or the folders in it; looked for were names that end in {endings}, also with .gz"
    )]
    NoDataFiles {
        /// What was looked for.
        endings: String,
    },
    /// Files of several formats.
    #[error(
        "files of {} formats: {}; name those of one by a pattern, as `path = \"folder/*.json\"`, or keep a `[[domain.dataset]]` for each",
        formats.len(),
        formats.join(", ")
    )]
    MixedFormats {
        /// Each with how many files are of it, and the first of them.
        formats: Vec<String>,
    },
    /// Packed bytes that are damaged, so that what was unpacked cannot be used.
    #[error("{reason}. Of what could be unpacked: {problem}")]
    Gzip {
        /// What is wrong with the packed bytes.
        reason: String,
        /// What is wrong with what was unpacked.
        problem: Box<DatasetProblem>,
    },
    /// A gzip bomb.
    #[error(
        "unpacked it is larger than {limit} bytes, {growth} times the packed file: no rows grow so; unpack it yourself if they do"
    )]
    GzipGrows {
        /// The most that is unpacked.
        limit: u64,
        /// How many times the packed size that is.
        growth: u64,
    },
    /// No room for an unpacked copy.
    #[error(
        "unpacking it fills {}, where temporary files lie, after {bytes} bytes; set TMPDIR to a folder with more room, or \
         unpack the file yourself",
        folder.display()
    )]
    TemporaryFull {
        /// The folder for temporary files.
        folder: PathBuf,
        /// How much was written.
        bytes: u64,
    },
    /// No row at all.
    #[error("the file is empty or holds no rows; has it been written to its end?")]
    Empty,
    /// No format takes the file for its own.
    #[error("not a dataset that can be read: it {looks_like}. Known formats: {known}")]
    Unrecognised {
        /// What the first bytes tell.
        looks_like: String,
        /// The names of the formats.
        known: String,
    },
    /// Rows cannot be told apart from here on, so none can be relied upon.
    #[error(
        "the file breaks off or is damaged at byte {offset}, in row {row} (from 0): \
         expected {expected}, found {found}; copy or write the file again"
    )]
    Broken {
        /// How many whole rows come before.
        row: u64,
        /// Where in the file.
        offset: u64,
        /// What would have been right.
        expected: String,
        /// What is there.
        found: String,
    },
    /// An archive ends too early or is damaged; none of it can be used.
    #[error(
        "the archive breaks off or is damaged at byte {offset}: expected {expected}, found {found}; copy or write it again"
    )]
    BrokenArchive {
        /// Where in the file.
        offset: u64,
        /// What would have been right.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// An archive of other things.
    #[error(
        "an archive of {members} files, none of which is a JSON, a caption, a picture or a video; the first is `{first}`"
    )]
    NoSamples {
        /// How many files it holds.
        members: u64,
        /// The name of the first.
        first: String,
    },
    /// More rows than a row number has room for.
    #[error("more than {max} rows; split the file")]
    TooManyRows {
        /// The most that one file may have.
        max: u64,
    },
    /// A regular expression that is none.
    #[error("`{key}` is no regular expression: {reason}")]
    BadPattern {
        /// The key in the config.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The media root is missing or no folder.
    #[error("`media_root` {} is not a folder that can be read: {reason}", path.display())]
    MediaRoot {
        /// As configured.
        path: PathBuf,
        /// The system's reason.
        reason: String,
    },
    /// A parquet file that cannot be read.
    #[error(transparent)]
    Parquet(#[from] ParquetProblem),
    /// Labels that do not fit.
    #[error(transparent)]
    Labels(Box<LabelsProblem>),
    /// The filter keeps no row.
    #[error(
        "the filter keeps none of its {rows} rows; `{key}` most often is {}",
        counted(seen)
    )]
    NothingKept {
        /// How many rows were looked at.
        rows: u64,
        /// What was looked for in them.
        key: &'static str,
        /// The values that rows do have, the most frequent first, with how many rows have them.
        seen: Vec<(String, u64)>,
    },
}

/// A signature in a URL is not for messages.
fn place(path: &Path) -> String {
    url_of(path).map_or_else(|| path.display().to_string(), shown)
}

impl DatasetProblem {
    /// Whether another try, or another machine, may find the file in order.
    pub(super) fn is_of_machine(&self) -> bool {
        use io::ErrorKind as Kind;
        match self {
            Self::TemporaryFull { .. } => true,
            Self::Gzip { problem, .. } => problem.is_of_machine(),
            Self::Io(error) => {
                let of_the_file = [
                    Kind::NotFound,
                    Kind::NotADirectory,
                    Kind::InvalidData,
                    Kind::UnexpectedEof,
                ];
                !is_no_file(error) && !of_the_file.contains(&error.kind())
            }
            _ => false,
        }
    }
}

fn counted(seen: &[(String, u64)]) -> String {
    let one = |(value, rows): &(String, u64)| format!("{value} ({rows} rows)");
    seen.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// A row that cannot be used. Its message names nothing of this machine, so it is the same wherever it is made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("row {row}: {}", self.reason())]
pub struct SampleError {
    /// The row in the dataset, from 0.
    pub row: u64,
    /// The row's id as far as it could be read; its number otherwise.
    pub id: String,
    /// The file that the row is in, of a dataset of several.
    pub place: Option<Place>,
    /// What is wrong with it.
    pub problem: SampleProblem,
}

/// A row of one of several files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, by its name in the dataset's folder.
    pub file: Arc<str>,
    /// The row in it, from 0.
    pub row: u64,
}

impl SampleError {
    /// An error of a row whose file the caller knows.
    pub(super) fn new(row: u64, id: String, problem: SampleProblem) -> Self {
        Self {
            row,
            id,
            place: None,
            problem,
        }
    }

    /// What is wrong, and in which file if there are several.
    pub fn reason(&self) -> String {
        match &self.place {
            None => self.problem.to_string(),
            Some(Place { file, row }) => format!("{file}, row {row} of it: {}", self.problem),
        }
    }
}

/// Why a row cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SampleProblem {
    /// There is no such row: a mistake of the caller's.
    #[error("there are only {len} rows")]
    OutOfRange {
        /// How many there are.
        len: u64,
    },
    /// The annotation file could not be read any more.
    #[error("the annotation file cannot be read here ({0}); has it changed since it was opened?")]
    Io(io::ErrorKind),
    /// Longer than [`MAX_ROW_BYTES`](super::MAX_ROW_BYTES).
    #[error("{bytes} bytes long, more than the {limit} that a row may have")]
    TooLong {
        /// The row's length.
        bytes: u64,
        /// The most that is read.
        limit: u64,
    },
    /// More than [`MAX_ROW_VALUES`](super::MAX_ROW_VALUES).
    #[error("more than the {limit} values (strings, numbers, lists, objects) that a row may have")]
    TooManyValues {
        /// The most that a row may have.
        limit: usize,
    },
    /// Not JSON, or not UTF-8.
    #[error("not valid JSON: {0} of the row")]
    Json(String),
    /// The part of the file that holds the row does not decode.
    #[error("the part of the file that holds it is damaged: {0}")]
    Damaged(String),
    /// Text that is none.
    #[error("`{key}` is not UTF-8 after its first {after} bytes")]
    NotUtf8 {
        /// The key, the column or the member.
        key: String,
        /// How much of the text is right.
        after: usize,
    },
    /// A key that a row must have is absent.
    #[error("`{key}` is missing")]
    Missing {
        /// The key.
        key: String,
    },
    /// A value of the wrong type.
    #[error("`{key}` is {found}, expected {expected}")]
    WrongType {
        /// The key, empty for the row itself.
        key: String,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// Two keys for the same media, with different content.
    #[error("both `{first}` and `{second}` are given and they differ; keep one")]
    TwoKeys {
        /// The key that was read.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// No turn.
    #[error("`{key}` is empty")]
    NoTurns {
        /// Where they should be.
        key: &'static str,
    },
    /// A tool is called, or answers.
    #[error(
        "turn {turn}: a tool's call or answer; how it reads hangs on the trainer's agent template, so it is not read"
    )]
    ToolTurn {
        /// The turn, from 0.
        turn: usize,
    },
    /// A part of a turn's content that is neither text nor picture nor video.
    #[error(
        "turn {turn}: unknown part {part:?}; known are text, image, image_url, video, video_url"
    )]
    UnknownPart {
        /// The turn, from 0.
        turn: usize,
        /// Its type as written.
        part: String,
    },
    /// Sound, which nothing here can hear.
    #[error("`{key}` is given; samples with sound are not read")]
    Sound {
        /// The key.
        key: &'static str,
    },
    /// A speaker of unknown role.
    #[error(
        "turn {turn}: unknown role {role:?}; known are human, user, gpt, assistant, model, system"
    )]
    UnknownRole {
        /// The turn, from 0.
        turn: usize,
        /// The role as written.
        role: String,
    },
    /// Placeholders and media do not go together.
    #[error(
        "{images} images and {videos} videos, but {image_placeholders} `<image>` and \
         {video_placeholders} `<video>` in the text"
    )]
    Placeholders {
        /// How many pictures the row names.
        images: usize,
        /// How many videos the row names.
        videos: usize,
        /// How many `<image>` the turns hold.
        image_placeholders: usize,
        /// How many `<video>` the turns hold.
        video_placeholders: usize,
    },
    /// A placeholder outside the user's turns.
    #[error("turn {turn}: {count} placeholders in a turn of the {role}; only the user shows media")]
    PlaceholderRole {
        /// The turn, from 0.
        turn: usize,
        /// Whose it is.
        role: &'static str,
        /// How many there are.
        count: usize,
    },
    /// Members of an archive without one that says anything of them.
    #[error(
        "neither a JSON nor a caption of that key; are the archive's files in the order of their names?"
    )]
    NoText,
    /// A caption of nothing.
    #[error("a caption, but no picture or video of that key")]
    CaptionAlone,
    /// Two members of an archive with one name.
    #[error("the archive holds `{0}` twice")]
    MemberTwice(String),
    /// A key of an archive that goes on for too long.
    #[error(
        "{members} pictures, videos and texts of one key, more than the {limit} that a sample may have; give each sample \
         a key of its own"
    )]
    TooManyMembers {
        /// How many there are.
        members: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A member of an archive that has no bytes of its own.
    #[error("`{0}` is a link or a sparse file; write the archive with the files themselves")]
    MemberElsewhere(String),
    /// Media without placeholders, and no turn to put them into.
    #[error("{media} media, but no turn of the user to show them in")]
    NoUserTurn {
        /// How many media the row names.
        media: usize,
    },
    /// A URL that is not below the media root.
    #[error(
        "`{0}` is a URL; download it and name the file, or set `media_root` to the URL that it is below"
    )]
    MediaUrl(String),
    /// A data URI that is none.
    #[error("`{head}` is no data URI that can be read: {reason}")]
    DataUri {
        /// What comes before its data.
        head: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Bytes that are not written as such.
    #[error("`{key}` should be bytes in base64: {reason}")]
    Base64 {
        /// The key.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A text too long for a path.
    #[error("`{start}` is a path of {bytes} bytes, longer than any; nor is it a picture: {reason}")]
    MediaTooLong {
        /// Its start.
        start: String,
        /// Its length.
        bytes: usize,
        /// Why it is no base64.
        reason: String,
    },
    /// A path with `..` in it.
    #[error("`{0}` refused: a media path may not contain `..`")]
    MediaParent(String),
    /// An absolute path to somewhere else.
    #[error("`{0}` refused: an absolute path outside `media_root`")]
    MediaAbsolute(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_quote_a_start_only() {
        let exact = "é".repeat(EXCERPT_CHARS);
        assert_eq!(excerpt(&exact), exact);
        assert_eq!(excerpt(&format!("{exact}ab")), format!("{exact}…"));
    }
}
