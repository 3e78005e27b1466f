//! How samples are prepared.

use crate::config::{Protocol, TooLong};
use crate::media::{Limits, Orientation, Sampling, VideoLimits};
use crate::vlm::ProcessorOptions;

/// What decides how samples are prepared, apart from the checkpoint.
#[derive(Clone, Debug)]
pub struct Options {
    /// How pictures and frames are resized.
    pub processor: ProcessorOptions,
    /// Whether pictures are turned as their files ask for.
    pub orientation: Orientation,
    /// How large a picture file may be.
    pub limits: Limits,
    /// Which frames of a clip are taken.
    pub sampling: Sampling,
    /// The most frames of a clip.
    pub max_frames: Option<u32>,
    /// How large a clip may be, and how long it may take.
    pub video: VideoLimits,
    /// Whether the words of turns are told from the template around them.
    pub spans: bool,
    /// Whether modalities are passed together.
    pub protocol: Protocol,
    /// The most tokens of a pass over one sample; the checkpoint's context, at most 32,768, if not said.
    pub max_tokens: Option<usize>,
    /// What becomes of a sample with more.
    pub too_long: TooLong,
}
