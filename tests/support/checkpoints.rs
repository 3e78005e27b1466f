//! Tiny LLaVA-OneVision checkpoints in every layout, written by hand here so that tests do not trust the code's own
//! lists. The same canonical tensor has the same values in all of them.
#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::unwrap_used,
    reason = "every test binary uses a part of this, and a helper that fails fails its test"
)]

use madmix::checkpoint::{Checkpoint, CheckpointError, OpenOptions};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

pub(crate) const TEMPLATE: &str =
    "{% for message in messages %}{{ message['content'] }}{% endfor %}";

/// How the tensors are called in a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Names {
    Hub,
    V5,
    /// A state dict of transformers 5.
    Raw,
    /// A state dict of transformers 4.
    Raw4,
    LlavaNext,
}

pub(crate) const ALL_NAMES: [Names; 5] = [
    Names::Hub,
    Names::V5,
    Names::Raw,
    Names::Raw4,
    Names::LlavaNext,
];

/// The name in the file of a canonical name.
pub(crate) fn in_file(names: Names, canonical: &str) -> String {
    let replace = |pairs: [(&str, &str); 5]| {
        let (from, to) = pairs
            .into_iter()
            .find(|(from, _)| canonical.starts_with(from))
            .unwrap();
        format!("{to}{}", &canonical[from.len()..])
    };
    let (language, vision, projector) = (
        "language_model.model.",
        "vision_tower.",
        "multi_modal_projector.",
    );
    match names {
        Names::V5 => canonical.to_owned(),
        Names::Hub => canonical.replace("vision_tower.", "vision_tower.vision_model."),
        Names::Raw => replace([
            (language, "model.language_model."),
            (vision, "model.vision_tower."),
            (projector, "model.multi_modal_projector."),
            ("image_newline", "model.image_newline"),
            ("language_model.lm_head.", "lm_head."),
        ]),
        Names::Raw4 => replace([
            (language, "model.language_model."),
            (vision, "model.vision_tower.vision_model."),
            (projector, "model.multi_modal_projector."),
            ("image_newline", "model.image_newline"),
            ("language_model.lm_head.", "lm_head."),
        ]),
        Names::LlavaNext => replace([
            (language, "model."),
            (vision, "model.vision_tower.vision_tower.vision_model."),
            (projector, "model.mm_projector."),
            ("image_newline", "model.image_newline"),
            ("language_model.lm_head.", "lm_head."),
        ])
        .replace("mm_projector.linear_1", "mm_projector.0")
        .replace("mm_projector.linear_2", "mm_projector.2"),
    }
}

/// The sizes of a model.
#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) hidden: usize,
    pub(crate) inner: usize,
    pub(crate) layers: usize,
    pub(crate) key_value: usize,
    pub(crate) vocabulary: usize,
    pub(crate) vision: usize,
    pub(crate) vision_inner: usize,
    pub(crate) vision_layers: usize,
    pub(crate) patch: usize,
    pub(crate) positions: usize,
}

pub(crate) const TINY: Sizes = Sizes {
    hidden: 32,
    inner: 48,
    layers: 2,
    key_value: 16,
    vocabulary: 64,
    vision: 24,
    vision_inner: 40,
    vision_layers: 3,
    patch: 14,
    positions: 4,
};

/// LLaVA-OneVision 0.5B.
pub(crate) const HALF_BILLION: Sizes = Sizes {
    hidden: 896,
    inner: 4864,
    layers: 24,
    key_value: 128,
    vocabulary: 152_000,
    vision: 1152,
    vision_inner: 4304,
    vision_layers: 26,
    patch: 14,
    positions: 729,
};

/// A tensor to write: its name and shape.
pub(crate) type Shaped = (String, Vec<usize>);

/// The tower's tensors; `prefix` in front of `embeddings.` and `encoder.`.
pub(crate) fn vision_tensors(prefix: &str, s: Sizes) -> Vec<Shaped> {
    let mut all = vec![
        (
            format!("{prefix}embeddings.patch_embedding.weight"),
            vec![s.vision, 3, s.patch, s.patch],
        ),
        (
            format!("{prefix}embeddings.patch_embedding.bias"),
            vec![s.vision],
        ),
        (
            format!("{prefix}embeddings.position_embedding.weight"),
            vec![s.positions, s.vision],
        ),
    ];
    for layer in 0..s.vision_layers {
        let mut add = |name: &str, shape: &[usize]| {
            all.push((
                format!("{prefix}encoder.layers.{layer}.{name}"),
                shape.to_vec(),
            ));
        };
        for part in ["q_proj", "k_proj", "v_proj", "out_proj"] {
            add(&format!("self_attn.{part}.weight"), &[s.vision, s.vision]);
            add(&format!("self_attn.{part}.bias"), &[s.vision]);
        }
        add("mlp.fc1.weight", &[s.vision_inner, s.vision]);
        add("mlp.fc1.bias", &[s.vision_inner]);
        add("mlp.fc2.weight", &[s.vision, s.vision_inner]);
        add("mlp.fc2.bias", &[s.vision]);
        for norm in ["layer_norm1", "layer_norm2"] {
            add(&format!("{norm}.weight"), &[s.vision]);
            add(&format!("{norm}.bias"), &[s.vision]);
        }
    }
    all
}

/// Everything but the tower, under canonical names.
pub(crate) fn other_tensors(s: Sizes) -> Vec<Shaped> {
    let mut all = vec![
        (
            "multi_modal_projector.linear_1.weight".to_owned(),
            vec![s.hidden, s.vision],
        ),
        (
            "multi_modal_projector.linear_1.bias".to_owned(),
            vec![s.hidden],
        ),
        (
            "multi_modal_projector.linear_2.weight".to_owned(),
            vec![s.hidden, s.hidden],
        ),
        (
            "multi_modal_projector.linear_2.bias".to_owned(),
            vec![s.hidden],
        ),
        ("image_newline".to_owned(), vec![s.hidden]),
        (
            "language_model.model.embed_tokens.weight".to_owned(),
            vec![s.vocabulary, s.hidden],
        ),
        (
            "language_model.model.norm.weight".to_owned(),
            vec![s.hidden],
        ),
    ];
    for layer in 0..s.layers {
        let mut add = |name: &str, shape: &[usize]| {
            all.push((
                format!("language_model.model.layers.{layer}.{name}"),
                shape.to_vec(),
            ));
        };
        add("self_attn.q_proj.weight", &[s.hidden, s.hidden]);
        add("self_attn.q_proj.bias", &[s.hidden]);
        add("self_attn.k_proj.weight", &[s.key_value, s.hidden]);
        add("self_attn.k_proj.bias", &[s.key_value]);
        add("self_attn.v_proj.weight", &[s.key_value, s.hidden]);
        add("self_attn.v_proj.bias", &[s.key_value]);
        add("self_attn.o_proj.weight", &[s.hidden, s.hidden]);
        add("mlp.gate_proj.weight", &[s.inner, s.hidden]);
        add("mlp.up_proj.weight", &[s.inner, s.hidden]);
        add("mlp.down_proj.weight", &[s.hidden, s.inner]);
        add("input_layernorm.weight", &[s.hidden]);
        add("post_attention_layernorm.weight", &[s.hidden]);
    }
    all
}

/// All tensors under canonical names.
pub(crate) fn all_tensors(s: Sizes) -> Vec<Shaped> {
    let mut all = vision_tensors("vision_tower.", s);
    all.extend(other_tensors(s));
    all
}

/// The values of a canonical tensor: multiples of 1/8 in -16..16, which all of F32, F16 and BF16 hold exactly.
pub(crate) fn values(canonical: &str, count: usize) -> Vec<f32> {
    let seed = canonical.bytes().fold(7_u32, |hash, byte| {
        hash.wrapping_mul(31).wrapping_add(u32::from(byte))
    });
    (0..count as u32)
        .map(|i| (seed.wrapping_add(i.wrapping_mul(2_654_435_761)) >> 24) as f32 / 8.0 - 16.0)
        .collect()
}

fn bytes(values: &[f32], dtype: Dtype) -> Vec<u8> {
    match dtype {
        Dtype::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        // All values have few enough bits for truncation to be exact.
        Dtype::BF16 => values
            .iter()
            .flat_map(|v| ((v.to_bits() >> 16) as u16).to_le_bytes())
            .collect(),
        Dtype::F16 => values
            .iter()
            .flat_map(|v| half_bits(*v).to_le_bytes())
            .collect(),
        Dtype::I8 => values.iter().map(|v| *v as i8 as u8).collect(),
        other => panic!("no {other} here"),
    }
}

/// The bits of a half-precision number, for values that need no rounding and are no subnormals.
fn half_bits(value: f32) -> u16 {
    let bits = value.to_bits();
    if value == 0.0 {
        return 0;
    }
    let exponent = ((bits >> 23) & 0xff) as i32 - 127 + 15;
    ((bits >> 16) & 0x8000) as u16 | (exponent as u16) << 10 | ((bits >> 13) & 0x3ff) as u16
}

/// Writes a safetensors file; each tensor is its name in the file, its canonical name, its shape and its dtype.
pub(crate) fn write_file(path: &Path, tensors: &[(String, String, Vec<usize>, Dtype)]) {
    let data: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, canonical, shape, dtype)| {
            bytes(&values(canonical, shape.iter().product()), *dtype)
        })
        .collect();
    let views = tensors
        .iter()
        .zip(&data)
        .map(|((name, _, shape, dtype), data)| {
            (
                name.clone(),
                TensorView::new(*dtype, shape.clone(), data).unwrap(),
            )
        });
    fs_err::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// Canonical tensors, named for a file.
pub(crate) fn named(
    names: Names,
    tensors: Vec<Shaped>,
    dtype: Dtype,
) -> Vec<(String, String, Vec<usize>, Dtype)> {
    tensors
        .into_iter()
        .map(|(name, shape)| (in_file(names, &name), name, shape, dtype))
        .collect()
}

/// A safetensors file whose header is real and whose data is a hole: as large as a real one, taking no room.
pub(crate) fn write_sparse(path: &Path, tensors: &[Shaped]) {
    let mut header = serde_json::Map::new();
    let mut end = 0;
    for (name, shape) in tensors {
        let start = end;
        end += shape.iter().product::<usize>() * 2;
        header.insert(
            name.clone(),
            json!({"dtype": "BF16", "shape": shape, "data_offsets": [start, end]}),
        );
    }
    let header = serde_json::to_vec(&header).unwrap();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(&header);
    fs_err::write(path, &bytes).unwrap();
    let file = fs_err::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len((bytes.len() + end) as u64).unwrap();
}

pub(crate) fn hugging_face_config() -> Value {
    json!({
        "architectures": ["LlavaOnevisionForConditionalGeneration"],
        "model_type": "llava_onevision",
        "image_token_index": 60,
        "video_token_index": 61,
        "image_grid_pinpoints": [[28, 28], [28, 56], [56, 28]],
        "text_config": {
            "model_type": "qwen2", "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 64, "rope_theta": 1_000_000.0,
            "tie_word_embeddings": true
        },
        "vision_config": tower_config(3)
    })
}

pub(crate) fn tower_config(layers: usize) -> Value {
    json!({
        "model_type": "siglip_vision_model", "hidden_size": 24, "intermediate_size": 40,
        "num_hidden_layers": layers, "num_attention_heads": 2, "image_size": 28, "patch_size": 14
    })
}

pub(crate) fn preprocessor_config() -> Value {
    json!({
        "image_processor_type": "LlavaOnevisionImageProcessor", "do_resize": true, "do_rescale": true,
        "do_normalize": true, "do_convert_rgb": true, "resample": 3, "rescale_factor": 1.0 / 255.0,
        "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "size": {"height": 28, "width": 28},
        "image_grid_pinpoints": [[28, 28], [28, 56], [56, 28]]
    })
}

/// LLaVA-NeXT's config of the same model; the tower's own config is in the folder `tower` beside the weights.
pub(crate) fn llava_next_config() -> Value {
    json!({
        "architectures": ["LlavaQwenForCausalLM"], "model_type": "llava_qwen", "hidden_size": 32,
        "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "vocab_size": 64, "rope_theta": 1_000_000.0, "rope_scaling": null, "tie_word_embeddings": true,
        "mm_vision_tower": "tower", "mm_hidden_size": 24, "mm_projector_type": "mlp2x_gelu",
        "mm_patch_merge_type": "spatial_unpad", "image_aspect_ratio": "anyres_max_9",
        "image_grid_pinpoints": [[28, 28], [56, 28], [28, 56]], "mm_vision_select_layer": -2
    })
}

pub(crate) fn write_json(path: &Path, value: &Value) {
    fs_err::write(path, serde_json::to_vec_pretty(value).unwrap()).unwrap();
}

/// A tiny checkpoint in a folder of its own.
pub(crate) struct Tiny {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) names: Names,
}

impl Tiny {
    /// Whole, in F32, in one file.
    pub(crate) fn new(names: Names) -> Self {
        let tiny = Self::without_weights(names);
        write_file(
            &tiny.path("model.safetensors"),
            &named(names, all_tensors(TINY), Dtype::F32),
        );
        tiny
    }

    pub(crate) fn without_weights(names: Names) -> Self {
        let tiny = Self {
            folder: tempfile::tempdir().unwrap(),
            names,
        };
        fs_err::write(tiny.path("tokenizer.json"), "{}").unwrap();
        if names == Names::LlavaNext {
            write_json(&tiny.path("config.json"), &llava_next_config());
            fs_err::create_dir_all(tiny.path("tower")).unwrap();
            // With the layer that training deletes.
            write_json(&tiny.path("tower/config.json"), &tower_config(4));
        } else {
            write_json(&tiny.path("config.json"), &hugging_face_config());
            write_json(
                &tiny.path("preprocessor_config.json"),
                &preprocessor_config(),
            );
            fs_err::write(tiny.path("chat_template.jinja"), TEMPLATE).unwrap();
        }
        tiny
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// Rewrites a JSON file.
    pub(crate) fn edit(&self, file: &str, change: impl FnOnce(&mut Value)) {
        let mut value = serde_json::from_slice(&fs_err::read(self.path(file)).unwrap()).unwrap();
        change(&mut value);
        write_json(&self.path(file), &value);
    }

    pub(crate) fn open(&self) -> Result<Checkpoint, CheckpointError> {
        open(self.folder.path())
    }

    /// The message of the error that opening gives.
    pub(crate) fn error(&self) -> String {
        self.open().expect_err("opening should fail").to_string()
    }
}

/// Opens a folder without any hub.
pub(crate) fn open(folder: &Path) -> Result<Checkpoint, CheckpointError> {
    Checkpoint::open(folder.to_str().unwrap(), Path::new("/"), &offline())
}

pub(crate) fn offline() -> OpenOptions {
    OpenOptions {
        offline: true,
        ..OpenOptions::new("/nonexistent/cache")
    }
}

/// Asserts that a message holds all `parts`.
#[track_caller]
pub(crate) fn assert_says(error: &str, parts: &[&str]) {
    for part in parts {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
}
