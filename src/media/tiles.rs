//! What a vision tower is fed, still in 8-bit levels.

use super::Rgb;

/// Square tiles of one picture or frame, before rescaling and normalising.
#[derive(Clone, PartialEq, Eq)]
pub struct Tiles {
    /// Side of a tile in pixels.
    pub tile: u32,
    /// How many.
    pub count: usize,
    /// Levels, `[count, tile, tile, 3]`.
    pub data: Vec<u8>,
}

impl Tiles {
    /// `count` black tiles.
    pub(super) fn black(tile: u32, count: usize) -> Self {
        Self {
            tile,
            count,
            data: vec![0; count * tile as usize * tile as usize * 3],
        }
    }

    /// One tile from a square picture.
    pub(super) fn single(picture: Rgb) -> Self {
        debug_assert_eq!(picture.width, picture.height);
        Self {
            tile: picture.width,
            count: 1,
            data: picture.data,
        }
    }

    /// The levels of each tile, `[tile, tile, 3]`.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.data
            .chunks_exact(self.tile as usize * self.tile as usize * 3)
    }
}

impl std::fmt::Debug for Tiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tiles({}x{}x{})", self.count, self.tile, self.tile)
    }
}
