//! Finds where the rows of a JSON list or of JSON lines lie, in one pass and without holding or parsing them.
//!
//! The scanners are fed the file in pieces of any size. They see brackets and strings only; whether a row's inside is
//! JSON is found when the row is read, so one bad row costs one row. What blurs the borders between rows of a list
//! (a bracket that does not match, a missing comma, an end too early) is [`Broken`]: no later row could be trusted.

mod array;
mod keys;
mod lines;
#[cfg(test)]
mod tests;

use std::ops::Range;

use array::ArrayScanner;
use lines::LineScanner;

pub(super) use keys::first_row_keys;

use super::DatasetProblem;

const BOM: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// Where and why rows can no longer be told apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken {
    row: u64,
    offset: u64,
    expected: String,
    found: String,
}

impl From<Broken> for DatasetProblem {
    fn from(
        Broken {
            row,
            offset,
            expected,
            found,
        }: Broken,
    ) -> Self {
        Self::Broken {
            row,
            offset,
            expected,
            found,
        }
    }
}

/// Whether a file that starts so may be a JSON list or JSON lines.
pub(super) fn looks_like_json(head: &[u8]) -> bool {
    let text = head.strip_prefix(&BOM).unwrap_or(head).trim_ascii_start();
    matches!(text.first(), None | Some(b'[' | b'{'))
}

/// Tells a list from lines by its first byte, then scans it.
pub(super) struct RowScanner {
    /// How many bytes were fed.
    at: u64,
    kind: Kind,
}

enum Kind {
    Undecided,
    Array(ArrayScanner),
    Lines(LineScanner),
}

impl RowScanner {
    pub(super) fn new() -> Self {
        Self {
            at: 0,
            kind: Kind::Undecided,
        }
    }

    /// Takes the next bytes of the file and appends the byte ranges of the rows that end in them.
    pub(super) fn feed(&mut self, chunk: &[u8], rows: &mut Vec<Range<u64>>) -> Result<(), Broken> {
        let mut chunk = chunk;
        if matches!(self.kind, Kind::Undecided) {
            let is_lead = |(i, byte): (usize, &u8)| {
                byte.is_ascii_whitespace() || BOM.get(self.at as usize + i) == Some(byte)
            };
            let lead = chunk
                .iter()
                .enumerate()
                .take_while(|&pair| is_lead(pair))
                .count();
            chunk = &chunk[lead..];
            self.at += lead as u64;
            self.kind = match chunk.first() {
                None => return Ok(()),
                Some(b'[') => Kind::Array(ArrayScanner::new()),
                Some(b'{') => Kind::Lines(LineScanner::new()),
                Some(&byte) => {
                    let expected = "the `[` of a list of rows or the `{` of a first row".to_owned();
                    return Err(Broken {
                        row: 0,
                        offset: self.at,
                        expected,
                        found: quoted(byte),
                    });
                }
            };
        }
        match &mut self.kind {
            Kind::Undecided => {}
            Kind::Array(scanner) => scanner.feed(chunk, self.at, rows)?,
            Kind::Lines(scanner) => scanner.feed(chunk, self.at, rows)?,
        }
        self.at += chunk.len() as u64;
        Ok(())
    }

    /// Says that the file ends here.
    pub(super) fn finish(self, rows: &mut Vec<Range<u64>>) -> Result<(), Broken> {
        match self.kind {
            Kind::Undecided => Ok(()),
            Kind::Array(scanner) => scanner.finish(self.at),
            Kind::Lines(scanner) => scanner.finish(rows),
        }
    }
}

fn quoted(byte: u8) -> String {
    format!("`{}`", byte.escape_ascii())
}
