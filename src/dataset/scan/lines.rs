//! Rows of a JSONL file: a row is a line that is not blank.

use std::ops::Range;

use super::Broken;

pub(super) struct LineScanner {
    /// The current line's text so far, without the blanks around it; empty in a blank line.
    line: Range<u64>,
    rows: u64,
}

impl LineScanner {
    pub(super) fn new() -> Self {
        Self {
            line: 0..0,
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
        let mut start = at;
        for piece in chunk.split_inclusive(|&byte| byte == b'\n') {
            let text = piece.trim_ascii();
            if !text.is_empty() {
                let text_start = start + (piece.len() - piece.trim_ascii_start().len()) as u64;
                if self.line.is_empty() {
                    self.line.start = text_start;
                }
                self.line.end = text_start + text.len() as u64;
            }
            if piece.ends_with(b"\n") {
                self.end_line(rows)?;
            }
            start += piece.len() as u64;
        }
        Ok(())
    }

    pub(super) fn finish(mut self, rows: &mut Vec<Range<u64>>) -> Result<(), Broken> {
        self.end_line(rows)
    }

    fn end_line(&mut self, rows: &mut Vec<Range<u64>>) -> Result<(), Broken> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return Ok(());
        }
        if self.rows == 0 && line.end - line.start == 1 {
            return Err(Broken {
                row: 0,
                offset: line.start,
                expected: "a list `[…]` of rows, or one whole row a line".to_owned(),
                found: "a lone `{`, as of one JSON object over several lines".to_owned(),
            });
        }
        self.rows += 1;
        rows.push(line);
        Ok(())
    }
}
