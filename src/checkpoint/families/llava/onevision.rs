//! The layout of Hugging Face transformers: `llava-hf/llava-onevision-qwen2-0.5b-ov-hf` and what `save_pretrained`
//! makes of it, in transformers 4 and 5. Defaults are those of `LlavaOnevisionConfig`.

use super::super::super::error::CheckpointError;
use super::super::super::fields::Fields;
use super::super::super::fingerprint::Content;
use super::super::super::names::Rule;
use super::super::super::weights::Weights;
use super::super::vit::Tower;
use super::super::{Family, Model, Opening, language, preprocess, vit};
use super::{Config, Generation, Pictures, Video, VideoNewline, tensors};
use candle_transformers::models::siglip::VisionConfig;
use serde_json::Value;

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

pub(super) fn read(opening: &Opening<'_>) -> Result<Model, CheckpointError> {
    let fields = opening.config.fields();
    let (config, inputs) = config(opening, &fields)?;
    let weights = Weights::open(opening.source, RULES, opening.options)?;
    let layers_allowed = config.vision.num_hidden_layers;
    Ok(Model {
        expected: tensors::expected(&config, layers_allowed, "text_config.num_hidden_layers"),
        family: Family::Llava(config),
        weights,
        inputs,
    })
}

fn config(
    opening: &Opening<'_>,
    fields: &Fields<'_>,
) -> Result<(Config, Vec<(String, Content)>), CheckpointError> {
    fields.only("projector_hidden_act", &["gelu"])?;
    fields.only("vision_feature_select_strategy", &["full"])?;
    let text = fields
        .section("text_config")?
        .ok_or_else(|| fields.refuse("text_config", "a Qwen2 config"))?;
    let language = language::read(&text, &["qwen2"])?;
    let vision = match fields.section("vision_config")? {
        Some(section) => vit::read(&section, Tower::Siglip, &vit::base())?,
        // The class default of the whole model, not of SigLIP's config.
        None => VisionConfig {
            num_hidden_layers: 26,
            ..vit::so400m()
        },
    };
    let pre = preprocess::Files::open(opening)?;
    let image_fields = pre.image(fields)?;
    let pixels = preprocess::read(&image_fields, vision.image_size)?;
    if let Some(fields) = pre.video()? {
        preprocess::same(&fields, &pixels)?;
    }
    let pinpoints = pinpoints(fields, pixels.size)?;
    // The processor cuts by its own list and the model packs by its own; transformers assumes that they agree.
    if pinpoints != self::pinpoints(&image_fields, pixels.size)? {
        return Err(image_fields.refuse("image_grid_pinpoints", "the list of config.json"));
    }
    let config = Config {
        generation: Generation::OneVision,
        vision_layers_used: layers_used(fields, vision.num_hidden_layers, -1)?,
        language,
        tower: Tower::Siglip,
        vision,
        projector_bias: fields.bool("multimodal_projector_bias")?.unwrap_or(true),
        image_token: Some(token(fields, "image", 151_646)?),
        pictures: Pictures::Anyres {
            pinpoints,
            max_tiles: Some(max_tiles(fields)?),
            squares: true,
        },
        video: Some(Video {
            token: Some(token(fields, "video", 151_647)?),
            newline: VideoNewline::OneToken,
        }),
        pixels,
    };
    Ok((config, pre.into_inputs().collect()))
}

/// How many layers `vision_feature_layer` (an index into `hidden_states`, whose first entry is the embeddings) takes.
pub(super) fn layers_used(
    fields: &Fields<'_>,
    layers: usize,
    default: i64,
) -> Result<usize, CheckpointError> {
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

pub(super) fn token(
    fields: &Fields<'_>,
    modality: &str,
    default: u32,
) -> Result<u32, CheckpointError> {
    // transformers 4 writes …_index, 5 reads both.
    let index = fields.u32(&format!("{modality}_token_index"))?;
    let id = fields.u32(&format!("{modality}_token_id"))?;
    Ok(index.or(id).unwrap_or(default))
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

/// The (height, width) pairs of `image_grid_pinpoints`; by default all multiples of 384 up to six.
fn pinpoints(fields: &Fields<'_>, tile: u32) -> Result<Vec<(u32, u32)>, CheckpointError> {
    let key = "image_grid_pinpoints";
    let pairs = match fields.get(key) {
        None => (1..=6)
            .flat_map(|h| (1..=6).map(move |w| (h * 384, w * 384)))
            .collect(),
        Some(list) => {
            pairs(list).ok_or_else(|| fields.refuse(key, "a list of [height, width] pairs"))?
        }
    };
    check_pinpoints(&pairs, tile).map_err(|supported| fields.refuse(key, &supported))?;
    Ok(pairs)
}

/// A list of pairs of whole numbers.
pub(super) fn pairs(list: &Value) -> Option<Vec<(u32, u32)>> {
    let number = |value: &Value| value.as_u64()?.try_into().ok();
    let pair = |pair: &Value| match pair.as_array()?.as_slice() {
        [first, second] => Some((number(first)?, number(second)?)),
        _ => None,
    };
    list.as_array()?.iter().map(pair).collect()
}

/// Refuses an empty list and sizes that tiles do not fill.
pub(super) fn check_pinpoints(pairs: &[(u32, u32)], tile: u32) -> Result<(), String> {
    let fits = |edge: u32| edge > 0 && edge.is_multiple_of(tile);
    if pairs.is_empty() || !pairs.iter().all(|(h, w)| fits(*h) && fits(*w)) {
        return Err(format!(
            "at least one pair, all multiples of the tile's {tile} pixels"
        ));
    }
    Ok(())
}
