//! What a user may choose about how pictures and frames become pixels and positions.

use crate::media::Resampler;

/// What a [`Processor`](super::Processor) leaves open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessorOptions {
    /// Whose levels a resize has to give.
    pub resampler: Resampler,
    /// How large pictures are made, for families that keep a picture's shape (Qwen-VL); others have sizes of their own.
    pub pictures: PixelBounds,
    /// How large frames are made, for the same families.
    pub frames: PixelBounds,
}

/// Bounds of the pixels of a resized picture or frame. `None`: the checkpoint's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PixelBounds {
    /// The fewest; at least 1.
    pub min_pixels: Option<u64>,
    /// The most. Where it is below the fewest, it is what holds.
    pub max_pixels: Option<u64>,
}
