//! Opening LLaVA-1.5 and LLaVA-NeXT as transformers saves them: names, defaults, and what is refused.

use crate::support::*;
use candle_core::{DType, Device};
use madmix::checkpoint::llava::{Config, Generation, Pictures, expected_tensors};
use madmix::checkpoint::{Checkpoint, Family, Layout, Tower};
use safetensors::tensor::Dtype;
use serde_json::{Value, json};

/// CLIP has a position more than patches, for the class token.
const SIZES: Sizes = Sizes {
    positions: 5,
    ..TINY
};

/// `llava-hf/llava-1.5-7b-hf`
const SEVEN_BILLION: Sizes = Sizes {
    hidden: 4096,
    inner: 11_008,
    layers: 32,
    key_value: 4096,
    vocabulary: 32_064,
    vision: 1024,
    vision_inner: 4096,
    vision_layers: 24,
    patch: 14,
    positions: 577,
};

const GENERATIONS: [(&str, Generation); 2] = [
    ("llava", Generation::V1_5),
    ("llava_next", Generation::Next),
];

/// Every tensor of a published checkpoint with CLIP and a language model without biases, under canonical names.
fn tensors(model_type: &str, sizes: Sizes) -> Vec<Shaped> {
    let mut all = all_tensors(sizes);
    all.retain(|(name, _)| {
        let absent = name.ends_with("patch_embedding.bias")
            || is_language_bias(name)
            || (name == "image_newline" && model_type == "llava");
        !absent
    });
    let tower = [
        "embeddings.class_embedding",
        "pre_layrnorm.weight",
        "pre_layrnorm.bias",
        "post_layernorm.weight",
        "post_layernorm.bias",
    ];
    all.extend(tower.map(|name| (format!("vision_tower.{name}"), vec![sizes.vision])));
    let head = vec![sizes.vocabulary, sizes.hidden];
    all.push(("language_model.lm_head.weight".to_owned(), head));
    all
}

/// Whether it is one of the biases that Qwen2 has and Llama has not.
fn is_language_bias(name: &str) -> bool {
    name.starts_with("language_model.") && name.ends_with("_proj.bias")
}

/// Whether the forward pass reads a tensor: `vision_feature_layer` is -2, so the last of three layers is spare.
fn is_used(name: &str) -> bool {
    ["layers.2.", "post_layernorm", "lm_head"]
        .iter()
        .all(|part| !name.contains(part))
}

fn config_json(model_type: &str) -> Value {
    let mut config = json!({
        "model_type": model_type, "image_token_index": 60, "image_grid_pinpoints": [[28, 56], [56, 28]],
        "vision_config": tower_config(3),
        "text_config": {
            "model_type": "llama", "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 64, "rms_norm_eps": 1e-5
        }
    });
    config["vision_config"]["model_type"] = json!("clip_vision_model");
    config
}

fn processor_json(size: usize) -> Value {
    json!({
        "image_processor_type": "CLIPImageProcessor", "do_resize": true, "do_center_crop": true, "do_rescale": true,
        "do_normalize": true, "do_convert_rgb": true, "resample": 3, "image_mean": [0.48, 0.46, 0.41],
        "image_std": [0.27, 0.26, 0.28], "size": {"shortest_edge": size},
        "crop_size": {"height": size, "width": size}, "image_grid_pinpoints": [[28, 56], [56, 28]]
    })
}

fn without_weights(names: Names, config: &Value, size: usize) -> Tiny {
    let tiny = Tiny::without_weights(names);
    write_json(&tiny.path("config.json"), config);
    write_json(
        &tiny.path("preprocessor_config.json"),
        &processor_json(size),
    );
    tiny
}

fn tiny(model_type: &str, names: Names) -> Tiny {
    let tiny = without_weights(names, &config_json(model_type), 28);
    let all = named(names, tensors(model_type, SIZES), Dtype::F32);
    write_file(&tiny.path("model.safetensors"), &all);
    tiny
}

/// A checkpoint of the real size whose weights are a hole: only headers are read on opening.
fn seven_billion(model_type: &str, config: &Value) -> Tiny {
    let tiny = without_weights(Names::Hub, config, 336);
    tiny.edit("preprocessor_config.json", |processor| {
        processor["image_grid_pinpoints"] = config["image_grid_pinpoints"].clone();
    });
    let tensors: Vec<Shaped> = tensors(model_type, SEVEN_BILLION)
        .into_iter()
        .map(|(name, shape)| (in_file(Names::Hub, &name), shape))
        .collect();
    write_sparse(&tiny.path("model.safetensors"), &tensors);
    tiny
}

fn config(checkpoint: &Checkpoint) -> &Config {
    match &checkpoint.family {
        Family::Llava(config) => config,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_naming_scheme_gives_the_same_tensors() {
    for (model_type, generation) in GENERATIONS {
        for names in [Names::Hub, Names::V5, Names::Raw, Names::Raw4] {
            let checkpoint = tiny(model_type, names)
                .open()
                .unwrap_or_else(|error| panic!("{names:?}: {error}"));
            assert_eq!(checkpoint.layout, Layout::HuggingFace);
            assert_eq!(config(&checkpoint).generation, generation);
            assert!(checkpoint.weights.unmapped().is_empty());
            for (name, shape) in tensors(model_type, SIZES) {
                let count = shape.iter().product();
                let tensor = checkpoint
                    .weights
                    .get(&name, shape, DType::F32, &Device::Cpu)
                    .unwrap();
                let found: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
                assert_eq!(found, values(&name, count), "{names:?} {name}");
            }
        }
    }
}

#[test]
fn expected_tensors_are_those_that_the_pass_reads() {
    for (model_type, _) in GENERATIONS {
        let checkpoint = tiny(model_type, Names::Hub).open().unwrap();
        let mut expected = expected_tensors(config(&checkpoint));
        let mut wanted = tensors(model_type, SIZES);
        wanted.retain(|(name, _)| is_used(name));
        expected.sort();
        wanted.sort();
        assert_eq!(expected, wanted, "{model_type}");
    }
}

/// What `llava-hf/llava-1.5-7b-hf` says of itself; the rest are defaults.
#[test]
fn the_published_config_is_read() {
    let published = json!({
        "architectures": ["LlavaForConditionalGeneration"], "ignore_index": -100, "image_token_index": 32000,
        "model_type": "llava", "pad_token_id": 32001, "projector_hidden_act": "gelu",
        "text_config": {
            "_name_or_path": "lmsys/vicuna-7b-v1.5", "architectures": ["LlamaForCausalLM"],
            "max_position_embeddings": 4096, "model_type": "llama", "rms_norm_eps": 1e-5, "torch_dtype": "float16",
            "vocab_size": 32064
        },
        "tie_word_embeddings": false, "torch_dtype": "float16",
        "vision_config": {
            "hidden_size": 1024, "image_size": 336, "intermediate_size": 4096, "model_type": "clip_vision_model",
            "num_attention_heads": 16, "num_hidden_layers": 24, "patch_size": 14, "projection_dim": 768,
            "vocab_size": 32000
        },
        "vision_feature_layer": -2, "vision_feature_select_strategy": "default", "vocab_size": 32064
    });
    let checkpoint = seven_billion("llava", &published).open().unwrap();
    let config = config(&checkpoint);
    assert_eq!((config.tower, config.vision_layers_used), (Tower::Clip, 23));
    assert_eq!(config.vision.layer_norm_eps, 1e-5);
    assert_eq!(config.language.rms_norm_eps, 1e-5);
    assert_eq!(config.language.max_position_embeddings, 4096);
    assert_eq!(config.language.rope_theta, 10_000.0);
    assert_eq!(config.image_token, Some(32_000));
    assert_eq!((&config.pictures, config.tile()), (&Pictures::Crop, 336));
    assert_eq!(config.pixels.mean, [0.48, 0.46, 0.41]);
    assert!(config.video.is_none() && !config.language.qkv_bias && config.projector_bias);
}

#[test]
fn absent_keys_take_the_defaults_of_transformers() {
    for (model_type, _) in GENERATIONS {
        let bare = json!({"model_type": model_type, "text_config": {"vocab_size": 32064}});
        let checkpoint = seven_billion(model_type, &bare).open().unwrap();
        let config = config(&checkpoint);
        // LlamaConfig's own, which LLaVA-1.5's files do not mean.
        assert_eq!(config.language.rms_norm_eps, 1e-6);
        assert_eq!(config.language.num_hidden_layers, 32);
        assert_eq!((config.tower, config.vision_layers_used), (Tower::Clip, 23));
        assert_eq!(config.vision.num_attention_heads, 16);
        assert_eq!(config.image_token, Some(32_000));
        assert!(config.projector_bias);
        let pictures = match config.generation {
            Generation::V1_5 => Pictures::Crop,
            _ => Pictures::Anyres {
                pinpoints: vec![(336, 672), (672, 336), (672, 672), (1008, 336), (336, 1008)],
                max_tiles: None,
                squares: false,
            },
        };
        assert_eq!(config.pictures, pictures);
    }

    // A tower that is described in part is CLIP's base size in the rest.
    let tiny = tiny("llava", Names::Hub);
    tiny.edit("config.json", |config| {
        let vision = config["vision_config"].as_object_mut().unwrap();
        vision.remove("intermediate_size");
        vision.remove("model_type");
    });
    assert_says(&tiny.error(), &["mlp.fc1.weight", "[3072, 24]"]);
}

#[test]
fn language_models_of_other_kinds() {
    for (kind, biases) in [("mistral", false), ("qwen2", true)] {
        let tiny = tiny("llava_next", Names::Hub);
        tiny.edit("config.json", |config| {
            config["text_config"]["model_type"] = json!(kind);
            config["text_config"]["sliding_window"] = Value::Null;
        });
        if biases {
            assert_says(&tiny.error(), &["self_attn.q_proj.bias` is missing"]);
        } else {
            assert!(!config(&tiny.open().unwrap()).language.qkv_bias);
        }
    }
}

/// `llava-hf/llava-interleave-qwen-0.5b-hf` and its like.
#[test]
fn siglip_takes_the_whole_picture_and_every_feature() {
    let make = |strategy: &str| {
        let mut config = config_json("llava");
        config["vision_config"] = tower_config(3);
        config["vision_feature_layer"] = json!(-1);
        config["vision_feature_select_strategy"] = json!(strategy);
        let tiny = without_weights(Names::Hub, &config, 28);
        write_json(
            &tiny.path("preprocessor_config.json"),
            &preprocessor_config(),
        );
        let mut all = all_tensors(TINY);
        all.retain(|(name, _)| !is_language_bias(name) && name != "image_newline");
        let all = named(Names::Hub, all, Dtype::F32);
        write_file(&tiny.path("model.safetensors"), &all);
        tiny
    };
    let checkpoint = make("full").open().unwrap();
    let config = config(&checkpoint);
    assert_eq!(
        (config.tower, config.vision_layers_used),
        (Tower::Siglip, 3)
    );
    assert_eq!(config.pictures, Pictures::Squash);
    assert!(!config.has_newline());
    let error = make("default").error();
    assert_says(
        &error,
        &["`vision_feature_select_strategy` is \"default\"; supported: full"],
    );
}

#[test]
fn sizes_of_the_preprocessor_may_be_numbers() {
    for (size, crop) in [
        (json!(28), json!(28)),
        (json!({"shortest_edge": 28}), json!(28)),
        (json!(28), json!({"height": 28, "width": 28})),
    ] {
        let tiny = tiny("llava", Names::Hub);
        tiny.edit("preprocessor_config.json", |processor| {
            processor["size"] = size;
            processor["crop_size"] = crop;
        });
        assert_eq!(config(&tiny.open().unwrap()).pictures, Pictures::Crop);
    }
    let tiny = tiny("llava", Names::Hub);
    tiny.edit("preprocessor_config.json", |processor| {
        processor["size"] = json!({"height": 28, "width": 28});
    });
    assert_eq!(config(&tiny.open().unwrap()).pictures, Pictures::Squash);
}

/// Model, file, key, value, and what the message says of what is supported.
const REFUSED: &str = r#"
llava config.json vision_feature_select_strategy "full" -> default, which leaves out CLIP's class token
llava config.json vision_feature_layer [-2,-5] -> one layer of the 3
llava config.json vision_feature_layer 0 -> one layer of the 3
llava config.json vision_config.model_type "pixtral" -> clip_vision_model, siglip_vision_model
llava config.json vision_config.hidden_act "gelu" -> quick_gelu
llava config.json text_config.model_type "gemma" -> llama, mistral, qwen2
llava config.json text_config.attention_bias true -> false
llava config.json projector_hidden_act "relu" -> gelu
llava config.json mm_vision_tower "openai/clip-vit-large-patch14-336" -> converted for transformers
llava preprocessor_config.json do_center_crop false -> true
llava preprocessor_config.json do_pad true -> false
llava preprocessor_config.json size.shortest_edge 27 -> 28, the vision tower's image_size
llava preprocessor_config.json crop_size.width 27 -> 28, the vision tower's image_size
llava preprocessor_config.json crop_size 27 -> height and width 28, the vision tower's image_size
llava preprocessor_config.json size 27 -> shortest_edge 28, the vision tower's image_size
llava_next config.json image_grid_pinpoints [[28,30]] -> multiples of the tile's 28
llava_next preprocessor_config.json image_grid_pinpoints [[28,28]] -> the list of config.json
llava_next preprocessor_config.json crop_size.height 14 -> 28, the vision tower's image_size
"#;

#[test]
fn settings_that_would_be_wrong_are_refused() {
    for row in REFUSED.lines().filter(|row| !row.is_empty()) {
        let (setting, supported) = row.split_once(" -> ").unwrap();
        let [model_type, file, key, value] =
            setting.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let tiny = tiny(model_type, Names::Hub);
        tiny.edit(file, |config| {
            let slot = key.split('.').fold(config, |at, part| &mut at[part]);
            *slot = serde_json::from_str(value).unwrap();
        });
        assert_says(
            &tiny.error(),
            &[file, &format!("`{key}` is {value}; supported: "), supported],
        );
    }
}
