//! The grid of tokens that a picture or clip becomes.

use crate::media::Size;

/// A picture or clip as time, height and width of tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// The picture, or a frame, as it is.
    pub original: Size,
    /// As it goes into the tower.
    pub resized: Size,
    /// Frames; 1 for a picture.
    pub frames: usize,
    /// Slices in time: as many frames as a patch is deep become one, the last of an odd number is repeated.
    pub slices: usize,
    /// Rows of tokens in a slice.
    pub rows: usize,
    /// Tokens in a row.
    pub columns: usize,
    /// Seconds from a slice to the next; `None` for a picture.
    pub seconds_per_slice: Option<f64>,
}

impl Grid {
    /// Positions in the language model.
    pub fn tokens(&self) -> usize {
        self.slices * self.rows * self.columns
    }

    /// Frames that go through the tower, without the one that is repeated.
    pub fn tiles(&self) -> usize {
        self.frames
    }
}
