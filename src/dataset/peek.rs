//! What a file is, from its start alone: whoever only asks what is there should not have to read gigabytes.

use std::io::{self, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use thiserror::Error;

use super::filter::{Filter, Sieve};
use super::format::HEAD_BYTES;
use super::row::{self, Dialect};
use super::scan::{RowScanner, looks_like_json};
use super::{SampleProblem, sniff};
use crate::reason::reason;

/// How many rows are looked at.
const ROWS: usize = 32;
/// How far rows are looked for: some hold their pictures as text.
const MAX_BYTES: u64 = 16 << 20;
/// How many members of an archive are looked at before it counts as one of media.
const MEMBERS: usize = 64;
/// How many columns a message names.
const COLUMNS: usize = 12;
const CHUNK_BYTES: usize = 1 << 18;
const GZIP: &[u8] = b"\x1f\x8b";
const PARQUET: &[u8] = b"PAR1";

/// How a file holds its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A JSON list or JSON lines.
    Json,
    /// The same, compressed with gzip.
    GzippedJson,
    /// Parquet.
    Parquet,
    /// A tar archive whose samples are groups of members.
    Tar,
    /// The same, compressed with gzip.
    GzippedTar,
}

impl Shape {
    /// What messages call it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::GzippedJson => "gzipped JSON",
            Self::Parquet => "parquet",
            Self::Tar => "WebDataset tar",
            Self::GzippedTar => "gzipped WebDataset tar",
        }
    }
}

/// What the start of a dataset's file tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peek {
    /// How it holds its rows.
    pub shape: Shape,
    /// How many rows it has, where that can be told so quickly.
    pub rows: Option<u64>,
    /// The pictures of the first rows, as written; none of media that the file itself holds.
    pub images: Vec<String>,
    /// Their videos likewise.
    pub videos: Vec<String>,
}

/// Why a file is taken for no dataset.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NotADataset {
    /// It cannot be read.
    #[error("it cannot be read: {}", reason(.0))]
    Io(io::Error),
    /// It has no content.
    #[error("it is empty")]
    Empty,
    /// It is something else.
    #[error("it {0}")]
    Else(String),
    /// None of the first rows is a conversation.
    #[error("its rows are no conversations: {0}")]
    Rows(SampleProblem),
    /// It is JSON whose rows cannot be told apart, or end nowhere near.
    #[error("no row can be read from its start: {0}")]
    NoRow(String),
    /// A parquet file without conversations.
    #[error("it has no column {wanted}; its columns are {columns}")]
    Columns {
        /// The columns that would make it a dataset.
        wanted: String,
        /// Those that it has.
        columns: String,
    },
    /// An archive whose members are not samples.
    #[error(
        "it is an archive without conversations, perhaps of media; if rows name what is in it, unpack it"
    )]
    Archive,
}

/// Looks at the start of a file (of a parquet file at its end).
///
/// # Errors
/// When it is no dataset, or cannot be read.
pub fn peek(path: &Path) -> Result<Peek, NotADataset> {
    let mut head = Vec::new();
    let metadata = fs_err::metadata(path).map_err(NotADataset::Io)?;
    if !metadata.is_file() {
        return Err(NotADataset::Else("is no regular file".into()));
    }
    let file = fs_err::File::open(path).map_err(NotADataset::Io)?;
    file.take(HEAD_BYTES)
        .read_to_end(&mut head)
        .map_err(NotADataset::Io)?;
    if head.is_empty() {
        return Err(NotADataset::Empty);
    }
    let file = fs_err::File::open(path).map_err(NotADataset::Io)?;
    if head.starts_with(PARQUET) {
        return parquet_file(file);
    }
    if is_tar(&head) {
        let mut archive = tar::Archive::new(file);
        let entries = archive.entries_with_seek().map_err(NotADataset::Io)?;
        return members(entries, Shape::Tar);
    }
    if head.starts_with(GZIP) {
        let mut inner = Vec::new();
        MultiGzDecoder::new(head.as_slice())
            .take(HEAD_BYTES)
            .read_to_end(&mut inner)
            .or_else(|error| {
                // The head ends within the packed stream.
                if inner.is_empty() {
                    Err(NotADataset::Io(error))
                } else {
                    Ok(0)
                }
            })?;
        if is_tar(&inner) {
            // What is packed cannot be passed over, only unpacked.
            let start = MultiGzDecoder::new(file).take(MAX_BYTES);
            let mut archive = tar::Archive::new(start);
            return members(
                archive.entries().map_err(NotADataset::Io)?,
                Shape::GzippedTar,
            );
        }
        if !looks_like_json(&inner) {
            return Err(NotADataset::Else(
                "is compressed with gzip and holds no rows of JSON; unpack it".into(),
            ));
        }
        return json(MultiGzDecoder::new(file), Shape::GzippedJson);
    }
    if !looks_like_json(&head) {
        return Err(NotADataset::Else(sniff::looks_like(&head)));
    }
    json(file, Shape::Json)
}

fn json(mut file: impl Read, shape: Shape) -> Result<Peek, NotADataset> {
    let (mut bytes, mut ranges) = (Vec::new(), Vec::new());
    let mut scanner = RowScanner::new();
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut broken = None;
    let mut ended = false;
    while ranges.len() < ROWS && (bytes.len() as u64) < MAX_BYTES {
        let read = match file.read(&mut buffer) {
            Ok(read) => read,
            Err(error) if bytes.is_empty() => return Err(NotADataset::Io(error)),
            Err(error) => {
                broken = Some(error.to_string());
                break;
            }
        };
        if read == 0 {
            ended = true;
            break;
        }
        bytes.extend_from_slice(&buffer[..read]);
        if let Err(problem) = scanner.feed(&buffer[..read], &mut ranges) {
            broken = Some(super::DatasetProblem::from(problem).to_string());
            break;
        }
    }
    if ended && let Err(problem) = scanner.finish(&mut ranges) {
        broken = Some(super::DatasetProblem::from(problem).to_string());
    }
    // Asks for the media of rows, and keeps none from us.
    let filter = Filter {
        modality: Some(Vec::new()),
        ..Filter::default()
    };
    let sieve = Sieve::new(&filter).map_err(|problem| NotADataset::NoRow(problem.to_string()))?;
    let mut peek = Peek {
        shape,
        rows: None,
        images: Vec::new(),
        videos: Vec::new(),
    };
    let (mut conversations, mut first_problem) = (0u32, None);
    for range in ranges.iter().take(ROWS) {
        let row = &bytes[range.start as usize..range.end as usize];
        match row::object(row).and_then(|object| has_turns(&object)) {
            Ok(()) => {
                conversations += 1;
                if let Some(described) = row::described(row, &sieve) {
                    peek.images.extend(described.images);
                    peek.videos.extend(described.videos);
                }
            }
            Err(problem) => {
                first_problem.get_or_insert(problem);
            }
        }
    }
    match (conversations, first_problem, broken) {
        (1.., _, _) => Ok(peek),
        (0, Some(problem), _) => Err(NotADataset::Rows(problem)),
        (0, None, Some(broken)) => Err(NotADataset::NoRow(broken)),
        (0, None, None) if ended => Err(NotADataset::Empty),
        (0, None, None) => Err(NotADataset::NoRow(format!(
            "its first row has more than {MAX_BYTES} bytes"
        ))),
    }
}

/// Whether a row says something, in whichever dialect.
fn has_turns(object: &serde_json::Map<String, serde_json::Value>) -> Result<(), SampleProblem> {
    let keys = keys();
    if keys.iter().any(|key| object.contains_key(*key)) {
        return Ok(());
    }
    Err(SampleProblem::Missing {
        key: keys.join("` or `"),
    })
}

fn keys() -> Vec<&'static str> {
    Dialect::ALL.iter().map(|dialect| dialect.key()).collect()
}

fn parquet_file(file: fs_err::File) -> Result<Peek, NotADataset> {
    let reader = SerializedFileReader::new(file.into_file())
        .map_err(|error| NotADataset::Else(format!("is a broken parquet file: {error}")))?;
    let metadata = reader.metadata().file_metadata();
    let fields = metadata.schema().get_fields();
    let columns: Vec<&str> = fields.iter().map(|field| field.name()).collect();
    if !columns.iter().any(|column| keys().contains(column)) {
        return Err(NotADataset::Columns {
            wanted: format!("`{}`", keys().join("` or `")),
            columns: columns[..columns.len().min(COLUMNS)].join(", "),
        });
    }
    Ok(Peek {
        shape: Shape::Parquet,
        rows: u64::try_from(metadata.num_rows()).ok(),
        images: Vec::new(),
        videos: Vec::new(),
    })
}

fn is_tar(head: &[u8]) -> bool {
    head.get(257..262) == Some(b"ustar")
}

/// An archive is a dataset when one of its first members is a conversation.
fn members<R: Read>(entries: tar::Entries<'_, R>, shape: Shape) -> Result<Peek, NotADataset> {
    let mut first_problem = None;
    for entry in entries.take(MEMBERS) {
        let Ok(mut entry) = entry else { break };
        let is_json = entry
            .path()
            .is_ok_and(|path| path.extension().is_some_and(|ending| ending == "json"));
        if !is_json || entry.size() > MAX_BYTES {
            continue;
        }
        let mut bytes = Vec::new();
        if entry.read_to_end(&mut bytes).is_err() {
            break;
        }
        match row::object(&bytes).and_then(|object| has_turns(&object)) {
            Ok(()) => {
                return Ok(Peek {
                    shape,
                    rows: None,
                    images: Vec::new(),
                    videos: Vec::new(),
                });
            }
            Err(problem) => {
                first_problem.get_or_insert(problem);
            }
        }
    }
    Err(first_problem.map_or(NotADataset::Archive, NotADataset::Rows))
}
