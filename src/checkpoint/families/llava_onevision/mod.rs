//! LLaVA-OneVision: SigLIP so400m, a two-layer projector with GELU, Qwen2; pictures in tiles ("anyres").
//!
//! Two layouts hold the same model: the one that transformers reads, and the one that training writes
//! (LLaVA-VL/LLaVA-NeXT). Both are read into one [`Config`].

mod hugging_face;
mod llava_next;
mod tensors;
mod tower;

pub use tensors::expected_tensors;

use super::{Kind, Layout, Pixels};
use candle_transformers::models::{qwen2, siglip};

pub(super) const HUGGING_FACE: Kind = Kind {
    key: "model_type",
    value: "llava_onevision",
    layout: Layout::HuggingFace,
    read: hugging_face::read,
};

pub(super) const LLAVA_NEXT: Kind = Kind {
    key: "architectures",
    value: "LlavaQwenForCausalLM",
    layout: Layout::LlavaNext,
    read: llava_next::read,
};

/// Everything that the forward pass and the preprocessing need, the same for both layouts of one model.
#[derive(Clone, Debug)]
pub struct Config {
    /// The language model.
    pub language: qwen2::Config,
    /// The vision tower. Of LLaVA-NeXT's layout without the last layer, which training deletes on loading.
    pub vision: siglip::VisionConfig,
    /// The image features are the output of this many layers of the tower, before its `post_layernorm`.
    pub vision_layers_used: usize,
    /// Whether the projector's two linear layers have biases.
    pub projector_bias: bool,
    /// Id of `<image>`; `None` where the vocabulary has no such entry (LLaVA-NeXT).
    pub image_token: Option<u32>,
    /// Id of `<video>`; `None` where the vocabulary has no such entry (LLaVA-NeXT).
    pub video_token: Option<u32>,
    /// Sizes (height, width) in pixels that pictures are tiled to, in the file's order, in which the first of equals
    /// wins. All are multiples of the tile.
    pub pinpoints: Vec<(u32, u32)>,
    /// Features of more than this many tiles' area are scaled down: the 9 of `anyres_max_9`. `None`: never.
    pub max_tiles: Option<u32>,
    /// Where the newline embedding goes in a video.
    pub video_newline: VideoNewline,
    /// Tiles of pictures.
    pub image: Pixels,
    /// Frames of videos.
    pub video: Pixels,
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
        self.image.size
    }
}
