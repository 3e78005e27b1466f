//! Short reads here and there in a file, most of them near the one before.

use std::io;

use crate::blob::Reader;

/// What is read at once where the next read is likely to be near.
const LARGE: u64 = 64 << 10;
/// What is read at once after a leap.
const SMALL: u64 = 8 << 10;

/// A piece of a file that is held, and moved when something else is asked for.
pub(super) struct Window<'a> {
    file: &'a Reader,
    start: u64,
    held: Vec<u8>,
}

impl<'a> Window<'a> {
    pub(super) fn new(file: &'a Reader) -> Self {
        Self {
            file,
            start: 0,
            held: Vec::new(),
        }
    }

    /// The bytes at `offset`, fewer than asked for only at the end of the file.
    pub(super) fn at(&mut self, offset: u64, bytes: u64) -> io::Result<&[u8]> {
        let end = offset.saturating_add(bytes).min(self.file.len());
        if end <= offset {
            return Ok(&[]);
        }
        let held_end = self.start + self.held.len() as u64;
        if offset < self.start || end > held_end {
            let near = (self.start..held_end.saturating_add(SMALL)).contains(&offset);
            let size = bytes.max(if near { LARGE } else { SMALL });
            let size = size.min(self.file.len() - offset);
            self.held.resize(size as usize, 0);
            self.start = offset;
            if let Err(error) = self.file.read_exact_at(&mut self.held, offset) {
                self.held.clear();
                return Err(error);
            }
        }
        let from = (offset - self.start) as usize;
        let until = from + (end - offset) as usize;
        Ok(&self.held[from..until])
    }
}
