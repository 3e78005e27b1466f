//! The rows of a JSON list or JSON lines in a file, read by position: what every format of such rows stands on.

use std::io::Read;
use std::path::Path;

use fs_err::File;
use fs_err::os::unix::fs::FileExt;

use super::filter::Sieve;
use super::scan::RowScanner;
use super::{DatasetProblem, Filter, Progress, SampleProblem};

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
pub(super) struct JsonRows {
    file: File,
    kept: Box<[RowRange]>,
    fingerprint: String,
}

impl JsonRows {
    /// Reads the file once: hashes it, finds its rows and, only for a filter, parses them.
    pub(super) fn open(
        path: &Path,
        filter: Option<&Filter>,
        progress: Progress<'_>,
    ) -> Result<Self, DatasetProblem> {
        let filter = filter.filter(|filter| !filter.is_empty());
        let mut file = File::open(path)?;
        let total = file.metadata()?.len();
        let mut content = blake3::Hasher::new();
        let mut scanner = RowScanner::new();
        let mut collector = Collector {
            rows: 0,
            kept: Vec::new(),
            sieve: filter.map(Sieve::new),
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
            progress(done, total.max(done));
        }
        scanner.finish(&mut found)?;
        collector.add(&file, found.drain(..))?;
        let kept = collector.finish()?;
        let fingerprint = fingerprint(&content.finalize(), filter);
        Ok(Self {
            file,
            kept,
            fingerprint,
        })
    }

    pub(super) fn len(&self) -> u64 {
        self.kept.len() as u64
    }

    /// BLAKE3 of the file's bytes; with a filter, of that and the filter.
    pub(super) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The row number in the file of the kept row `index`, and the row's bytes.
    pub(super) fn read(&self, index: u64) -> (u64, Result<Vec<u8>, SampleProblem>) {
        let range = usize::try_from(index)
            .ok()
            .and_then(|index| self.kept.get(index));
        match range {
            Some(range) => (u64::from(range.row), range.read(&self.file)),
            None => (index, Err(SampleProblem::OutOfRange { len: self.len() })),
        }
    }
}

impl RowRange {
    fn read(self, file: &File) -> Result<Vec<u8>, SampleProblem> {
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
fn values(row: &[u8]) -> usize {
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
    sieve: Option<Sieve<'a>>,
}

impl Collector<'_> {
    fn add(
        &mut self,
        file: &File,
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
            let keep = match &mut self.sieve {
                None => true,
                // The scan has just read these bytes, so they come from the system's cache.
                Some(sieve) => match range.read(file) {
                    Ok(row) => sieve.keeps(Some(&row)),
                    Err(SampleProblem::Io(kind)) => return Err(std::io::Error::from(kind).into()),
                    Err(_) => sieve.keeps(None),
                },
            };
            if keep {
                self.kept.push(range);
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Box<[RowRange]>, DatasetProblem> {
        if self.rows == 0 {
            return Err(DatasetProblem::Empty);
        }
        if let Some(sieve) = self.sieve {
            if self.kept.is_empty() {
                return Err(sieve.nothing_kept());
            }
            if sieve.unreadable > 0 {
                tracing::warn!(
                    unreadable = sieve.unreadable,
                    rows = self.rows,
                    "rows that are not JSON objects, or too long, were left out by the filter"
                );
            }
        }
        Ok(self.kept.into_boxed_slice())
    }
}

fn fingerprint(content: &blake3::Hash, filter: Option<&Filter>) -> String {
    match filter {
        None => content.to_hex().to_string(),
        Some(filter) => {
            let text = format!("{}\n{}", content.to_hex(), filter.canonical());
            blake3::hash(text.as_bytes()).to_hex().to_string()
        }
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
