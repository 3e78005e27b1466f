//! From tile features to tokens: the LLaVA line's unpadding, shrinking, pooling and row ends.
//!
//! Reference: `pack_image_features`, `unpad_image` and `apply_pooling` in transformers' `modeling_llava_next.py` and
//! `modeling_llava_onevision.py`; `prepare_inputs_labels_for_multimodal`, `get_2dPool`, `add_token_per_grid`,
//! `add_token_per_frame` and `unpad_image` in LLaVA-NeXT's `llava_arch.py`.

use super::row_map::{NEWLINE, RowMap};
use crate::checkpoint::llava::VideoNewline;
use crate::media::{AnyresPlan, Size};

/// How the unpadded size is rounded; the only difference between the two codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// `int(round(x, 7))`, as transformers does.
    SevenDecimals,
    /// `int(x)`, as training does.
    Truncate,
}

/// How a picture is cut into tiles and what becomes of their features.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Alone in its sample: a base tile and a grid of tiles.
    Anyres {
        /// The tiling.
        plan: AnyresPlan,
        /// What is kept of the grid of features.
        grid: Grid,
    },
    /// One among several: padded to a square, a single tile of `side²` features.
    Square {
        /// Features along one side.
        side: usize,
    },
    /// The middle of the picture: a single tile of `side²` features and no row end.
    Crop {
        /// Features along one side.
        side: usize,
    },
    /// The whole picture, whatever its ratio: a single tile of `side²` features and no row end.
    Squash {
        /// Features along one side.
        side: usize,
    },
    /// A clip: a tile for each frame, its features pooled to half as many along each side.
    Clip {
        /// Features of a frame along one side, before they are pooled.
        side: usize,
        /// Frames.
        frames: usize,
        /// Where row ends go.
        newline: VideoNewline,
    },
}

/// The features of a grid of tiles, cut to the picture and shrunk. All sizes in features.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grid {
    side: usize,
    tile_columns: usize,
    top: usize,
    left: usize,
    height: usize,
    width: usize,
    /// Height and width after shrinking, where the limit asks for it.
    shrunk: Option<(usize, usize)>,
}

impl Shape {
    /// Tokens in the language model.
    pub fn tokens(&self) -> usize {
        match self {
            Self::Anyres { grid, .. } => {
                let (height, width) = grid.shrunk.unwrap_or((grid.height, grid.width));
                grid.side * grid.side + height * (width + 1)
            }
            Self::Square { side } => side * side + 1,
            Self::Crop { side } | Self::Squash { side } => side * side,
            Self::Clip {
                side,
                frames,
                newline,
            } => {
                let pooled = side.div_ceil(2);
                let ends = match newline {
                    VideoNewline::OneToken => 1,
                    VideoNewline::Grid => frames * pooled,
                    VideoNewline::Frame => *frames,
                    VideoNewline::NoToken => 0,
                };
                frames * pooled * pooled + ends
            }
        }
    }

    /// Tiles for the vision tower.
    pub fn tiles(&self) -> usize {
        match self {
            Self::Anyres { plan, .. } => plan.count(),
            Self::Square { .. } | Self::Crop { .. } | Self::Squash { .. } => 1,
            Self::Clip { frames, .. } => *frames,
        }
    }

    /// Which of the features, counted through all tiles, make each token.
    pub fn row_map(&self) -> RowMap {
        let mut map = RowMap::default();
        match self {
            Self::Square { side } => {
                map.extend_plain(0..(side * side) as u32);
                map.push_plain(NEWLINE);
            }
            Self::Crop { side } | Self::Squash { side } => {
                map.extend_plain(0..(side * side) as u32);
            }
            Self::Clip {
                side,
                frames,
                newline,
            } => map.push_clip(*side, *frames, *newline),
            Self::Anyres { grid, .. } => {
                map.extend_plain(0..(grid.side * grid.side) as u32);
                match grid.shrunk {
                    None => grid.push_rows(&mut map),
                    Some(size) => grid.push_shrunk(&mut map, size),
                }
            }
        }
        map
    }
}

impl Grid {
    /// What is kept of the features of `plan`'s tiles, `side` features along each. The grid is cut to
    /// the picture's own proportions; if it then holds more than `limit · side²` features by a margin,
    /// it is shrunk to about that.
    pub fn new(plan: &AnyresPlan, side: usize, limit: Option<f64>, rounding: Rounding) -> Self {
        let (rows, tile_columns) = plan.grid;
        let (full_height, full_width) = (rows * side, tile_columns * side);
        let Size { width, height } = plan.original;
        let (w, h) = (f64::from(width), f64::from(height));
        let (mut top, mut left) = (0, 0);
        if w / h > full_width as f64 / full_height as f64 {
            let kept = rounding.to_integer(h * (full_width as f64 / w));
            top = (full_height - kept.min(full_height)) / 2;
        } else {
            let kept = rounding.to_integer(w * (full_height as f64 / h));
            left = (full_width - kept.min(full_width)) / 2;
        }
        let (height, width) = (full_height - 2 * top, full_width - 2 * left);
        let shrunk = limit.and_then(|limit| {
            let area = (height * width) as f64;
            let ratio = (area / (limit * (side * side) as f64)).sqrt();
            let shrink = |n: usize| (n as f64 / ratio).floor() as usize;
            (ratio > 1.1).then(|| (shrink(height), shrink(width)))
        });
        Self {
            side,
            tile_columns,
            top,
            left,
            height,
            width,
            shrunk,
        }
    }

    /// The feature at a place of the cut grid, counted through all tiles, the base tile first.
    fn feature(&self, y: usize, x: usize) -> u32 {
        let (y, x) = (y + self.top, x + self.left);
        let tile = 1 + y / self.side * self.tile_columns + x / self.side;
        (tile * self.side * self.side + y % self.side * self.side + x % self.side) as u32
    }

    fn push_rows(&self, map: &mut RowMap) {
        for y in 0..self.height {
            map.extend_plain((0..self.width).map(|x| self.feature(y, x)));
            map.push_plain(NEWLINE);
        }
    }

    fn push_shrunk(&self, map: &mut RowMap, (height, width): (usize, usize)) {
        for y in 0..height {
            map.push_mixed_row(y, (self.height, height), (self.width, width), |y, x| {
                self.feature(y, x)
            });
            map.push_plain(NEWLINE);
        }
    }
}

impl Rounding {
    fn to_integer(self, x: f64) -> usize {
        match self {
            Self::SevenDecimals => ((x * 1e7).round_ties_even() / 1e7) as usize,
            Self::Truncate => x as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Result, Tensor};

    use super::*;

    const SIDE: usize = 27;
    const TILE: u32 = 384;

    fn grid(width: u32, height: u32, rounding: Rounding) -> (AnyresPlan, Grid) {
        let pinpoints: Vec<(u32, u32)> = (1..=6)
            .flat_map(|h| (1..=6).map(move |w| (h * TILE, w * TILE)))
            .collect();
        let plan = AnyresPlan::new(Size { width, height }, &pinpoints, TILE).unwrap();
        let grid = Grid::new(&plan, SIDE, Some(9.0), rounding);
        (plan, grid)
    }

    #[test]
    fn token_counts_are_those_of_transformers() {
        // Sizes, tiles and tokens as run with transformers 5.23.
        for (height, width, tiles, tokens) in [
            (20, 20, 2, 1485),
            (336, 336, 2, 1485),
            (384, 384, 2, 1485),
            (177, 233, 2, 1317),
            (480, 640, 5, 2929),
            (512, 512, 5, 3699),
            (427, 640, 5, 2709),
            (400, 600, 5, 2709),
            (100, 900, 4, 1467),
            (1067, 1600, 16, 7263),
            (1080, 1920, 16, 7269),
            (2160, 3840, 25, 7317),
        ] {
            let (plan, grid) = grid(width, height, Rounding::SevenDecimals);
            let shape = Shape::Anyres { plan, grid };
            assert_eq!(
                (shape.tiles(), shape.tokens()),
                (tiles, tokens),
                "{height}x{width}"
            );
            assert_eq!(shape.row_map().sources.len(), tokens);
        }
        assert_eq!(Shape::Square { side: SIDE }.tokens(), 730);
        assert_eq!(Shape::Crop { side: 24 }.tokens(), 576);
        for (newline, tokens) in [
            (VideoNewline::OneToken, 3 * 196 + 1),
            (VideoNewline::Grid, 3 * 14 * 15),
            (VideoNewline::Frame, 3 * 197),
            (VideoNewline::NoToken, 3 * 196),
        ] {
            let shape = Shape::Clip {
                side: SIDE,
                frames: 3,
                newline,
            };
            assert_eq!((shape.tiles(), shape.tokens()), (3, tokens));
            assert_eq!(shape.row_map().sources.len(), tokens);
        }
    }

    #[test]
    fn maps_of_several_pictures_share_one_row_end() {
        let map = || Shape::Square { side: 2 }.row_map();
        let joined = RowMap::joined([(map(), 4), (map(), 4)].into_iter());
        let firsts: Vec<u32> = joined.sources.iter().map(|sources| sources[0]).collect();
        assert_eq!(firsts, [0, 1, 2, 3, 8, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn shrinking_a_linear_ramp_keeps_it_linear() -> Result<()> {
        let (_, grid) = grid(1920, 1080, Rounding::SevenDecimals);
        let (height, width) = grid.shrunk.expect("a picture of this size is shrunk");
        let features = 16 * SIDE * SIDE;
        // Every feature holds its column in the cut grid.
        let mut columns = vec![0.0_f32; features + 1];
        for y in 0..grid.height {
            for x in 0..grid.width {
                columns[grid.feature(y, x) as usize] = x as f32;
            }
        }
        let mut map = RowMap::default();
        grid.push_shrunk(&mut map, (height, width));
        let map = RowMap::joined([(map, features)].into_iter());
        let columns = Tensor::from_vec(columns, (features + 1, 1), &candle_core::Device::Cpu)?;
        let out = map.apply(&columns)?.flatten_all()?.to_vec1::<f32>()?;
        for (x, got) in out[..width].iter().enumerate().skip(1).take(width - 2) {
            let want = (x as f32 + 0.5) * grid.width as f32 / width as f32 - 0.5;
            assert!((got - want).abs() < 1e-3, "{x}: {got} against {want}");
        }
        Ok(())
    }
}
