//! Anyres: a picture as a grid of tiles at the resolution that suits it, plus one tile of the whole.
//!
//! The plan needs the picture's size alone, so a batch can be planned from headers. It is the same in transformers
//! (`image_processing_llava_onevision.py`) and LLaVA-NeXT (`llava/mm_utils.py`); the two round differently only later,
//! when features are unpadded.

use super::{MediaError, Resampler, Rgb, Size, Tiles, resize};

/// Black pixels around the resized picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Padding {
    /// Columns to the left.
    pub left: u32,
    /// Rows above.
    pub top: u32,
    /// Columns to the right, with the odd one.
    pub right: u32,
    /// Rows below, with the odd one.
    pub bottom: u32,
}

/// What becomes of a picture of a given size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnyresPlan {
    /// The picture.
    pub original: Size,
    /// The resolution that was chosen.
    pub best: Size,
    /// The picture as it fits into it, ratio kept.
    pub resized: Size,
    /// What fills the rest.
    pub pad: Padding,
    /// Rows and columns of tiles.
    pub grid: (usize, usize),
    /// Side of a tile in pixels.
    pub tile: u32,
}

impl AnyresPlan {
    /// Plans a picture. `pinpoints` are (height, width) in the order of the checkpoint's file.
    ///
    /// # Errors
    /// No pinpoints, pinpoints that do not divide into tiles, a picture without pixels.
    pub fn new(original: Size, pinpoints: &[(u32, u32)], tile: u32) -> Result<Self, MediaError> {
        for &(height, width) in pinpoints {
            let whole = |side: u32| side > 0 && side.checked_rem(tile) == Some(0);
            if !whole(height) || !whole(width) {
                return Err(MediaError::BadPinpoint {
                    height,
                    width,
                    tile,
                });
            }
        }
        if original.pixels() == 0 {
            return Err(MediaError::NoPixels(original));
        }
        let best = best_resolution(original, pinpoints).ok_or(MediaError::NoPinpoints)?;
        let resized = fit(original, best);
        let (x, y) = (best.width - resized.width, best.height - resized.height);
        let pad = Padding {
            left: x / 2,
            top: y / 2,
            right: x - x / 2,
            bottom: y - y / 2,
        };
        let grid = ((best.height / tile) as usize, (best.width / tile) as usize);
        Ok(Self {
            original,
            best,
            resized,
            pad,
            grid,
            tile,
        })
    }

    /// How many tiles [`AnyresPlan::render`] gives: the base tile and the grid.
    pub fn count(&self) -> usize {
        1 + self.grid.0 * self.grid.1
    }

    /// Makes the tiles: first the whole picture squashed to one tile, ratio ignored, then the grid row by row.
    /// Padding is level 0, put in before normalising.
    ///
    /// # Errors
    /// A picture of another size than planned.
    pub fn render(&self, picture: &Rgb, resampler: Resampler) -> Result<Tiles, MediaError> {
        if picture.size() != self.original {
            let (planned, found) = (self.original, picture.size());
            return Err(MediaError::SizeChanged { planned, found });
        }
        let mut tiles = Tiles::black(self.tile, self.count());
        let side = self.tile as usize;
        let row_len = side * 3;
        let (base, grid) = tiles.data.split_at_mut(side * row_len);
        base.copy_from_slice(&resize(picture, Size::square(self.tile), resampler).data);

        let resized = resize(picture, self.resized, resampler);
        let (left, top) = (self.pad.left as usize, self.pad.top as usize);
        for (y, row) in resized.data.chunks_exact(resized.stride()).enumerate() {
            let (tile_row, y) = ((y + top) / side, (y + top) % side);
            let mut rest = row;
            let mut x = left;
            while !rest.is_empty() {
                let (column, inner) = (x / side, x % side);
                let (part, after) = rest.split_at(rest.len().min((side - inner) * 3));
                let tile = tile_row * self.grid.1 + column;
                let at = (tile * side + y) * row_len + inner * 3;
                grid[at..at + part.len()].copy_from_slice(part);
                rest = after;
                x += part.len() / 3;
            }
        }
        Ok(tiles)
    }
}

/// The resolution, of (height, width) `pinpoints`, that shows most of the picture and then wastes least; the first
/// one of equals. Enlarging shows nothing more. `None` without pinpoints.
pub fn best_resolution(original: Size, pinpoints: &[(u32, u32)]) -> Option<Size> {
    let mut best: Option<(u64, u64, Size)> = None;
    for &(height, width) in pinpoints {
        let (w, h) = (f64::from(original.width), f64::from(original.height));
        let scale = (f64::from(width) / w).min(f64::from(height) / h);
        let shown = ((w * scale) as u64 * (h * scale) as u64).min(original.pixels());
        let size = Size::new(width, height);
        let wasted = size.pixels() - shown.min(size.pixels());
        let better =
            best.is_none_or(|(most, least, _)| shown > most || (shown == most && wasted < least));
        if better {
            best = Some((shown, wasted, size));
        }
    }
    best.map(|(_, _, size)| size)
}

/// The largest size of the picture's ratio within `target`, the other side rounded up.
fn fit(original: Size, target: Size) -> Size {
    let (w, h) = (f64::from(original.width), f64::from(original.height));
    let (scale_w, scale_h) = (f64::from(target.width) / w, f64::from(target.height) / h);
    if scale_w < scale_h {
        let height = (h * scale_w).ceil() as u32;
        Size::new(target.width, height.min(target.height))
    } else {
        let width = (w * scale_h).ceil() as u32;
        Size::new(width.min(target.width), target.height)
    }
}
