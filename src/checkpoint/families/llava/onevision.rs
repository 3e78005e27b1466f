//! LLaVA-OneVision in transformers' layout, such as `llava-hf/llava-onevision-qwen2-0.5b-ov-hf`: tiles of SigLIP's, and
//! videos. Defaults are those of `LlavaOnevisionConfig`.

use super::super::super::error::CheckpointError;
use super::super::super::fields::Fields;
use super::super::preprocess::Fit;
use super::super::vit::{self, Tower};
use super::super::{Kind, Layout};
use super::hugging_face::{self, Class, Settings};
use super::{Generation, Pictures, pinpoints};
use candle_transformers::models::siglip::VisionConfig;

pub(in super::super) const KIND: Kind = Kind {
    key: "model_type",
    value: "llava_onevision",
    layout: Layout::HuggingFace,
    read: |opening| hugging_face::read(opening, &CLASS),
};

const CLASS: Class = Class {
    generation: Generation::OneVision,
    languages: &["qwen2"],
    towers: &[Tower::Siglip],
    // The default of the whole model, not of SigLIP's config.
    vision: || VisionConfig {
        num_hidden_layers: 26,
        ..vit::so400m()
    },
    feature_layer: -1,
    strategy: "full",
    image_token: 151_646,
    video_token: Some(151_647),
    pictures,
};

fn pictures(settings: &Settings<'_>) -> Result<Pictures, CheckpointError> {
    if settings.fit == Fit::Crop {
        return Err(settings.processor.refuse("do_center_crop", "false"));
    }
    // All multiples of 384 up to six.
    let multiples = || (1..=6).flat_map(|h| (1..=6).map(move |w| (h * 384, w * 384)));
    Ok(Pictures::Anyres {
        pinpoints: pinpoints::agreed(settings, || multiples().collect())?,
        max_tiles: Some(max_tiles(&settings.config)?),
        squares: true,
    })
}

/// The 9 of `anyres_max_9`.
fn max_tiles(fields: &Fields<'_>) -> Result<u32, CheckpointError> {
    let key = "vision_aspect_ratio";
    let text = fields.str(key)?.unwrap_or("anyres_max_9");
    let number = text
        .strip_prefix("anyres_max_")
        .and_then(|number| number.parse().ok());
    number
        .filter(|n| *n > 0)
        .ok_or_else(|| fields.refuse(key, "anyres_max_N"))
}
