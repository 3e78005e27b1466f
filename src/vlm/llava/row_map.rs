//! Tokens made of features: which of them, and in what shares.

use candle_core::{Result, Tensor};

use crate::checkpoint::llava::VideoNewline;
use crate::vlm::ops::rows;

/// Tokens as mixtures of at most four features each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowMap {
    /// For every token the features that it is mixed of; [`NEWLINE`] is the row-end vector.
    pub(super) sources: Vec<[u32; 4]>,
    /// Their shares.
    shares: Vec<[f32; 4]>,
    /// Whether some token is made of more than one feature.
    mixed: bool,
}

/// Stands for the learned vector at the end of every row.
pub(super) const NEWLINE: u32 = u32::MAX;

impl RowMap {
    /// The maps of several pictures as one, over all their features followed by the row-end vector.
    /// Each comes with the number of its picture's features.
    pub fn joined(maps: impl Iterator<Item = (Self, usize)>) -> Self {
        let mut all = Self::default();
        let mut first = 0;
        for (map, features) in maps {
            all.sources.extend(map.sources.iter().map(|sources| {
                sources.map(|source| {
                    if source == NEWLINE {
                        NEWLINE
                    } else {
                        first + source
                    }
                })
            }));
            all.shares.extend(map.shares);
            all.mixed |= map.mixed;
            first += features as u32;
        }
        for source in all.sources.as_flattened_mut() {
            *source = (*source).min(first);
        }
        all
    }

    /// Mixes the rows of `features`, `[sources, d]`, into tokens, `[tokens, d]`.
    ///
    /// # Errors
    /// When a source is out of range or a device operation fails.
    pub fn apply(&self, features: &Tensor) -> Result<Tensor> {
        if self.mixed {
            return rows::mix(features, &self.sources, &self.shares);
        }
        let sources = self.sources.iter().map(|sources| sources[0]);
        rows::select(features, sources.collect())
    }

    /// Frames of `side²` features, each pooled bilinearly to half the side, rounded up.
    pub(super) fn push_clip(&mut self, side: usize, frames: usize, newline: VideoNewline) {
        let pooled = side.div_ceil(2);
        for frame in 0..frames {
            let feature = |y: usize, x: usize| (frame * side * side + y * side + x) as u32;
            for y in 0..pooled {
                self.push_mixed_row(y, (side, pooled), (side, pooled), feature);
                if newline == VideoNewline::Grid {
                    self.push_plain(NEWLINE);
                }
            }
            if newline == VideoNewline::Frame {
                self.push_plain(NEWLINE);
            }
        }
        if newline == VideoNewline::OneToken {
            self.push_plain(NEWLINE);
        }
    }

    /// Row `y` of a grid that is scaled, each side `(from, to)`: bilinear, corners not aligned, no antialias, as
    /// `torch.nn.functional.interpolate`. `feature` gives the source at a row and column.
    pub(super) fn push_mixed_row(
        &mut self,
        y: usize,
        (height, new_height): (usize, usize),
        (width, new_width): (usize, usize),
        feature: impl Fn(usize, usize) -> u32,
    ) {
        self.mixed = true;
        let (y0, y1, down) = neighbours(y, height, new_height);
        for x in 0..new_width {
            let (x0, x1, right) = neighbours(x, width, new_width);
            self.sources
                .push([(y0, x0), (y0, x1), (y1, x0), (y1, x1)].map(|(y, x)| feature(y, x)));
            let (up, left) = (1.0 - down, 1.0 - right);
            self.shares
                .push([up * left, up * right, down * left, down * right]);
        }
    }

    pub(super) fn push_plain(&mut self, source: u32) {
        self.sources.push([source; 4]);
        self.shares.push([1.0, 0.0, 0.0, 0.0]);
    }

    pub(super) fn extend_plain(&mut self, sources: impl Iterator<Item = u32>) {
        sources.for_each(|source| self.push_plain(source));
    }
}

/// The two inputs that output `i` lies between, and the share of the second.
fn neighbours(i: usize, input: usize, output: usize) -> (usize, usize, f32) {
    let scale = input as f32 / output as f32;
    let at = (scale * (i as f32 + 0.5) - 0.5).max(0.0);
    let first = (at as usize).min(input - 1);
    (first, (first + 1).min(input - 1), at - first as f32)
}
