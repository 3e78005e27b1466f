//! The host's side of the LLaVA line: what the sizes of pictures and clips say about tiles and tokens, and tiling.

use super::packing::{Grid, Rounding, Shape};
use crate::checkpoint::Layout;
use crate::checkpoint::llava::{Config, Pictures, VideoNewline};
use crate::media::{
    AnyresPlan, MediaError, Resampler, Rgb, Size, Tiles, crop_tile, fill_levels, square_tile,
    squash_tile,
};
use crate::vlm::{self, Extent};

/// Cuts pictures into tiles as one checkpoint asks for it.
pub struct Processor {
    pictures: Pictures,
    newline: Option<VideoNewline>,
    tile: u32,
    side: usize,
    rounding: Rounding,
    fill: [u8; 3],
    resampler: Resampler,
}

impl Processor {
    /// A processor for one checkpoint.
    pub fn new(config: &Config, layout: Layout, resampler: Resampler) -> Self {
        Self {
            pictures: config.pictures.clone(),
            newline: config.video.as_ref().map(|video| video.newline),
            tile: config.tile(),
            side: config.vision.image_size / config.vision.patch_size,
            rounding: match layout {
                Layout::HuggingFace => Rounding::SevenDecimals,
                Layout::LlavaNext => Rounding::Truncate,
            },
            fill: fill_levels(config.pixels.mean.map(f64::from)),
            resampler,
        }
    }

    fn picture(&self, size: Size, alone: bool, halvings: u32) -> Result<Shape, MediaError> {
        let side = self.side;
        match &self.pictures {
            Pictures::Crop => Ok(Shape::Crop { side }),
            Pictures::Squash => Ok(Shape::Squash { side }),
            Pictures::Anyres { squares: true, .. } if !alone => Ok(Shape::Square { side }),
            Pictures::Anyres {
                pinpoints,
                max_tiles,
                ..
            } => {
                let plan = match self.fewer(pinpoints, halvings) {
                    None => AnyresPlan::new(size, pinpoints, self.tile)?,
                    Some(fewer) if fewer.is_empty() => return Ok(Shape::Square { side }),
                    Some(fewer) => AnyresPlan::new(size, &fewer, self.tile)?,
                };
                let grid = Grid::new(&plan, side, max_tiles.map(f64::from), self.rounding);
                Ok(Shape::Anyres { plan, grid })
            }
        }
    }

    /// The resolutions of at most as many tiles as the largest has, halved so many times; `None` for all of them.
    fn fewer(&self, pinpoints: &[(u32, u32)], halvings: u32) -> Option<Vec<(u32, u32)>> {
        let tiles = |&(height, width): &(u32, u32)| (height / self.tile) * (width / self.tile);
        let most = pinpoints.iter().map(tiles).max()?;
        let allowed = most.checked_shr(halvings).unwrap_or(0);
        (halvings > 0).then(|| {
            let fits = |pinpoint: &&(u32, u32)| tiles(pinpoint) <= allowed;
            pinpoints.iter().filter(fits).copied().collect()
        })
    }
}

impl vlm::Processor for Processor {
    fn shapes(&self, media: &[(Extent, u32)]) -> Result<Vec<vlm::Shape>, MediaError> {
        let is_picture = |(extent, _): &&(Extent, u32)| matches!(extent, Extent::Picture(_));
        let alone = media.iter().filter(is_picture).count() == 1;
        let shape = |(extent, halvings): &(Extent, u32)| match (extent, self.newline) {
            (Extent::Picture(size), _) => self.picture(*size, alone, *halvings),
            (Extent::Clip { frames, .. }, Some(newline)) => Ok(Shape::Clip {
                side: self.side,
                frames: *frames,
                newline,
            }),
            (Extent::Clip { .. }, None) => Err(MediaError::NoVideo),
        };
        media
            .iter()
            .map(|extent| shape(extent).map(vlm::Shape::Llava))
            .collect()
    }

    fn render(&self, frame: &Rgb, shape: &vlm::Shape, tiles: &mut Tiles) -> Result<(), MediaError> {
        tiles.append(match shape.llava() {
            Shape::Anyres { plan, .. } => plan.render(frame, self.resampler)?,
            Shape::Square { .. } => square_tile(frame, self.fill, self.tile, self.resampler),
            Shape::Crop { .. } => crop_tile(frame, self.tile, self.resampler),
            Shape::Squash { .. } | Shape::Clip { .. } => {
                squash_tile(frame, self.tile, self.resampler)
            }
        });
        Ok(())
    }
}
