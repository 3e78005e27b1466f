//! The rows of a JSON list or JSON lines in a file, read by position: what every format of such rows stands on.

use std::io::Read;
use std::sync::Arc;

use super::filter::{Sieve, Sift};
use super::format::{Opened, Opening, Rows};
use super::media_root::MediaRoot;
use super::row::{self, Dialect, Inside};
use super::scan::RowScanner;
use super::{DatasetProblem, Sample, SampleError, SampleProblem};
use crate::blob::{Blob, Reader};

/// The longest row that is read, in bytes; a longer one is a [`SampleProblem::TooLong`].
pub const MAX_ROW_BYTES: u64 = 64 << 20;

/// The most values in a row: strings, numbers, lists and objects. Each takes some hundred bytes once it is read, and
/// two in the file.
pub const MAX_ROW_VALUES: usize = 1 << 20;

/// The most rows of a file; the place of each is held in memory.
const MAX_ROWS: u64 = 1 << 28;

const CHUNK_BYTES: usize = 1 << 20;

/// Where a row lies. All that is held of it: 16 bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowRange {
    start: u64,
    /// At most `u32::MAX`, which is beyond [`MAX_ROW_BYTES`] anyway.
    bytes: u32,
    /// Its number among all rows of the file.
    row: u32,
}

/// A file of rows. It must not change while it is open.
struct JsonRows {
    file: Access,
    kept: Box<[RowRange]>,
    total: u64,
    fingerprint: String,
    dialect: Dialect,
    media: Arc<MediaRoot>,
}

/// Reads the file once: hashes it, finds its rows and, only for a filter, parses them.
pub(super) fn open(opening: &Opening<'_>, dialect: Dialect) -> Result<Opened, DatasetProblem> {
    let mut file = opening.blob.open()?;
    let whole = file.len();
    let mut content = blake3::Hasher::new();
    let mut scanner = RowScanner::new();
    let mut collector = Collector {
        rows: 0,
        kept: Vec::new(),
        sieve: opening.sieve,
        sift: Sift::default(),
    };
    let mut found = Vec::new();
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut done = 0;
    loop {
        let chunk = match file.read(&mut buffer)? {
            0 => break,
            read => &buffer[..read],
        };
        content.update(chunk);
        scanner.feed(chunk, &mut found)?;
        collector.add(&file, found.drain(..))?;
        done += chunk.len() as u64;
        (opening.progress)(done, whole.max(done));
    }
    scanner.finish(&mut found)?;
    collector.add(&file, found.drain(..))?;
    let rows = JsonRows {
        file: if opening.alone {
            Access::Open(file)
        } else {
            Access::Again(opening.blob.clone(), whole)
        },
        kept: collector.kept.into_boxed_slice(),
        total: collector.rows,
        fingerprint: fingerprint(&content.finalize(), dialect),
        dialect,
        media: Arc::clone(opening.media),
    };
    Ok(Opened {
        rows: Box::new(rows),
        sift: collector.sift,
        faults: Vec::new(),
    })
}

/// How a file of rows is read once it was opened. A dataset of thousands of files does not keep them open.
enum Access {
    Open(Reader),
    /// Which is to be as long as it was.
    Again(Blob, u64),
}

impl Access {
    fn reader(&self) -> Result<Reader, SampleProblem> {
        match self {
            Self::Open(reader) => Ok(reader.clone()),
            Self::Again(blob, len) => match blob.open() {
                Ok(reader) if reader.len() == *len => Ok(reader),
                Ok(_) => Err(SampleProblem::Io(
                    std::io::ErrorKind::StaleNetworkFileHandle,
                )),
                Err(error) => Err(SampleProblem::Io(error.kind())),
            },
        }
    }
}

/// BLAKE3 of the content; of another dialect than LLaVA's also of its name, as rows may have the keys of several.
fn fingerprint(content: &blake3::Hash, dialect: Dialect) -> String {
    match dialect {
        Dialect::Llava => content.to_hex().to_string(),
        other => {
            let text = format!("{}\n{}", content.to_hex(), other.key());
            blake3::hash(text.as_bytes()).to_hex().to_string()
        }
    }
}

impl Rows for JsonRows {
    fn len(&self) -> u64 {
        self.kept.len() as u64
    }

    fn total(&self) -> u64 {
        self.total
    }

    fn read(&self, index: u64) -> Result<Sample, SampleError> {
        let range = self.kept[index as usize];
        let row = u64::from(range.row);
        let mut id = row.to_string();
        self.file
            .reader()
            .and_then(|file| range.read(&file))
            .and_then(|bytes| row::object(&bytes))
            .and_then(|object| {
                let (inside, dialect) = (Inside::default(), Some(self.dialect));
                row::sample(row, &mut id, &object, inside, dialect, &self.media)
            })
            .map_err(|problem| SampleError::new(row, id, problem))
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

impl RowRange {
    fn read(self, file: &Reader) -> Result<Vec<u8>, SampleProblem> {
        let bytes = u64::from(self.bytes);
        if bytes > MAX_ROW_BYTES {
            return Err(SampleProblem::TooLong {
                bytes,
                limit: MAX_ROW_BYTES,
            });
        }
        let mut row = vec![0; self.bytes as usize];
        file.read_exact_at(&mut row, self.start)
            .map_err(|error| SampleProblem::Io(error.kind()))?;
        if values(&row) > MAX_ROW_VALUES {
            return Err(SampleProblem::TooManyValues {
                limit: MAX_ROW_VALUES,
            });
        }
        Ok(row)
    }
}

/// How many values a row holds, at most: one, and one more for each bracket that opens and each comma.
pub(super) fn values(row: &[u8]) -> usize {
    let mut values = 1;
    let mut rest = row;
    loop {
        let quote = rest.iter().position(|byte| *byte == b'"');
        let plain = &rest[..quote.unwrap_or(rest.len())];
        values += plain.iter().filter(|byte| b"[{,".contains(byte)).count();
        let Some(quote) = quote else { return values };
        rest = after_string(&rest[quote + 1..]);
    }
}

/// What follows a string whose opening quote is gone.
fn after_string(mut text: &[u8]) -> &[u8] {
    while let Some(at) = text.iter().position(|byte| matches!(byte, b'"' | b'\\')) {
        if text[at] == b'"' {
            return &text[at + 1..];
        }
        text = text.get(at + 2..).unwrap_or_default();
    }
    &[]
}

/// The rows to keep, as they are found.
struct Collector<'a> {
    /// How many were found.
    rows: u64,
    kept: Vec<RowRange>,
    sieve: Option<&'a Sieve<'a>>,
    sift: Sift,
}

impl Collector<'_> {
    fn add(
        &mut self,
        file: &Reader,
        found: impl Iterator<Item = std::ops::Range<u64>>,
    ) -> Result<(), DatasetProblem> {
        for range in found {
            if self.rows == MAX_ROWS {
                return Err(DatasetProblem::TooManyRows { max: MAX_ROWS });
            }
            let range = RowRange {
                start: range.start,
                bytes: u32::try_from(range.end - range.start).unwrap_or(u32::MAX),
                row: self.rows as u32,
            };
            self.rows += 1;
            let keep = match self.sieve {
                None => true,
                // The scan has just read these bytes, so they come from the system's cache.
                Some(sieve) => {
                    let described = match range.read(file) {
                        Ok(bytes) => row::described(&bytes, sieve),
                        Err(SampleProblem::Io(kind)) => {
                            return Err(std::io::Error::from(kind).into());
                        }
                        Err(_) => None,
                    };
                    sieve.keeps(described.as_ref(), &mut self.sift)
                }
            };
            if keep {
                self.kept.push(range);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::values;

    #[test]
    fn values_are_counted_outside_of_strings() {
        for (row, count) in [
            ("", 1),
            ("[]", 2),
            ("[1, [2, 3]]", 4 + 1),
            (r#"{"a": "[,{", "b\",\\": 1}"#, 3),
            (r#"{"a": "["#, 2),
            (r#"{"a\"#, 2),
        ] {
            assert_eq!(values(row.as_bytes()), count, "{row}");
        }
    }
}
