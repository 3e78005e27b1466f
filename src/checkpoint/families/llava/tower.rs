//! The vision tower of LLaVA-NeXT's layout, which `config.json` only names: its config, and its weights when training
//! froze it and left it out of the checkpoint.

use super::super::super::error::CheckpointError;
use super::super::super::fields::{CONFIG_LIMIT, Fields, JsonFile, LONGEST_SIDE};
use super::super::super::locate::Source;
use super::super::super::names::Rule;
use super::super::super::options::OpenOptions;
use super::super::super::weights::Weights;
use super::super::vit::Tower;
use super::super::{Opening, vit};
use super::tensors::VISION;
use candle_transformers::models::siglip::VisionConfig;

/// A SigLIP checkpoint's names, with the model's wrapper and (transformers 5) without.
const RULES: &[Rule] = &[
    Rule {
        from: "vision_model.",
        to: VISION,
    },
    Rule {
        from: "embeddings.",
        to: "vision_tower.embeddings.",
    },
    Rule {
        from: "encoder.",
        to: "vision_tower.encoder.",
    },
    Rule {
        from: "post_layernorm.",
        to: "vision_tower.post_layernorm.",
    },
    Rule {
        from: "head.",
        to: "vision_tower.head.",
    },
];

const KEY: &str = "mm_vision_tower";

/// Finds the tower's config as training runs it, without its last layer, and adds the tower's weights to `weights`
/// where they are absent.
pub(super) fn read(
    opening: &Opening<'_>,
    weights: &mut Weights,
) -> Result<VisionConfig, CheckpointError> {
    let fields = opening.config.fields();
    if weights.has_prefix(VISION) {
        return saved(opening, &fields, weights);
    }
    let source = source(opening, &fields, opening.options)?;
    let vision = config_of(&source, opening.options)?;
    weights.add_tower(&source, RULES, opening.options)?;
    Ok(vision)
}

/// The config of a tower whose weights are in the checkpoint: from config.json if it says, else from the tower's own
/// config if that needs no download, else from the weights' shapes.
fn saved(
    opening: &Opening<'_>,
    fields: &Fields<'_>,
    weights: &Weights,
) -> Result<VisionConfig, CheckpointError> {
    for key in ["vision_config", "mm_vision_config"] {
        if let Some(section) = fields.section(key)? {
            return without_last(&section);
        }
    }
    let offline = OpenOptions {
        offline: true,
        ..opening.options.clone()
    };
    if let Ok(source) = source(opening, fields, &offline)
        && source.has("config.json")
    {
        return config_of(&source, &offline);
    }
    if let Some(vision) = so400m_by_shapes(weights) {
        return Ok(vision);
    }
    config_of(&source(opening, fields, opening.options)?, opening.options)
}

/// The tower's own folder or repository; a relative path is tried from the checkpoint's folder first.
fn source(
    opening: &Opening<'_>,
    fields: &Fields<'_>,
    options: &OpenOptions,
) -> Result<Source, CheckpointError> {
    let supported = "the folder or hub id of a SigLIP checkpoint";
    let spec = fields
        .str(KEY)?
        .ok_or_else(|| fields.refuse(KEY, supported))?;
    let inside = opening.source.root.join(spec).is_dir();
    let base = if inside {
        opening.source.root.as_path()
    } else {
        opening.base
    };
    Source::find(spec, base, options)
}

/// The config of a SigLIP checkpoint's tower.
fn config_of(source: &Source, options: &OpenOptions) -> Result<VisionConfig, CheckpointError> {
    if !source.has("config.json") {
        return Err(CheckpointError::NoConfig {
            place: source.place(),
            hint: String::new(),
        });
    }
    let json = JsonFile::read(source.path("config.json", options)?, CONFIG_LIMIT)?;
    let fields = json.fields();
    match fields.str("model_type")? {
        Some("siglip") => {
            let section = fields.section("vision_config")?;
            without_last(&section.ok_or_else(|| fields.refuse("vision_config", "an object"))?)
        }
        Some("siglip_vision_model") => without_last(&fields),
        _ => Err(fields.refuse("model_type", "siglip, siglip_vision_model")),
    }
}

/// Reads a tower's config, with the defaults of LLaVA-NeXT's own class, and takes the last layer off as training does.
fn without_last(fields: &Fields<'_>) -> Result<VisionConfig, CheckpointError> {
    let full = vit::read(fields, Tower::Siglip, &vit::so400m())?;
    if full.num_hidden_layers < 2 {
        return Err(fields.refuse(
            "num_hidden_layers",
            "at least 2, since training deletes the last one",
        ));
    }
    Ok(VisionConfig {
        num_hidden_layers: full.num_hidden_layers - 1,
        ..full
    })
}

/// The config of SigLIP so400m at any resolution, if the shapes are its. The number of attention heads is in no
/// shape, so no other size can be told.
fn so400m_by_shapes(weights: &Weights) -> Option<VisionConfig> {
    let full = vit::so400m();
    let &[hidden, _, patch_size, _] =
        weights.shape(&format!("{VISION}embeddings.patch_embedding.weight"))?
    else {
        return None;
    };
    let &[positions, _] =
        weights.shape(&format!("{VISION}embeddings.position_embedding.weight"))?
    else {
        return None;
    };
    let side = positions.isqrt();
    // 384 does not divide by 14: the six pixels left over are in no shape.
    let image_size = if full.image_size / patch_size.max(1) == side {
        full.image_size
    } else {
        side.checked_mul(patch_size)
            .filter(|side| *side <= LONGEST_SIDE)?
    };
    (hidden == full.hidden_size).then(|| VisionConfig {
        image_size,
        patch_size,
        num_hidden_layers: full.num_hidden_layers - 1,
        ..full
    })
}
