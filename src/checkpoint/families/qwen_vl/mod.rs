//! Qwen2-VL and Qwen2.5-VL: a vision transformer for pictures of any size, and Qwen2 with positions on three axes.
//!
//! Defaults are those of transformers' `Qwen2VLConfig` and `Qwen2_5_VLConfig`. Published files have the language
//! model's settings at the top level; transformers writes them into a `text_config`, which wins where both are.

mod pixels;
mod tensors;
mod vision;

pub use pixels::Pixels;
pub use tensors::expected_tensors;
pub use vision::{VisionConfig, Windows};

use super::super::error::CheckpointError;
use super::super::fields::Fields;
use super::super::fingerprint::Content;
use super::super::weights::Weights;
use super::{Family, Kind, LanguageConfig, Layout, Model, Opening, language};

pub(super) const V2: Kind = Kind {
    key: "model_type",
    value: "qwen2_vl",
    layout: Layout::HuggingFace,
    read: |opening| read(opening, Generation::V2),
};

pub(super) const V2_5: Kind = Kind {
    key: "model_type",
    value: "qwen2_5_vl",
    layout: Layout::HuggingFace,
    read: |opening| read(opening, Generation::V2_5),
};

/// Which of the two it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// Layer norms, quick GELU, every patch of a picture sees every other.
    V2,
    /// RMS norms, a gated MLP, attention in windows in most blocks, and clips that know how fast time goes by.
    V2_5,
}

impl Generation {
    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::V2 => "Qwen2-VL",
            Self::V2_5 => "Qwen2.5-VL",
        }
    }

    /// The `model_type`s of its parts: those of transformers 4 and 5.
    fn model_types(self, part: &str) -> [String; 2] {
        let whole = match self {
            Self::V2 => V2.value,
            Self::V2_5 => V2_5.value,
        };
        [whole.to_owned(), format!("{whole}_{part}")]
    }
}

/// Everything that the forward pass and the preprocessing need.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Which of the two it is.
    pub generation: Generation,
    /// The language model.
    pub language: LanguageConfig,
    /// The vision tower.
    pub vision: VisionConfig,
    /// Id of `<|image_pad|>`.
    pub image_token: u32,
    /// Id of `<|video_pad|>`.
    pub video_token: u32,
    /// Positions on the time axis for a second of a clip; `None` where each temporal slice is one position, whatever
    /// its length (Qwen2-VL).
    pub tokens_per_second: Option<f64>,
    /// How pictures become numbers.
    pub image: Pixels,
    /// How frames become numbers.
    pub video: Pixels,
}

fn read(opening: &Opening<'_>, generation: Generation) -> Result<Model, CheckpointError> {
    let fields = opening.config.fields();
    let (config, inputs) = config(opening, &fields, generation)?;
    Ok(Model {
        expected: tensors::expected(&config),
        family: Family::QwenVl(config),
        weights: Weights::open(opening.source, tensors::RULES, opening.options)?,
        inputs,
    })
}

fn config(
    opening: &Opening<'_>,
    fields: &Fields<'_>,
    generation: Generation,
) -> Result<(Config, Vec<(String, Content)>), CheckpointError> {
    let text = match fields.section("text_config")? {
        Some(section) => {
            section.only(
                "model_type",
                &generation
                    .model_types("text")
                    .each_ref()
                    .map(String::as_str),
            )?;
            section
        }
        None => fields.clone(),
    };
    let language = language::read_qwen_vl(&text)?;
    let section = fields
        .section("vision_config")?
        .ok_or_else(|| fields.refuse("vision_config", "an object"))?;
    let vision = vision::read(&section, generation, language.hidden_size)?;
    let tokens_per_second = match generation {
        Generation::V2 => None,
        Generation::V2_5 => Some(section.positive("tokens_per_second", 4.0)?),
    };
    let ([image, video], inputs) = pixels::read(opening, fields, &vision)?;
    let config = Config {
        generation,
        language,
        vision,
        image_token: fields.u32("image_token_id")?.unwrap_or(151_655),
        video_token: fields.u32("video_token_id")?.unwrap_or(151_656),
        tokens_per_second,
        image,
        video,
    };
    Ok((config, inputs))
}
