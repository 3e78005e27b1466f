//! How much of an object is asked for at once.
//!
//! A request takes tens of milliseconds however little it brings. Someone who reads a picture in the middle of an archive
//! wants little; someone who reads a file from end to end wants few requests. So what is read on from where the last
//! request ended is brought in ever larger pieces, and all else by the block.

use std::ops::Range;

/// Bytes of a block, the least that is asked for.
pub(super) const BLOCK: u64 = 256 << 10;
/// Blocks that come with the first request, which also tells the object's size: most pictures fit in.
pub(super) const OPENING: u64 = 4;
/// The most blocks of a request: 8 MiB.
pub(super) const MOST: u64 = 32;
/// A reader that skips no more than so many blocks still reads on.
const SKIPPED: u64 = 2;

/// The bytes of some blocks in an object of so many.
pub(super) fn bytes_of(blocks: Range<u64>, object: u64) -> Range<u64> {
    blocks.start * BLOCK..(blocks.end * BLOCK).min(object)
}

/// Where the last request ended and how large it was.
#[derive(Debug)]
pub(super) struct Ahead {
    next: u64,
    window: u64,
}

impl Ahead {
    /// After the first request.
    pub(super) fn opened() -> Self {
        Self {
            next: OPENING,
            window: OPENING,
        }
    }

    /// How many blocks to ask for when `block` is missing and those up to `wanted` are to be read.
    pub(super) fn blocks(&mut self, block: u64, wanted: u64) -> u64 {
        let reads_on = (self.next..=self.next + SKIPPED).contains(&block);
        self.window = if reads_on { self.window * 2 } else { 1 }
            .max(wanted.saturating_sub(block))
            .min(MOST);
        self.next = block + self.window;
        self.window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_on_brings_more() {
        let mut ahead = Ahead::opened();
        let (mut block, mut windows) = (OPENING, Vec::new());
        for _ in 0..5 {
            let count = ahead.blocks(block, block + 1);
            windows.push(count);
            block += count;
        }
        assert_eq!(windows, [8, 16, 32, 32, 32]);
        assert_eq!(ahead.blocks(1000, 1001), 1);
        assert_eq!(ahead.blocks(1003, 1004), 2);
        assert_eq!(ahead.blocks(9, 19), 10);
        assert_eq!(ahead.blocks(100, 10_000), MOST);
    }

    #[test]
    fn the_last_block_is_short() {
        assert_eq!(bytes_of(0..1, 10), 0..10);
        assert_eq!(bytes_of(1..4, BLOCK * 2 + 5), BLOCK..BLOCK * 2 + 5);
    }
}
