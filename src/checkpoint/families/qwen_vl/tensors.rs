//! The tensors of the Qwen-VL models under their canonical names, which are those of published files.

use super::super::super::check::Expected;
use super::super::super::names::Rule;
use super::super::language;
use super::{Config, Generation};

/// Published files and transformers' saves name them alike; a state dict has everything but the head under `model.`.
pub(super) const RULES: &[Rule] = &[
    Rule {
        from: "model.",
        to: "model.",
    },
    Rule {
        from: "model.language_model.",
        to: "model.",
    },
    Rule {
        from: "lm_head.",
        to: "lm_head.",
    },
    Rule {
        from: "visual.",
        to: "visual.",
    },
    Rule {
        from: "model.visual.",
        to: "visual.",
    },
];

/// Canonical name and shape of every tensor that the forward pass to the last hidden state reads.
pub fn expected_tensors(config: &Config) -> Vec<(String, Vec<usize>)> {
    let vision = &config.vision;
    let (hidden, inner) = (vision.hidden_size, vision.intermediate_size);
    let mut tensors = vec![(
        "visual.patch_embed.proj.weight".to_owned(),
        vec![
            hidden,
            3,
            vision.temporal_patch_size,
            vision.patch_size,
            vision.patch_size,
        ],
    )];
    let mut linear = |name: String, out: usize, into: usize| {
        tensors.push((format!("{name}.weight"), vec![out, into]));
        tensors.push((format!("{name}.bias"), vec![out]));
    };
    let mlp: &[(&str, usize, usize)] = match config.generation {
        Generation::V2 => &[("fc1", inner, hidden), ("fc2", hidden, inner)],
        Generation::V2_5 => &[
            ("gate_proj", inner, hidden),
            ("up_proj", inner, hidden),
            ("down_proj", hidden, inner),
        ],
    };
    for block in 0..vision.depth {
        let block = format!("visual.blocks.{block}");
        linear(format!("{block}.attn.qkv"), 3 * hidden, hidden);
        linear(format!("{block}.attn.proj"), hidden, hidden);
        for (name, out, into) in mlp {
            linear(format!("{block}.mlp.{name}"), *out, *into);
        }
    }
    let merged = hidden * vision.spatial_merge_size.pow(2);
    linear("visual.merger.mlp.0".to_owned(), merged, merged);
    linear(
        "visual.merger.mlp.2".to_owned(),
        vision.out_hidden_size,
        merged,
    );
    let norms = (0..vision.depth)
        .flat_map(|block| ["norm1", "norm2"].map(|norm| format!("visual.blocks.{block}.{norm}")))
        .chain(["visual.merger.ln_q".to_owned()]);
    for norm in norms {
        tensors.push((format!("{norm}.weight"), vec![hidden]));
        if config.generation == Generation::V2 {
            tensors.push((format!("{norm}.bias"), vec![hidden]));
        }
    }
    tensors.extend(language::tensors("model.", &config.language));
    tensors
}

/// What to check the weights against.
pub(super) fn expected(config: &Config) -> Expected {
    Expected {
        tensors: expected_tensors(config),
        unused: Box::new(|name| name.starts_with("lm_head.") || name.ends_with(".inv_freq")),
        layers: vec![
            (
                "model.layers.",
                config.language.num_hidden_layers,
                "num_hidden_layers",
            ),
            ("visual.blocks.", config.vision.depth, "vision_config.depth"),
        ],
    }
}
