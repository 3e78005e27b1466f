//! The layout that LLaVA-NeXT's training code writes: Qwen2's config with `mm_…` keys beside it, no preprocessor
//! files, and often no vision tower. Read from LLaVA-VL/LLaVA-NeXT: `llava/model/llava_arch.py`,
//! `llava/model/multimodal_encoder/`, `llava/mm_utils.py`, `llava/train/train.py`.

use super::super::super::error::CheckpointError;
use super::super::super::fields::Fields;
use super::super::super::fingerprint::Content;
use super::super::super::names::Rule;
use super::super::super::weights::Weights;
use super::super::vit::Tower;
use super::super::{Family, Model, Opening, Pixels, language, vit};
use super::onevision::{check_pinpoints, pairs};
use super::tensors::{self, VISION};
use super::tower;
use super::{Config, Generation, Pictures, Video, VideoNewline};

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

pub(super) fn read(opening: &Opening<'_>) -> Result<Model, CheckpointError> {
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
            pinpoints: pinpoints(&fields, pixels.size)?,
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

/// `image_grid_pinpoints` as (height, width): the file has (width, height), as a list, as a list in a string, or as
/// a range of tiles, `(1x1),...,(6x6)`.
fn pinpoints(fields: &Fields<'_>, tile: u32) -> Result<Vec<(u32, u32)>, CheckpointError> {
    let key = "image_grid_pinpoints";
    let refuse = |supported: &str| fields.refuse(key, supported);
    let form = "a list of [width, height] pairs, or \"(1x1),...,(6x6)\"";
    let value = fields.get(key).ok_or_else(|| refuse(form))?;
    let parsed = match value.as_str() {
        Some(text) if text.contains('x') => range(text, tile),
        Some(text) => {
            let json = text.replace('(', "[").replace(')', "]");
            serde_json::from_str(&json).ok().as_ref().and_then(pairs)
        }
        None => pairs(value),
    };
    let pairs: Vec<(u32, u32)> = parsed
        .ok_or_else(|| refuse(form))?
        .into_iter()
        .map(|(w, h)| (h, w))
        .collect();
    check_pinpoints(&pairs, tile).map_err(|supported| refuse(&supported))?;
    Ok(pairs)
}

/// All tile counts from the first pair to the last, in pixels, the first number in the outer loop.
fn range(text: &str, tile: u32) -> Option<Vec<(u32, u32)>> {
    let ends: Vec<(u32, u32)> = text
        .split(['(', ')'])
        .filter_map(|part| part.split_once('x'))
        .filter_map(|(first, second)| Some((first.parse().ok()?, second.parse().ok()?)))
        .collect();
    let (first, last) = (*ends.first()?, *ends.last()?);
    // A wild range must not fill the memory.
    if last.0.max(last.1) > 64 {
        return None;
    }
    let inner = |a: u32| (first.1..=last.1).map(move |b| (a * tile, b * tile));
    Some((first.0..=last.0).flat_map(inner).collect())
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn ranges_span_all_products() {
        assert_eq!(
            range("(1x1),...,(2x2)", 10).unwrap(),
            [(10, 10), (10, 20), (20, 10), (20, 20)]
        );
        assert_eq!(range("(1x1),...,(6x6)", 384).unwrap().len(), 36);
        assert_eq!(range("(1x1),...,(9999x9999)", 384), None);
        assert_eq!(range("x", 384), None);
    }
}
