//! Tiny Qwen-VL checkpoints, written by hand so that tests do not trust the code's own lists.

use std::path::Path;

use madmix::checkpoint::qwen_vl::{Config, Generation};
use madmix::checkpoint::{Checkpoint, CheckpointError, Family};
use safetensors::tensor::Dtype;
use serde_json::{Value, json};

use crate::support::{Shaped, open, write_file, write_json};

pub(crate) const BOTH: [Generation; 2] = [Generation::V2, Generation::V2_5];

pub(crate) fn is_new(generation: Generation) -> bool {
    generation == Generation::V2_5
}

/// How the tensors are called in a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Names {
    /// As published, and as both transformers save them.
    Published,
    /// A state dict of transformers 5.
    Raw,
    /// The vision tower of one, the language model of the other.
    Mixed,
}

pub(crate) fn in_file(names: Names, canonical: &str) -> String {
    let vision = canonical.starts_with("visual.");
    match canonical.strip_prefix("model.") {
        Some(rest) if names == Names::Raw => format!("model.language_model.{rest}"),
        None if vision && names != Names::Published => format!("model.{canonical}"),
        _ => canonical.to_owned(),
    }
}

/// All tensors of the tiny models under canonical names.
pub(crate) fn tensors(generation: Generation) -> Vec<Shaped> {
    let mut all: Vec<Shaped> = Vec::new();
    let mut add = |name: &str, shape: &[usize]| all.push((name.to_owned(), shape.to_vec()));
    add("visual.patch_embed.proj.weight", &[16, 3, 2, 14, 14]);
    for block in 0..2 {
        let mut add =
            |name: &str, shape: &[usize]| add(&format!("visual.blocks.{block}.{name}"), shape);
        for norm in ["norm1", "norm2"] {
            add(&format!("{norm}.weight"), &[16]);
            if !is_new(generation) {
                add(&format!("{norm}.bias"), &[16]);
            }
        }
        add("attn.qkv.weight", &[48, 16]);
        add("attn.qkv.bias", &[48]);
        add("attn.proj.weight", &[16, 16]);
        add("attn.proj.bias", &[16]);
        let (inner, outer) = if is_new(generation) {
            (vec!["gate_proj", "up_proj"], "down_proj")
        } else {
            (vec!["fc1"], "fc2")
        };
        for name in inner {
            add(&format!("mlp.{name}.weight"), &[64, 16]);
            add(&format!("mlp.{name}.bias"), &[64]);
        }
        add(&format!("mlp.{outer}.weight"), &[16, 64]);
        add(&format!("mlp.{outer}.bias"), &[16]);
    }
    add("visual.merger.ln_q.weight", &[16]);
    if !is_new(generation) {
        add("visual.merger.ln_q.bias", &[16]);
    }
    add("visual.merger.mlp.0.weight", &[64, 64]);
    add("visual.merger.mlp.0.bias", &[64]);
    add("visual.merger.mlp.2.weight", &[32, 64]);
    add("visual.merger.mlp.2.bias", &[32]);
    add("model.embed_tokens.weight", &[64, 32]);
    add("model.norm.weight", &[32]);
    for layer in 0..2 {
        let mut add =
            |name: &str, shape: &[usize]| add(&format!("model.layers.{layer}.{name}"), shape);
        for (name, out) in [("q", 32), ("k", 16), ("v", 16)] {
            add(&format!("self_attn.{name}_proj.weight"), &[out, 32]);
            add(&format!("self_attn.{name}_proj.bias"), &[out]);
        }
        add("self_attn.o_proj.weight", &[32, 32]);
        add("mlp.gate_proj.weight", &[48, 32]);
        add("mlp.up_proj.weight", &[48, 32]);
        add("mlp.down_proj.weight", &[32, 48]);
        add("input_layernorm.weight", &[32]);
        add("post_attention_layernorm.weight", &[32]);
    }
    all
}

/// As published: the language model's settings at the top level.
pub(crate) fn flat(generation: Generation) -> Value {
    let mut config = json!({
        "model_type": "qwen2_vl", "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 64, "rms_norm_eps": 1e-6,
        "rope_theta": 1_000_000.0, "rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]},
        "use_sliding_window": false, "sliding_window": 32768, "image_token_id": 60, "video_token_id": 61,
        "vision_config": {
            "depth": 2, "embed_dim": 16, "mlp_ratio": 4, "num_heads": 2, "in_chans": 3, "hidden_size": 32,
            "patch_size": 14, "spatial_merge_size": 2, "spatial_patch_size": 14, "temporal_patch_size": 2
        }
    });
    if is_new(generation) {
        config["model_type"] = json!("qwen2_5_vl");
        config["vision_config"] = json!({
            "depth": 2, "hidden_act": "silu", "hidden_size": 16, "intermediate_size": 64, "num_heads": 2,
            "in_chans": 3, "out_hidden_size": 32, "patch_size": 14, "spatial_merge_size": 2,
            "spatial_patch_size": 14, "temporal_patch_size": 2, "window_size": 112,
            "fullatt_block_indexes": [1], "tokens_per_second": 2
        });
    }
    config
}

/// As transformers 5 writes it.
pub(crate) fn nested(generation: Generation) -> Value {
    let mut config = flat(generation);
    let fields = config.as_object_mut().unwrap();
    let kind = fields["model_type"].as_str().unwrap().to_owned();
    let mut vision = fields.remove("vision_config").unwrap();
    let channels = vision.as_object_mut().unwrap().remove("in_chans").unwrap();
    vision["in_channels"] = channels;
    vision["model_type"] = json!(format!("{kind}_vision"));
    vision["rope_parameters"] = json!({"rope_theta": 10000.0, "rope_type": "axial"});
    for key in [
        "image_token_id",
        "video_token_id",
        "rope_theta",
        "rope_scaling",
        "sliding_window",
    ] {
        fields.remove(key);
    }
    config["model_type"] = json!(format!("{kind}_text"));
    config["layer_types"] = json!(["full_attention", "full_attention"]);
    config["rope_parameters"] = json!({
        "mrope_section": [2, 3, 3], "rope_theta": 1_000_000.0, "rope_type": "default", "type": "mrope"
    });
    json!({
        "model_type": kind, "dtype": "float32", "image_token_id": 60, "video_token_id": 61,
        "text_config": config, "vision_config": vision
    })
}

pub(crate) fn preprocessor() -> Value {
    json!({
        "min_pixels": 3136, "max_pixels": 12_845_056, "patch_size": 14, "temporal_patch_size": 2, "merge_size": 2,
        "image_mean": [0.481, 0.457, 0.408], "image_std": [0.268, 0.261, 0.275],
        "image_processor_type": "Qwen2VLImageProcessor"
    })
}

/// A tiny checkpoint in a folder of its own.
pub(crate) struct Tiny(tempfile::TempDir);

impl Tiny {
    pub(crate) fn new(generation: Generation) -> Self {
        Self::named(generation, Names::Published)
    }

    pub(crate) fn named(generation: Generation, names: Names) -> Self {
        let tiny = Self(tempfile::tempdir().unwrap());
        tiny.write("config.json", &flat(generation));
        tiny.write("preprocessor_config.json", &preprocessor());
        tiny.write("tokenizer.json", &json!({}));
        let mut all = tensors(generation);
        // Unused, and not always there.
        all.push(("lm_head.weight".to_owned(), vec![64, 32]));
        let all: Vec<_> = all
            .into_iter()
            .map(|(name, shape)| (in_file(names, &name), name, shape, Dtype::F32))
            .collect();
        write_file(&tiny.path().join("model.safetensors"), &all);
        tiny
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, file: &str, value: &Value) {
        write_json(&self.path().join(file), value);
    }

    pub(crate) fn edit(&self, file: &str, change: impl FnOnce(&mut Value)) {
        let bytes = fs_err::read(self.path().join(file)).unwrap();
        let mut value = serde_json::from_slice(&bytes).unwrap();
        change(&mut value);
        self.write(file, &value);
    }

    pub(crate) fn open(&self) -> Result<Checkpoint, CheckpointError> {
        open(self.path())
    }

    pub(crate) fn config(&self) -> Config {
        config(&self.open().unwrap()).clone()
    }
}

pub(crate) fn config(checkpoint: &Checkpoint) -> &Config {
    match &checkpoint.family {
        Family::QwenVl(config) => config,
        other => panic!("{other:?}"),
    }
}
