//! The host's side of models that see a picture as one square.

use crate::checkpoint::Fit;
use crate::media::{MediaError, Resampling, Rgb, Tiles, crop_tile, squash_tile};
use crate::vlm::{self, Extent, Shape};

/// Makes one tile of each picture and each frame.
pub(super) struct Processor {
    /// Side of the tile in pixels.
    pub(super) tile: u32,
    pub(super) fit: Fit,
    /// Patches of a tile.
    pub(super) tokens: usize,
    pub(super) resampling: Resampling,
}

impl vlm::Processor for Processor {
    fn shapes(&self, media: &[(Extent, u32)]) -> Result<Vec<Shape>, MediaError> {
        let shape = |(extent, _): &(Extent, u32)| Shape::Whole {
            tiles: match extent {
                Extent::Picture(_) => 1,
                Extent::Clip { frames, .. } => *frames,
            },
            tokens: self.tokens,
        };
        Ok(media.iter().map(shape).collect())
    }

    fn render(&self, frame: &Rgb, _: &Shape, tiles: &mut Tiles) -> Result<(), MediaError> {
        tiles.append(match self.fit {
            Fit::Crop => crop_tile(frame, self.tile, self.resampling),
            Fit::Squash => squash_tile(frame, self.tile, self.resampling),
        });
        Ok(())
    }
}
