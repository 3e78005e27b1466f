//! The tensors of CLIP and SigLIP. Their names in files are those of transformers, and canonical.

use super::super::super::check::Expected;
use super::super::super::names::Rule;
use super::super::vit::{self, Tower};
use super::{Config, TextConfig};

/// What the names of the vision side begin with.
pub const VISION: &str = "vision_model";
/// What the names of the text side begin with.
pub const TEXT: &str = "text_model";

/// The parts of the two models.
pub(super) const RULES: &[Rule] = &[
    same("vision_model."),
    same("text_model."),
    same("visual_projection."),
    same("text_projection."),
    same("logit_"),
];

const fn same(prefix: &'static str) -> Rule {
    Rule {
        from: prefix,
        to: prefix,
    }
}

/// What to check the weights against.
pub(super) fn expected(config: &Config) -> Expected {
    let layers = config.vision.num_hidden_layers;
    let prefix = format!("{VISION}.");
    let mut tensors = vit::tensors(&prefix, config.tower, &config.vision, layers);
    let d = config.vision.hidden_size;
    tensors.extend(norm(&format!("{prefix}post_layernorm"), d));
    match config.tower {
        Tower::Clip => tensors.push(("visual_projection.weight".into(), vec![config.width, d])),
        Tower::Siglip => {
            tensors.extend(pooling_head(&format!("{prefix}head"), config));
        }
    }
    let has_text = config.text.is_some();
    if let Some(text) = &config.text {
        tensors.extend(text_tensors(config.tower, text));
    }
    let mut counted = vec![(
        "vision_model.encoder.layers.",
        layers,
        "vision_config.num_hidden_layers",
    )];
    if let Some(text) = &config.text {
        let key = "text_config.num_hidden_layers";
        counted.push(("text_model.encoder.layers.", text.num_hidden_layers, key));
    }
    Expected {
        tensors,
        unused: Box::new(move |name| {
            name.starts_with("logit_")
                || name.ends_with("embeddings.position_ids")
                || !has_text && name.starts_with("text_")
        }),
        layers: counted,
    }
}

type Shaped = (String, Vec<usize>);

fn norm(name: &str, width: usize) -> [Shaped; 2] {
    ["weight", "bias"].map(|part| (format!("{name}.{part}"), vec![width]))
}

fn linear(name: &str, [inputs, outputs]: [usize; 2]) -> [Shaped; 2] {
    [
        (format!("{name}.weight"), vec![outputs, inputs]),
        (format!("{name}.bias"), vec![outputs]),
    ]
}

fn pooling_head(prefix: &str, config: &Config) -> Vec<Shaped> {
    let (d, inner) = (config.vision.hidden_size, config.vision.intermediate_size);
    let attention = format!("{prefix}.attention");
    let mut tensors = vec![
        (format!("{prefix}.probe"), vec![1, 1, d]),
        (format!("{attention}.in_proj_weight"), vec![3 * d, d]),
        (format!("{attention}.in_proj_bias"), vec![3 * d]),
    ];
    tensors.extend(linear(&format!("{attention}.out_proj"), [d, d]));
    tensors.extend(norm(&format!("{prefix}.layernorm"), d));
    tensors.extend(linear(&format!("{prefix}.mlp.fc1"), [d, inner]));
    tensors.extend(linear(&format!("{prefix}.mlp.fc2"), [inner, d]));
    tensors
}

fn text_tensors(tower: Tower, config: &TextConfig) -> Vec<Shaped> {
    let (d, inner) = (config.hidden_size, config.intermediate_size);
    let embeddings = format!("{TEXT}.embeddings");
    let mut tensors = vec![
        (
            format!("{embeddings}.token_embedding.weight"),
            vec![config.vocab_size, d],
        ),
        (
            format!("{embeddings}.position_embedding.weight"),
            vec![config.max_position_embeddings, d],
        ),
    ];
    tensors.extend(vit::layer_tensors(
        &format!("{TEXT}."),
        [d, inner],
        config.num_hidden_layers,
    ));
    tensors.extend(norm(&format!("{TEXT}.final_layer_norm"), d));
    match tower {
        Tower::Clip => tensors.push(("text_projection.weight".into(), vec![config.width, d])),
        Tower::Siglip => tensors.extend(linear(&format!("{TEXT}.head"), [d, config.width])),
    }
    tensors
}
