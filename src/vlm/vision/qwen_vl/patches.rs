//! Where the patches of slices are in the pictures' and frames' 8-bit levels.

use candle_core::{Result, Tensor};

use super::layout::Patch;
use crate::vlm::ops::{Corner, Patches};

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
    /// The normalisations are those of pictures and clips.
    pub(super) patches: Patches,
    /// Side of a patch in pixels.
    pub(super) patch: usize,
    /// Side of a token in patches.
    pub(super) merge: usize,
}

impl Cutter {
    /// Normalised pixels `[patches, 3 · depth · patch²]` in the order of a convolution's weight: channel, time, row,
    /// column.
    pub(super) fn cut(&self, slices: &[Slice<'_>], patches: &[Patch]) -> Result<Tensor> {
        // A frame that is repeated is one picture.
        let mut pictures: Vec<&[u8]> = Vec::new();
        let mut of_slices: Vec<Vec<u32>> = Vec::with_capacity(slices.len());
        for slice in slices {
            self.check(slice)?;
            let first = pictures.len();
            let mut indices = Vec::with_capacity(slice.frames.len());
            for &frame in &slice.frames {
                let same = |seen: &&[u8]| std::ptr::eq(*seen, frame);
                let found = pictures[first..].iter().position(same);
                let index = found.map_or(pictures.len(), |at| first + at);
                if found.is_none() {
                    pictures.push(frame);
                }
                indices.push(index as u32);
            }
            of_slices.push(indices);
        }
        let side = self.patch;
        let corners: Vec<Corner> = patches
            .iter()
            .flat_map(|patch| {
                let slice = &slices[patch.slice];
                let stride = slice.columns * self.merge * side * 3;
                let first = patch.row as usize * side * stride + patch.column as usize * side * 3;
                of_slices[patch.slice].iter().map(move |&picture| Corner {
                    picture,
                    first: first as u32,
                    stride: stride as u32,
                    table: u32::from(slice.of_clip),
                })
            })
            .collect();
        self.patches.cut(&pictures, &corners)
    }

    fn check(&self, slice: &Slice<'_>) -> Result<()> {
        let levels = slice.rows * slice.columns * (self.merge * self.patch).pow(2) * 3;
        let wrong = slice.frames.iter().find(|frame| frame.len() != levels);
        if let Some(frame) = wrong {
            candle_core::bail!("a frame of {} levels for a grid of {levels}", frame.len());
        }
        if slice.frames.len() != self.patches.depth() {
            candle_core::bail!(
                "a slice of {} frames for patches of {}",
                slice.frames.len(),
                self.patches.depth()
            );
        }
        Ok(())
    }
}
