//! Rows of a JSON list: its elements, and those of lists inside it.

use std::ops::Range;

use super::{Broken, quoted};

/// How deep brackets inside a row may nest; the JSON parser goes no deeper either.
const MAX_DEPTH: usize = 128;

pub(super) struct ArrayScanner {
    state: State,
    /// How many lists of rows are open: 1 in the file's own, more in lists inside it.
    lists: u64,
    /// The closing brackets that the current row still owes, the next one last.
    owed: Vec<u8>,
    /// Where the current row starts.
    start: u64,
    /// How many rows are complete.
    rows: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// After an opening bracket of a list.
    RowOrClose,
    /// After a comma, and before the file's own list.
    Row,
    /// After a row or a list.
    CommaOrClose,
    InRow,
    InString,
    /// After a backslash in a string.
    InEscape,
    /// In a number or a word: no row by right, but a plain one to fail when it is read.
    InWord,
    /// After the file's own list.
    Done,
}

impl ArrayScanner {
    pub(super) fn new() -> Self {
        Self {
            state: State::Row,
            lists: 0,
            owed: Vec::new(),
            start: 0,
            rows: 0,
        }
    }

    /// `at` is the chunk's place in the file.
    pub(super) fn feed(
        &mut self,
        chunk: &[u8],
        at: u64,
        rows: &mut Vec<Range<u64>>,
    ) -> Result<(), Broken> {
        let mut i = 0;
        while i < chunk.len() {
            // Nearly all bytes are inside of strings, or between the brackets and quotes of a row.
            let skipped = match self.state {
                State::InString => chunk[i..].iter().position(|b| matches!(b, b'"' | b'\\')),
                State::InRow => chunk[i..]
                    .iter()
                    .position(|b| matches!(b, b'"' | b'{' | b'}' | b'[' | b']')),
                _ => Some(0),
            };
            let Some(skipped) = skipped else {
                return Ok(());
            };
            i += skipped;
            let (byte, offset) = (chunk[i], at + i as u64);
            if self.state == State::InWord && (byte.is_ascii_whitespace() || b",]".contains(&byte))
            {
                // The word ends before this byte, which is then looked at as what follows a row.
                self.end_row(offset, rows);
            }
            self.step(byte, offset, rows)?;
            i += 1;
        }
        Ok(())
    }

    pub(super) fn finish(self, end: u64) -> Result<(), Broken> {
        if self.state == State::Done {
            return Ok(());
        }
        Err(self.broken(end, "the end of the file".to_owned()))
    }

    fn step(&mut self, byte: u8, offset: u64, rows: &mut Vec<Range<u64>>) -> Result<(), Broken> {
        match self.state {
            // After a backslash one byte is enough: what follows in `\u0022` is no quote.
            State::InEscape => self.state = State::InString,
            State::InString => match byte {
                b'\\' => self.state = State::InEscape,
                b'"' if self.owed.is_empty() => self.end_row(offset + 1, rows),
                b'"' => self.state = State::InRow,
                _ => {}
            },
            State::InRow => match byte {
                b'"' => self.state = State::InString,
                b'{' | b'[' => self.open_bracket(byte, offset)?,
                b'}' | b']' => {
                    if self.owed.last() != Some(&byte) {
                        return Err(self.broken(offset, quoted(byte)));
                    }
                    self.owed.pop();
                    if self.owed.is_empty() {
                        self.end_row(offset + 1, rows);
                    }
                }
                _ => {}
            },
            State::InWord => {
                if matches!(byte, b'"' | b'[' | b'{' | b'}') {
                    return Err(self.broken(offset, quoted(byte)));
                }
            }
            _ if byte.is_ascii_whitespace() => {}
            State::RowOrClose | State::Row if byte != b']' => self.start_row(byte, offset)?,
            State::RowOrClose | State::CommaOrClose if byte == b']' => {
                self.lists -= 1;
                self.state = if self.lists == 0 {
                    State::Done
                } else {
                    State::CommaOrClose
                };
            }
            State::CommaOrClose if byte == b',' => self.state = State::Row,
            _ => return Err(self.broken(offset, quoted(byte))),
        }
        Ok(())
    }

    /// Takes the first byte of a row, or of a list of rows.
    fn start_row(&mut self, byte: u8, offset: u64) -> Result<(), Broken> {
        let state = match byte {
            b'[' => {
                self.lists += 1;
                self.state = State::RowOrClose;
                return Ok(());
            }
            b'{' => State::InRow,
            b'"' => State::InString,
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' | b'N' => State::InWord,
            _ => return Err(self.broken(offset, quoted(byte))),
        };
        self.start = offset;
        self.state = state;
        if byte == b'{' {
            self.open_bracket(byte, offset)
        } else {
            Ok(())
        }
    }

    fn open_bracket(&mut self, bracket: u8, offset: u64) -> Result<(), Broken> {
        if self.owed.len() == MAX_DEPTH {
            return Err(self.broken(
                offset,
                format!("a row with more than {MAX_DEPTH} brackets open"),
            ));
        }
        self.owed.push(if bracket == b'{' { b'}' } else { b']' });
        Ok(())
    }

    fn end_row(&mut self, end: u64, rows: &mut Vec<Range<u64>>) {
        rows.push(self.start..end);
        self.rows += 1;
        self.state = State::CommaOrClose;
    }

    fn broken(&self, offset: u64, found: String) -> Broken {
        let start = self.start;
        let expected = match self.state {
            State::RowOrClose => "a row `{…}` or the `]` of the list".to_owned(),
            State::Row => "a row `{…}`".to_owned(),
            State::CommaOrClose | State::InWord => "`,` or `]` after a row".to_owned(),
            State::InRow => {
                let owed = self
                    .owed
                    .last()
                    .map_or_else(String::new, |&byte| quoted(byte));
                format!("{owed} in the row that starts at byte {start}")
            }
            State::InString | State::InEscape => {
                format!("the closing `\"` of a string in the row that starts at byte {start}")
            }
            State::Done => "nothing after the `]` of the list".to_owned(),
        };
        Broken {
            row: self.rows,
            offset,
            expected,
            found,
        }
    }
}
