//! The layout that LLaVA-NeXT's training code writes: Qwen2's config with `mm_…` keys beside it, no preprocessor
//! files, and often no vision tower. Read from LLaVA-VL/LLaVA-NeXT: `llava/model/llava_arch.py`,
//! `llava/model/multimodal_encoder/`, `llava/mm_utils.py`, `llava/train/train.py`.

use super::super::super::error::CheckpointError;
use super::super::super::fields::Fields;
use super::super::super::fingerprint::Content;
use super::super::super::names::Rule;
use super::super::super::weights::Weights;
use super::super::vit::Tower;
use super::super::{Family, Kind, Layout, Model, Opening, Pixels, language, vit};
use super::tensors::{self, VISION};
use super::tower;
use super::{Config, Generation, Pictures, Video, VideoNewline, pinpoints};

pub(in super::super) const KIND: Kind = Kind {
    key: "architectures",
    value: "LlavaQwenForCausalLM",
    layout: Layout::LlavaNext,
    read,
};

const RULES: &[Rule] = &[
    Rule {
        from: "model.",
        to: "language_model.model.",
    },
    Rule {
        from: "lm_head.",
        to: "language_model.lm_head.",
    },
    Rule {
        from: "model.vision_tower.vision_tower.vision_model.",
        to: VISION,
    },
    Rule {
        from: "model.mm_projector.0.",
        to: "multi_modal_projector.linear_1.",
    },
    Rule {
        from: "model.mm_projector.2.",
        to: "multi_modal_projector.linear_2.",
    },
    Rule {
        from: "model.image_newline",
        to: "image_newline",
    },
];

fn read(opening: &Opening<'_>) -> Result<Model, CheckpointError> {
    let fields = opening.config.fields();
    let language = language::read_qwen2(&fields)?;
    check_settings(&fields)?;
    let max_tiles = max_tiles(&fields)?;
    let video_newline = video_newline(&fields)?;

    let mut weights = Weights::open(opening.source, RULES, opening.options)?;
    let vision = tower::read(opening, &mut weights)?;
    let pixels = Pixels::siglip(vision.image_size as u32);
    let config = Config {
        generation: Generation::OneVision,
        language,
        tower: Tower::Siglip,
        // The tower's `hidden_states[-1]` after its last layer is deleted, whatever mm_vision_select_layer says.
        vision_layers_used: vision.num_hidden_layers,
        projector_bias: true,
        image_token: None,
        pictures: Pictures::Anyres {
            pinpoints: pinpoints::of_training(&fields, pixels.size)?,
            max_tiles,
            squares: true,
        },
        video: Some(Video {
            token: None,
            newline: video_newline,
        }),
        pixels,
        vision,
    };
    if fields
        .usize("mm_hidden_size")?
        .is_some_and(|size| size != config.vision.hidden_size)
    {
        let supported = format!(
            "the vision tower's hidden size {}",
            config.vision.hidden_size
        );
        return Err(fields.refuse("mm_hidden_size", &supported));
    }
    // Hashed as it was resolved, so that the fingerprint does not depend on where the tower's config was found.
    let inputs = vec![(
        "vision config".into(),
        Content::Text(vit::describe(&config.vision)),
    )];
    let layers_allowed = config.vision_layers_used + 1;
    Ok(Model {
        expected: tensors::expected(&config, layers_allowed, "num_hidden_layers"),
        family: Family::Llava(config),
        weights,
        inputs,
    })
}

/// Refuses what changes the features and is not implemented.
fn check_settings(fields: &Fields<'_>) -> Result<(), CheckpointError> {
    for (key, supported) in [
        ("mm_projector_type", "mlp2x_gelu"),
        ("mm_patch_merge_type", "spatial_unpad"),
    ] {
        // The training code's own defaults (linear, flat) are not LLaVA-OneVision's.
        if fields.str(key)? != Some(supported) {
            return Err(fields.refuse(key, supported));
        }
    }
    fields.only("mm_spatial_pool_mode", &["bilinear"])?;
    if fields.get("mm_resampler_type").is_some() {
        return Err(fields.refuse("mm_resampler_type", "null"));
    }
    for key in ["mm_use_im_start_end", "add_faster_video", "s2"] {
        fields.must_be(key, false)?;
    }
    Ok(())
}

/// `anyres` has no limit, `anyres_max_9` one of 9 tiles' area.
fn max_tiles(fields: &Fields<'_>) -> Result<Option<u32>, CheckpointError> {
    let key = "image_aspect_ratio";
    let refuse = || fields.refuse(key, "anyres, anyres_max_N");
    match fields.str(key)? {
        Some("anyres") => Ok(None),
        Some(text) => {
            let number = text
                .strip_prefix("anyres_max_")
                .and_then(|number| number.parse().ok());
            number.filter(|n| *n > 0).map(Some).ok_or_else(refuse)
        }
        None => Err(refuse()),
    }
}

fn video_newline(fields: &Fields<'_>) -> Result<VideoNewline, CheckpointError> {
    let key = "mm_newline_position";
    match fields.str(key)? {
        None | Some("one_token") => Ok(VideoNewline::OneToken),
        Some("grid") => Ok(VideoNewline::Grid),
        Some("frame") => Ok(VideoNewline::Frame),
        Some("no_token") => Ok(VideoNewline::NoToken),
        Some(_) => Err(fields.refuse(key, "one_token, grid, frame, no_token")),
    }
}
