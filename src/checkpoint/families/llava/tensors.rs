//! The tensors of the LLaVA line under their canonical names.

use super::super::super::check::Expected;
use super::super::{language, vit};
use super::Config;

const LANGUAGE: &str = "language_model.model.";
pub(super) const VISION: &str = "vision_tower.";

/// Canonical name and shape of every tensor that the forward pass to the last hidden state reads.
pub fn expected_tensors(config: &Config) -> Vec<(String, Vec<usize>)> {
    let (vision, hidden) = (config.vision.hidden_size, config.language.hidden_size);
    let mut tensors = vit::tensors(
        VISION,
        config.tower,
        &config.vision,
        config.vision_layers_used,
    );
    for (layer, width) in [("linear_1", vision), ("linear_2", hidden)] {
        tensors.push((
            format!("multi_modal_projector.{layer}.weight"),
            vec![hidden, width],
        ));
        if config.projector_bias {
            tensors.push((format!("multi_modal_projector.{layer}.bias"), vec![hidden]));
        }
    }
    if config.has_newline() {
        tensors.push(("image_newline".into(), vec![hidden]));
    }
    tensors.extend(language::tensors(LANGUAGE, &config.language));
    tensors
}

/// What to check the weights against. Up to `vision_layers` layers may be in the file, though fewer are used;
/// `layers_key` is where the config says how many layers the language model has.
pub(super) fn expected(
    config: &Config,
    vision_layers: usize,
    layers_key: &'static str,
) -> Expected {
    let used = config.vision_layers_used;
    Expected {
        tensors: expected_tensors(config),
        unused: Box::new(move |name| {
            let spare_layer = || {
                let rest = name.strip_prefix("vision_tower.encoder.layers.")?;
                let layer: usize = rest.split('.').next()?.parse().ok()?;
                Some((used..vision_layers).contains(&layer))
            };
            name.starts_with("language_model.lm_head.")
                || name.starts_with("vision_tower.post_layernorm.")
                || name.starts_with("vision_tower.head.")
                || name == "language_model.model.faster_token"
                || name.ends_with("rotary_emb.inv_freq")
                || name.ends_with("embeddings.position_ids")
                || spare_layer() == Some(true)
        }),
        layers: vec![
            (
                "language_model.model.layers.",
                config.language.num_hidden_layers,
                layers_key,
            ),
            (
                "vision_tower.encoder.layers.",
                vision_layers,
                "the vision tower's num_hidden_layers",
            ),
        ],
    }
}
