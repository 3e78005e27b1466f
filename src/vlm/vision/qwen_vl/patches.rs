//! The pixels of patches, from frames in 8-bit levels.

use candle_core::{DType, Device, Result, Tensor};
use rayon::prelude::*;

use super::layout::Patch;
use crate::vlm::device::transfer::upload;
use crate::vlm::vision::normalise::Normalise;

/// One slice in time of a picture or clip: the frames that its patches are deep. The last frame of an odd number, and a
/// picture, stand as often as it takes.
pub(crate) struct Slice<'a> {
    /// Levels of each frame, `[height, width, 3]`.
    pub(crate) frames: Vec<&'a [u8]>,
    /// Rows of tokens.
    pub(crate) rows: usize,
    /// Tokens in a row.
    pub(crate) columns: usize,
    /// Whether it is of a clip, whose levels may be normalised otherwise than a picture's.
    pub(crate) of_clip: bool,
}

/// How frames are cut into patches.
pub(super) struct Cutter {
    /// Side of a patch in pixels.
    pub(super) patch: usize,
    /// Frames of a patch.
    pub(super) depth: usize,
    /// Side of a token in patches.
    pub(super) merge: usize,
    pub(super) pictures: Normalise,
    pub(super) clips: Normalise,
}

impl Cutter {
    /// Normalised pixels `[patches, 3 · depth · patch²]` in the order of a convolution's weight: channel, time, row,
    /// column.
    pub(super) fn cut(
        &self,
        slices: &[Slice<'_>],
        patches: &[Patch],
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        for slice in slices {
            self.check(slice)?;
        }
        let (side, plane) = (self.patch, self.patch.pow(2));
        let width = 3 * self.depth * plane;
        let mut values = vec![0.0; patches.len() * width];
        values
            .par_chunks_mut(width)
            .zip(patches)
            .for_each(|(out, patch)| {
                let slice = &slices[patch.slice];
                let normalise = if slice.of_clip {
                    &self.clips
                } else {
                    &self.pictures
                };
                let tables: [_; 3] = std::array::from_fn(|c| normalise.channel(c));
                let stride = slice.columns * self.merge * side;
                let corner = patch.row as usize * side * stride + patch.column as usize * side;
                for (time, levels) in slice.frames.iter().enumerate() {
                    for row in 0..side {
                        let line = &levels[(corner + row * stride) * 3..][..side * 3];
                        for (column, pixel) in line.chunks_exact(3).enumerate() {
                            for (c, level) in pixel.iter().enumerate() {
                                let at = (c * self.depth + time) * plane + row * side + column;
                                out[at] = tables[c][*level as usize];
                            }
                        }
                    }
                }
            });
        upload(values, (patches.len(), width), device)?.to_dtype(dtype)
    }

    fn check(&self, slice: &Slice<'_>) -> Result<()> {
        let levels = slice.rows * slice.columns * (self.merge * self.patch).pow(2) * 3;
        let wrong = slice.frames.iter().find(|frame| frame.len() != levels);
        if let Some(frame) = wrong {
            candle_core::bail!("a frame of {} levels for a grid of {levels}", frame.len());
        }
        if slice.frames.len() != self.depth {
            candle_core::bail!(
                "a slice of {} frames for patches of {}",
                slice.frames.len(),
                self.depth
            );
        }
        Ok(())
    }
}
