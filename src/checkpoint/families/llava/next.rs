//! LLaVA-NeXT in transformers' layout, such as `llava-hf/llava-v1.6-mistral-7b-hf`: tiles of CLIP's for every picture,
//! however many there are. Defaults are those of `LlavaNextConfig`. (The layout that LLaVA-NeXT's training code writes is
//! another matter: see `training`.)

use super::super::super::error::CheckpointError;
use super::super::{Kind, Layout};
use super::hugging_face::{self, Class, Settings};
use super::{Generation, Pictures, pinpoints, v1_5};

pub(in super::super) const KIND: Kind = Kind {
    key: "model_type",
    value: "llava_next",
    layout: Layout::HuggingFace,
    read: |opening| hugging_face::read(opening, &CLASS),
};

const CLASS: Class = Class {
    generation: Generation::Next,
    pictures,
    ..v1_5::CLASS
};

/// `LlavaNextConfig`'s, as (height, width).
const PINPOINTS: [(u32, u32); 5] = [(336, 672), (672, 336), (672, 672), (1008, 336), (336, 1008)];

/// The processor resizes and crops tiles, which have their size already, so that it does not matter how.
fn pictures(settings: &Settings<'_>) -> Result<Pictures, CheckpointError> {
    Ok(Pictures::Anyres {
        pinpoints: pinpoints::agreed(settings, || PINPOINTS.to_vec())?,
        max_tiles: None,
        squares: false,
    })
}
