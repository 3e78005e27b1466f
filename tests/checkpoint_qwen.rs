//! Opening Qwen2-VL and Qwen2.5-VL checkpoints: every naming scheme, both ways to write the config, refused settings.
#![expect(clippy::float_cmp, reason = "numbers are read, not computed")]
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

#[path = "support/checkpoints.rs"]
mod checkpoints;

use candle_core::{DType, Device};
use checkpoints::{Shaped, assert_says, open, values, write_file, write_json, write_sparse};
use madmix::checkpoint::qwen_vl::{Config, Generation, Windows, expected_tensors};
use madmix::checkpoint::{Checkpoint, CheckpointError, Family, Layout};
use safetensors::tensor::Dtype;
use serde_json::{Value, json};
use std::path::Path;

const BOTH: [Generation; 2] = [Generation::V2, Generation::V2_5];

fn is_new(generation: Generation) -> bool {
    generation == Generation::V2_5
}

/// How the tensors are called in a file.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Names {
    /// As published, and as both transformers save them.
    Published,
    /// A state dict of transformers 5.
    Raw,
    /// The vision tower of one, the language model of the other.
    Mixed,
}

fn in_file(names: Names, canonical: &str) -> String {
    let vision = canonical.starts_with("visual.");
    match canonical.strip_prefix("model.") {
        Some(rest) if names == Names::Raw => format!("model.language_model.{rest}"),
        None if vision && names != Names::Published => format!("model.{canonical}"),
        _ => canonical.to_owned(),
    }
}

/// All tensors of the tiny models under canonical names.
fn tensors(generation: Generation) -> Vec<Shaped> {
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
fn flat(generation: Generation) -> Value {
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
fn nested(generation: Generation) -> Value {
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

fn preprocessor() -> Value {
    json!({
        "min_pixels": 3136, "max_pixels": 12_845_056, "patch_size": 14, "temporal_patch_size": 2, "merge_size": 2,
        "image_mean": [0.481, 0.457, 0.408], "image_std": [0.268, 0.261, 0.275],
        "image_processor_type": "Qwen2VLImageProcessor"
    })
}

/// A tiny checkpoint in a folder of its own.
struct Tiny(tempfile::TempDir);

impl Tiny {
    fn new(generation: Generation) -> Self {
        Self::named(generation, Names::Published)
    }

    fn named(generation: Generation, names: Names) -> Self {
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

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, file: &str, value: &Value) {
        write_json(&self.path().join(file), value);
    }

    fn edit(&self, file: &str, change: impl FnOnce(&mut Value)) {
        let bytes = fs_err::read(self.path().join(file)).unwrap();
        let mut value = serde_json::from_slice(&bytes).unwrap();
        change(&mut value);
        self.write(file, &value);
    }

    fn open(&self) -> Result<Checkpoint, CheckpointError> {
        open(self.path())
    }

    fn config(&self) -> Config {
        config(&self.open().unwrap()).clone()
    }
}

fn config(checkpoint: &Checkpoint) -> &Config {
    match &checkpoint.family {
        Family::QwenVl(config) => config,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_naming_scheme_gives_the_same_tensors() {
    for generation in BOTH {
        for names in [Names::Published, Names::Raw, Names::Mixed] {
            let checkpoint = Tiny::named(generation, names)
                .open()
                .unwrap_or_else(|error| panic!("{generation:?} {names:?}: {error}"));
            assert_eq!(checkpoint.layout, Layout::HuggingFace);
            assert_eq!(checkpoint.family.to_string(), generation.name());
            assert!(checkpoint.weights.unmapped().is_empty());
            let expected = expected_tensors(config(&checkpoint));
            assert_eq!(expected.len(), tensors(generation).len());
            for (name, shape) in tensors(generation) {
                let tensor = checkpoint
                    .weights
                    .get(&name, shape.as_slice(), DType::F32, &Device::Cpu)
                    .unwrap();
                let found = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                assert_eq!(found, values(&name, found.len()), "{names:?} {name}");
                assert!(expected.contains(&(name, shape)));
            }
        }
    }
}

#[test]
fn a_published_config_is_read() {
    let old = Tiny::new(Generation::V2).config();
    assert_eq!(old.vision.hidden_size, 16);
    assert_eq!(
        (old.vision.intermediate_size, old.vision.out_hidden_size),
        (64, 32)
    );
    assert_eq!((old.vision.factor(), old.vision.patch_len()), (28, 1176));
    assert_eq!((old.vision.rope_theta, &old.vision.windows), (1e4, &None));
    assert_eq!(old.tokens_per_second, None);
    assert_eq!((old.image_token, old.video_token), (60, 61));
    assert_eq!(old.language.mrope_section, Some([2, 3, 3]));
    assert_eq!(
        (old.image.min_pixels, old.image.max_pixels),
        (3136, 12_845_056)
    );
    assert_eq!(old.image, old.video, "there is no other file");

    let new = Tiny::new(Generation::V2_5).config();
    assert_eq!(new.tokens_per_second, Some(2.0));
    let windows = Windows {
        side: 4,
        full_blocks: vec![1],
    };
    assert_eq!(new.vision.windows, Some(windows));
    assert_eq!(new.language, old.language);
}

#[test]
fn absent_keys_mean_the_defaults_of_transformers() {
    let tiny = Tiny::new(Generation::V2_5);
    tiny.edit("config.json", |config| {
        for key in ["image_token_id", "video_token_id"] {
            config.as_object_mut().unwrap().remove(key);
        }
        let vision = config["vision_config"].as_object_mut().unwrap();
        vision.retain(|key, _| key != "tokens_per_second" && key != "window_size");
    });
    tiny.write("preprocessor_config.json", &json!({}));
    let config = tiny.config();
    assert_eq!((config.image_token, config.video_token), (151_655, 151_656));
    assert_eq!(config.tokens_per_second, Some(4.0));
    assert_eq!(config.vision.windows.unwrap().side, 4);
    assert_eq!(config.image.min_pixels, 56 * 56);
    assert_eq!(config.image.max_pixels, 28 * 28 * 1280);
    assert_eq!(config.video.min_pixels, 128 * 784);
    assert_eq!(config.video.max_pixels, 768 * 784);
    assert_eq!(config.image.mean, [0.481_454_66, 0.457_827_5, 0.408_210_73]);
}

#[test]
fn what_transformers_5_nests_is_the_same() {
    for generation in BOTH {
        let published = Tiny::new(generation).config();
        let tiny = Tiny::new(generation);
        tiny.write("config.json", &nested(generation));
        let mut part = preprocessor();
        let fields = part.as_object_mut().unwrap();
        fields.retain(|key, _| key != "min_pixels" && key != "max_pixels");
        part["size"] = json!({"shortest_edge": 3136, "longest_edge": 12_845_056});
        let parts = json!({"image_processor": part, "video_processor": part});
        tiny.write("processor_config.json", &parts);
        fs_err::remove_file(tiny.path().join("preprocessor_config.json")).unwrap();
        assert_eq!(tiny.config(), published);
    }
}

/// transformers 4.52 and later write both, and read the nested one.
#[test]
fn a_nested_language_model_wins_over_a_flat_one() {
    let tiny = Tiny::new(Generation::V2);
    let mut both = flat(Generation::V2);
    both["text_config"] = both.clone();
    both["rms_norm_eps"] = json!(0.5);
    both["num_hidden_layers"] = json!(7);
    tiny.write("config.json", &both);
    assert_eq!(tiny.config().language.rms_norm_eps, 1e-6);
}

#[test]
fn frames_have_a_file_of_their_own_where_there_is_one() {
    let tiny = Tiny::new(Generation::V2);
    let video =
        json!({"size": {"shortest_edge": 100, "longest_edge": 200}, "image_mean": [0.5, 0.5, 0.5]});
    tiny.write("video_preprocessor_config.json", &video);
    let config = tiny.config();
    assert_eq!(
        (config.video.min_pixels, config.video.max_pixels),
        (100, 200)
    );
    assert_eq!(config.video.mean, [0.5; 3]);
    assert_eq!(config.image.min_pixels, 3136);
    // A file that says nothing of sizes leaves the class's.
    tiny.write("video_preprocessor_config.json", &json!({}));
    assert_eq!(tiny.config().video.max_pixels, 768 * 784);
}

/// A published config with weights of the real size that are holes.
#[test]
fn a_checkpoint_of_the_real_size_opens() {
    let tiny = Tiny::new(Generation::V2_5);
    tiny.edit("config.json", |config| {
        for (key, value) in [
            ("hidden_size", json!(2048)),
            ("intermediate_size", json!(11_008)),
            ("num_hidden_layers", json!(36)),
            ("num_attention_heads", json!(16)),
            ("num_key_value_heads", json!(2)),
            ("vocab_size", json!(151_936)),
            (
                "rope_scaling",
                json!({"type": "mrope", "mrope_section": [16, 24, 24]}),
            ),
        ] {
            config[key] = value;
        }
        let vision = &mut config["vision_config"];
        for (key, value) in [
            ("depth", json!(32)),
            ("hidden_size", json!(1280)),
            ("intermediate_size", json!(3420)),
            ("num_heads", json!(16)),
            ("out_hidden_size", json!(2048)),
            ("fullatt_block_indexes", json!([7, 15, 23, 31])),
        ] {
            vision[key] = value;
        }
    });
    let error = tiny.open().unwrap_err().to_string();
    assert_says(&error, &["do not fit its config.json", "visual.blocks.2."]);
    // Of the published 3B.
    let mut all: Vec<Shaped> = vec![
        ("model.embed_tokens.weight".to_owned(), vec![151_936, 2048]),
        ("model.norm.weight".to_owned(), vec![2048]),
        (
            "visual.patch_embed.proj.weight".to_owned(),
            vec![1280, 3, 2, 14, 14],
        ),
        ("visual.merger.ln_q.weight".to_owned(), vec![1280]),
        ("visual.merger.mlp.0.weight".to_owned(), vec![5120, 5120]),
        ("visual.merger.mlp.0.bias".to_owned(), vec![5120]),
        ("visual.merger.mlp.2.weight".to_owned(), vec![2048, 5120]),
        ("visual.merger.mlp.2.bias".to_owned(), vec![2048]),
    ];
    for (name, shape) in tensors(Generation::V2_5) {
        let real = |width: &usize| match (name.starts_with("visual."), width) {
            (true, 16) => 1280,
            (true, 48) => 3840,
            (true, 64) => 3420,
            (false, 32) => 2048,
            (false, 16) => 256,
            (false, 48) => 11_008,
            _ => unreachable!("{name}"),
        };
        for (of_one, count) in [("visual.blocks.0.", 32), ("model.layers.0.", 36)] {
            if let Some(rest) = name.strip_prefix(of_one) {
                let shape: Vec<usize> = shape.iter().map(real).collect();
                let place = of_one.trim_end_matches("0.");
                all.extend((0..count).map(|i| (format!("{place}{i}.{rest}"), shape.clone())));
            }
        }
    }
    write_sparse(&tiny.path().join("model.safetensors"), &all);
    assert_eq!(tiny.config().language.head_dim, 128);
}

#[test]
fn a_block_beyond_the_config_is_told_for_one() {
    for (key, part, says) in [
        ("vision_config", "depth", "vision_config.depth"),
        ("", "num_hidden_layers", "num_hidden_layers"),
    ] {
        let tiny = Tiny::new(Generation::V2);
        tiny.edit("config.json", |config| match key {
            "" => config[part] = json!(1),
            key => config[key][part] = json!(1),
        });
        let error = tiny.open().unwrap_err().to_string();
        assert_says(&error, &["is of a layer beyond the 1 that", says]);
    }
}

#[test]
fn settings_that_would_be_wrong_are_refused() {
    use Generation::{V2, V2_5};
    let config = "config.json";
    let pixels = "preprocessor_config.json";
    let refused: &[(Generation, &str, &str, &str, Value)] = &[
        (V2, config, "vision_config", "hidden_act", json!("gelu")),
        (V2_5, config, "vision_config", "hidden_act", json!("gelu")),
        (V2, config, "vision_config", "in_chans", json!(4)),
        (V2, config, "vision_config", "in_channels", json!(1)),
        (V2, config, "vision_config", "hidden_size", json!(48)),
        (V2_5, config, "vision_config", "out_hidden_size", json!(48)),
        (V2, config, "vision_config", "num_heads", json!(8)),
        (V2, config, "vision_config", "patch_size", json!([14, 14])),
        (
            V2,
            config,
            "vision_config",
            "model_type",
            json!("siglip_vision_model"),
        ),
        (V2_5, config, "vision_config", "window_size", json!(100)),
        (
            V2_5,
            config,
            "vision_config",
            "fullatt_block_indexes",
            json!([2]),
        ),
        (
            V2_5,
            config,
            "vision_config",
            "fullatt_block_indexes",
            json!("all"),
        ),
        (V2_5, config, "vision_config", "tokens_per_second", json!(0)),
        (
            V2,
            config,
            "vision_config.rope_parameters",
            "rope_type",
            json!("yarn"),
        ),
        (V2, config, "", "vision_config", json!(null)),
        (V2, config, "", "use_sliding_window", json!(true)),
        (V2, config, "", "hidden_act", json!("gelu")),
        (V2, config, "rope_scaling", "type", json!("yarn")),
        (
            V2,
            config,
            "rope_scaling",
            "mrope_section",
            json!([2, 3, 4]),
        ),
        (V2, config, "", "rope_scaling", json!(null)),
        (V2, config, "text_config", "model_type", json!("llama")),
        (V2, pixels, "", "patch_size", json!(16)),
        (V2, pixels, "", "merge_size", json!(1)),
        (V2, pixels, "", "temporal_patch_size", json!(1)),
        (V2, pixels, "", "min_pixels", json!(0)),
        (V2, pixels, "", "min_pixels", json!(99_999_999)),
        (V2, pixels, "", "do_resize", json!(false)),
        (V2, pixels, "", "do_center_crop", json!(true)),
        (V2, pixels, "", "resample", json!(2)),
        (V2, pixels, "", "rescale_factor", json!(1.0)),
        (V2, pixels, "", "image_std", json!([0.5, 0.0, 0.5])),
        (V2, pixels, "", "image_mean", json!([0.5, 0.5])),
        (V2, pixels, "", "cap_pixels_per_frame", json!(true)),
    ];
    for (generation, file, section, key, value) in refused {
        let tiny = Tiny::new(*generation);
        tiny.edit(file, |json| {
            let at = section.split('.').filter(|part| !part.is_empty());
            at.fold(json, |json, part| &mut json[part])[key] = value.clone();
        });
        let dotted = [*section, *key].join(".");
        let found = if value.is_null() {
            "absent".to_owned()
        } else {
            value.to_string()
        };
        let error = tiny.open().unwrap_err().to_string();
        let says = [
            file,
            dotted.trim_start_matches('.'),
            found.as_str(),
            "supported: ",
        ];
        assert_says(&error, &says);
    }
}

#[test]
fn a_size_without_both_bounds_is_refused_and_so_are_bounds_that_cross() {
    let tiny = Tiny::new(Generation::V2);
    for (size, says) in [
        (
            json!({"height": 28, "width": 28}),
            "`size.shortest_edge` is absent",
        ),
        (
            json!({"shortest_edge": 3136}),
            "`size.longest_edge` is absent",
        ),
        (
            json!({"shortest_edge": 9, "longest_edge": 8}),
            "`size.shortest_edge` is 9; supported: at most max_pixels, 8",
        ),
    ] {
        tiny.write("preprocessor_config.json", &json!({"size": size}));
        assert_says(&tiny.open().unwrap_err().to_string(), &[says]);
    }
    fs_err::remove_file(tiny.path().join("preprocessor_config.json")).unwrap();
    let error = tiny.open().unwrap_err().to_string();
    assert_says(
        &error,
        &["preprocessor_config.json", "absent with its file"],
    );
}

#[test]
fn the_fingerprint_is_of_the_preprocessor_too() {
    let fingerprint = |tiny: &Tiny| {
        let nothing: madmix::checkpoint::OnProgress = std::sync::Arc::new(|_| {});
        tiny.open().unwrap().fingerprint(&nothing).unwrap()
    };
    let tiny = Tiny::new(Generation::V2);
    let before = fingerprint(&tiny);
    assert_eq!(before, fingerprint(&Tiny::new(Generation::V2)));
    tiny.edit("preprocessor_config.json", |json| {
        json["max_pixels"] = json!(4000)
    });
    assert_ne!(before, fingerprint(&tiny));
}
