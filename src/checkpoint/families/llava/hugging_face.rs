//! The layout of Hugging Face transformers, as published and as `save_pretrained` of transformers 4 and 5 writes it.
//! What the classes `LlavaConfig`, `LlavaNextConfig` and `LlavaOnevisionConfig` have in common; a generation says in
//! its own file what is special about it.

use super::super::super::error::CheckpointError;
use super::super::super::fields::Fields;
use super::super::super::names::Rule;
use super::super::super::weights::Weights;
use super::super::preprocess::Fit;
use super::super::vit::Tower;
use super::super::{Family, LanguageConfig, Model, Opening, language, preprocess, vit};
use super::{Config, Generation, Pictures, Video, VideoNewline, tensors};
use candle_transformers::models::siglip::VisionConfig;

/// Published files, transformers 5's files, and state dicts as they are (with and without `vision_model.`).
const RULES: &[Rule] = &[
    Rule {
        from: "language_model.",
        to: "language_model.",
    },
    Rule {
        from: "model.language_model.",
        to: "language_model.model.",
    },
    Rule {
        from: "lm_head.",
        to: "language_model.lm_head.",
    },
    Rule {
        from: "vision_tower.",
        to: "vision_tower.",
    },
    Rule {
        from: "vision_tower.vision_model.",
        to: "vision_tower.",
    },
    Rule {
        from: "model.vision_tower.",
        to: "vision_tower.",
    },
    Rule {
        from: "model.vision_tower.vision_model.",
        to: "vision_tower.",
    },
    Rule {
        from: "multi_modal_projector.",
        to: "multi_modal_projector.",
    },
    Rule {
        from: "model.multi_modal_projector.",
        to: "multi_modal_projector.",
    },
    Rule {
        from: "image_newline",
        to: "image_newline",
    },
    Rule {
        from: "model.image_newline",
        to: "image_newline",
    },
];

/// What a generation's class takes for absent keys, and what it can be made of.
pub(super) struct Class {
    pub(super) generation: Generation,
    /// Language models by `model_type`; the first one where the config says none.
    pub(super) languages: &'static [&'static str],
    /// Vision towers; the first one where the config says none.
    pub(super) towers: &'static [Tower],
    /// The tower of a config without `vision_config`.
    pub(super) vision: fn() -> VisionConfig,
    /// `vision_feature_layer`
    pub(super) feature_layer: i64,
    /// `vision_feature_select_strategy`
    pub(super) strategy: &'static str,
    /// `image_token_index`
    pub(super) image_token: u32,
    /// `video_token_index`, of families that know videos.
    pub(super) video_token: Option<u32>,
    /// How pictures become tiles.
    pub(super) pictures: fn(&Settings<'_>) -> Result<Pictures, CheckpointError>,
}

/// What decides how pictures become tiles.
pub(super) struct Settings<'a> {
    /// `config.json`
    pub(super) config: Fields<'a>,
    /// The image part of the preprocessor's files.
    pub(super) processor: Fields<'a>,
    /// How the processor gets to a tower's input.
    pub(super) fit: Fit,
    /// Edge of the tower's input in pixels.
    pub(super) tile: u32,
}

pub(super) fn read(opening: &Opening<'_>, class: &Class) -> Result<Model, CheckpointError> {
    let fields = opening.config.fields();
    if fields.get("mm_vision_tower").is_some() {
        let supported = "none here: this is the layout of LLaVA's training; name the checkpoint \
                         that was converted for transformers, such as those of llava-hf";
        return Err(fields.refuse("mm_vision_tower", supported));
    }
    fields.only("projector_hidden_act", &["gelu"])?;
    let language = language(&fields, class)?;
    let (tower, vision) = vision(&fields, class)?;
    strategy(&fields, class, tower)?;

    let files = preprocess::Files::open(opening)?;
    let processor = files.image(&fields)?;
    let (pixels, fit) = preprocess::read(&processor, tower, vision.image_size)?;
    if class.video_token.is_some()
        && let Some(fields) = files.video()?
    {
        preprocess::same(&fields, tower, &pixels)?;
    }
    let settings = Settings {
        config: fields.clone(),
        processor,
        fit,
        tile: pixels.size,
    };
    let video = |default| -> Result<Video, CheckpointError> {
        Ok(Video {
            token: Some(token(&fields, "video", default)?),
            newline: VideoNewline::OneToken,
        })
    };
    let layers_allowed = vision.num_hidden_layers;
    let config = Config {
        generation: class.generation,
        vision_layers_used: layers_used(&fields, layers_allowed, class.feature_layer)?,
        language,
        tower,
        vision,
        projector_bias: fields.bool("multimodal_projector_bias")?.unwrap_or(true),
        image_token: Some(token(&fields, "image", class.image_token)?),
        pictures: (class.pictures)(&settings)?,
        video: class.video_token.map(video).transpose()?,
        pixels,
    };
    Ok(Model {
        expected: tensors::expected(&config, layers_allowed, "text_config.num_hidden_layers"),
        family: Family::Llava(config),
        weights: Weights::open(opening.source, RULES, opening.options)?,
        inputs: files.into_inputs().collect(),
    })
}

fn language(fields: &Fields<'_>, class: &Class) -> Result<LanguageConfig, CheckpointError> {
    language::read(&fields.section_or_empty("text_config")?, class.languages)
}

/// The tower that `vision_config` describes. One without a `model_type` has the defaults of the class's tower in its
/// plain size; only where there is none at all the generation's own tower is meant.
fn vision(fields: &Fields<'_>, class: &Class) -> Result<(Tower, VisionConfig), CheckpointError> {
    let Some(section) = fields.section("vision_config")? else {
        return Ok((class.towers[0], (class.vision)()));
    };
    let types: Vec<&str> = class
        .towers
        .iter()
        .map(|tower| tower.model_type())
        .collect();
    section.only("model_type", &types)?;
    let named = section.str("model_type")?;
    let tower = class
        .towers
        .iter()
        .find(|tower| Some(tower.model_type()) == named)
        .map_or(class.towers[0], |tower| *tower);
    Ok((tower, vit::read(&section, tower, &tower.plain())?))
}

/// `default` drops the first position, which is CLIP's class token, and `full` keeps all: each of the two is right for
/// one of the towers only.
fn strategy(fields: &Fields<'_>, class: &Class, tower: Tower) -> Result<(), CheckpointError> {
    let key = "vision_feature_select_strategy";
    let (right, why) = match tower {
        Tower::Clip => ("default", "which leaves out CLIP's class token"),
        Tower::Siglip => ("full", "since SigLIP has no class token to leave out"),
    };
    if fields.str(key)?.unwrap_or(class.strategy) == right {
        Ok(())
    } else {
        Err(fields.refuse(key, &format!("{right}, {why}")))
    }
}

/// How many layers `vision_feature_layer` (an index into `hidden_states`, whose first entry is the embeddings) takes.
fn layers_used(fields: &Fields<'_>, layers: usize, default: i64) -> Result<usize, CheckpointError> {
    let key = "vision_feature_layer";
    let refuse = || {
        fields.refuse(
            key,
            &format!("one layer of the {layers}, as 1..={layers} or -{layers}..=-1"),
        )
    };
    let index = match fields.get(key) {
        None => default,
        Some(value) => value.as_i64().ok_or_else(refuse)?,
    };
    let used = if index < 0 {
        index + layers as i64 + 1
    } else {
        index
    };
    usize::try_from(used)
        .ok()
        .filter(|used| (1..=layers).contains(used))
        .ok_or_else(refuse)
}

fn token(fields: &Fields<'_>, modality: &str, default: u32) -> Result<u32, CheckpointError> {
    // transformers 4 writes …_index, 5 reads both.
    let index = fields.u32(&format!("{modality}_token_index"))?;
    let id = fields.u32(&format!("{modality}_token_id"))?;
    Ok(index.or(id).unwrap_or(default))
}
