//! The LLaVA line: a CLIP or SigLIP tower, a two-layer projector with GELU, a language model of the Llama kind.
//!
//! The members differ in how a picture becomes tiles and tiles become tokens. All come in the layout that transformers
//! reads (`hugging_face`, and a file for each), LLaVA-OneVision also in the one that training writes (`training`,
//! LLaVA-VL/LLaVA-NeXT). All are read into one [`Config`].

mod hugging_face;
mod next;
mod onevision;
mod pinpoints;
mod tensors;
mod tower;
mod training;
mod v1_5;

pub(super) use next::KIND as NEXT;
pub(super) use onevision::KIND as ONE_VISION;
pub use tensors::expected_tensors;
pub(super) use training::KIND as TRAINING;
pub(super) use v1_5::KIND as V1_5;

use super::vit::Tower;
use super::{LanguageConfig, Pixels};
use candle_transformers::models::siglip::VisionConfig;

/// The members of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// One crop of CLIP's.
    V1_5,
    /// Tiles of CLIP's.
    Next,
    /// Tiles of SigLIP's, and videos.
    OneVision,
}

impl Generation {
    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::V1_5 => "LLaVA-1.5",
            Self::Next => "LLaVA-NeXT",
            Self::OneVision => "LLaVA-OneVision",
        }
    }
}

/// Everything that the forward pass and the preprocessing need, whatever the layout.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which member of the line it is.
    pub generation: Generation,
    /// The language model.
    pub language: LanguageConfig,
    /// Whose vision transformer the tower is.
    pub tower: Tower,
    /// The vision tower. Of LLaVA-NeXT's layout without the last layer, which training deletes on loading.
    pub vision: VisionConfig,
    /// The image features are the output of this many layers of the tower, before any norm after them and without the
    /// class token.
    pub vision_layers_used: usize,
    /// Whether the projector's two linear layers have biases.
    pub projector_bias: bool,
    /// Id of `<image>`; `None` where the vocabulary has no such entry (LLaVA-NeXT's layout).
    pub image_token: Option<u32>,
    /// How pictures become tiles.
    pub pictures: Pictures,
    /// How videos become tokens; `None` for families that know none.
    pub video: Option<Video>,
    /// Tiles of pictures, frames of videos.
    pub pixels: Pixels,
}

/// How pictures become tiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pictures {
    /// The shorter edge is resized to the tile's and the middle is cut out. No row ends.
    Crop,
    /// The whole picture is squashed to a tile, whatever its ratio. No row ends.
    Squash,
    /// Tiles of the resolution that fits best, behind a tile of the whole picture.
    Anyres {
        /// Sizes (height, width) in pixels that pictures are tiled to, in the file's order, in which the first of
        /// equals wins. All are multiples of the tile.
        pinpoints: Vec<(u32, u32)>,
        /// Features of more than this many tiles' area are scaled down: the 9 of `anyres_max_9`. `None`: never.
        max_tiles: Option<u32>,
        /// Whether each picture of a sample with several is a padded square of one tile instead.
        squares: bool,
    },
}

/// How videos become tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Video {
    /// Id of `<video>`; `None` where the vocabulary has no such entry (LLaVA-NeXT's layout).
    pub token: Option<u32>,
    /// Where the newline embedding goes.
    pub newline: VideoNewline,
}

/// LLaVA-NeXT's `mm_newline_position`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VideoNewline {
    /// One at the end of the video. The only one that transformers knows.
    OneToken,
    /// One at the end of every row of every frame.
    Grid,
    /// One at the end of every frame.
    Frame,
    /// None.
    NoToken,
}

impl Config {
    /// Edge of a tile in pixels, which is the vision tower's input.
    pub fn tile(&self) -> u32 {
        self.pixels.size
    }

    /// Whether there is a learned vector for the ends of rows.
    pub fn has_newline(&self) -> bool {
        matches!(self.pictures, Pictures::Anyres { .. })
    }
}
