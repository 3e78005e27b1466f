//! What a vision tower is fed, still in 8-bit levels.

use super::{Rgb, Size};

/// Tiles of one picture, or frames of one clip, all of one size, before rescaling and normalising.
#[derive(Clone, PartialEq, Eq)]
pub struct Tiles {
    /// Size of a tile in pixels.
    pub size: Size,
    /// How many.
    pub count: usize,
    /// Levels, `[count, height, width, 3]`.
    pub data: Vec<u8>,
}

impl Tiles {
    /// No tiles yet.
    pub const fn none() -> Self {
        Self {
            size: Size::square(0),
            count: 0,
            data: Vec::new(),
        }
    }

    /// `count` black square tiles.
    pub(super) fn black(tile: u32, count: usize) -> Self {
        let size = Size::square(tile);
        Self {
            size,
            count,
            data: vec![0; count * size.rgb_len()],
        }
    }

    /// One tile that is the whole picture.
    pub fn single(picture: Rgb) -> Self {
        Self {
            size: picture.size(),
            count: 1,
            data: picture.data,
        }
    }

    /// Puts others of the same size behind these.
    ///
    /// # Panics
    /// When they are of another size.
    pub fn append(&mut self, others: Self) {
        if self.count == 0 {
            *self = others;
            return;
        }
        assert_eq!(self.size, others.size, "tiles of one picture or clip");
        self.count += others.count;
        self.data.extend(others.data);
    }

    /// The levels of each tile, `[height, width, 3]`.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.data.chunks_exact(self.size.rgb_len().max(1))
    }
}

impl std::fmt::Debug for Tiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tiles({} of {})", self.count, self.size)
    }
}
