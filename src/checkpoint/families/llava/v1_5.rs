//! LLaVA-1.5 in transformers' layout, such as `llava-hf/llava-1.5-7b-hf`: one tile for each picture and no row ends.
//! Defaults are those of `LlavaConfig`. The same class holds models with SigLIP's tower, such as
//! `llava-hf/llava-interleave-qwen-0.5b-hf`.

use super::super::super::error::CheckpointError;
use super::super::preprocess::Fit;
use super::super::vit::{self, Tower};
use super::super::{Kind, Layout};
use super::hugging_face::{self, Class, Settings};
use super::{Generation, Pictures};

pub(in super::super) const KIND: Kind = Kind {
    key: "model_type",
    value: "llava",
    layout: Layout::HuggingFace,
    read: |opening| hugging_face::read(opening, &CLASS),
};

pub(super) const CLASS: Class = Class {
    generation: Generation::V1_5,
    languages: &["llama", "mistral", "qwen2"],
    towers: &[Tower::Clip, Tower::Siglip],
    vision: vit::clip_large,
    feature_layer: -2,
    strategy: "default",
    image_token: 32_000,
    video_token: None,
    pictures,
};

fn pictures(settings: &Settings<'_>) -> Result<Pictures, CheckpointError> {
    // LlavaImageProcessor then pads to squares before it resizes; published files name CLIP's processor.
    settings.processor.must_be("do_pad", false)?;
    Ok(match settings.fit {
        Fit::Crop => Pictures::Crop,
        Fit::Squash => Pictures::Squash,
    })
}
