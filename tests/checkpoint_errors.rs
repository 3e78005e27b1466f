//! Everything that can be wrong with a checkpoint is refused on opening, with a message that says what and where.

#[path = "support/checkpoints.rs"]
mod checkpoints;

use candle_core::{DType, Device};
use checkpoints::*;
use madmix::checkpoint::{Checkpoint, CheckpointError};
use safetensors::tensor::Dtype;
use serde_json::{Value, json};

#[track_caller]
fn assert_says(error: &str, parts: &[&str]) {
    for part in parts {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
}

/// Sets a dotted key.
fn set(config: &mut Value, key: &str, value: Value) {
    let slot = key.split('.').fold(config, |at, part| &mut at[part]);
    *slot = value;
}

#[test]
fn settings_that_would_be_wrong_are_refused() {
    let rows = [
        (
            Names::Hub,
            "config.json",
            "text_config.hidden_act",
            json!("gelu"),
            "silu",
        ),
        (
            Names::Hub,
            "config.json",
            "text_config.model_type",
            json!("llama"),
            "qwen2",
        ),
        (
            Names::Hub,
            "config.json",
            "text_config.use_sliding_window",
            json!(true),
            "false",
        ),
        (
            Names::Hub,
            "config.json",
            "text_config.layer_types",
            json!(["sliding_attention"]),
            "full_attention",
        ),
        (
            Names::Hub,
            "config.json",
            "text_config.num_attention_heads",
            json!(5),
            "hidden_size 32",
        ),
        (
            Names::Hub,
            "config.json",
            "text_config.num_key_value_heads",
            json!(3),
            "divisor",
        ),
        (
            Names::Hub,
            "config.json",
            "text_config.head_dim",
            json!(16),
            "= 8",
        ),
        (
            Names::Hub,
            "config.json",
            "text_config.hidden_size",
            json!("32"),
            "a whole number",
        ),
        (
            Names::Hub,
            "config.json",
            "text_config.hidden_size",
            json!(0),
            "at least 1",
        ),
        (
            Names::Hub,
            "config.json",
            "text_config.rope_theta",
            json!(-1),
            "above 0",
        ),
        (
            Names::Hub,
            "config.json",
            "vision_config.model_type",
            json!("clip_vision_model"),
            "siglip_vision_model",
        ),
        (
            Names::Hub,
            "config.json",
            "vision_config.hidden_act",
            json!("gelu"),
            "gelu_pytorch_tanh",
        ),
        (
            Names::Hub,
            "config.json",
            "vision_config.num_channels",
            json!(1),
            "3",
        ),
        (
            Names::Hub,
            "config.json",
            "vision_feature_select_strategy",
            json!("default"),
            "full",
        ),
        (
            Names::Hub,
            "config.json",
            "vision_feature_layer",
            json!([-1, -2]),
            "one layer of the 3",
        ),
        (
            Names::Hub,
            "config.json",
            "vision_feature_layer",
            json!(4),
            "one layer of the 3",
        ),
        (
            Names::Hub,
            "config.json",
            "vision_aspect_ratio",
            json!("square"),
            "anyres_max_N",
        ),
        (
            Names::Hub,
            "config.json",
            "projector_hidden_act",
            json!("relu"),
            "gelu",
        ),
        (
            Names::Hub,
            "config.json",
            "image_grid_pinpoints",
            json!([[28, 30]]),
            "multiples of the tile's 28",
        ),
        (
            Names::Hub,
            "config.json",
            "image_grid_pinpoints",
            json!([[28, 28]]),
            "the list of config.json",
        ),
        (
            Names::Hub,
            "preprocessor_config.json",
            "do_normalize",
            json!(false),
            "true",
        ),
        (
            Names::Hub,
            "preprocessor_config.json",
            "resample",
            json!(2),
            "bicubic",
        ),
        (
            Names::Hub,
            "preprocessor_config.json",
            "rescale_factor",
            json!(1.0),
            "1/255",
        ),
        (
            Names::Hub,
            "preprocessor_config.json",
            "image_mean",
            json!([0.5]),
            "three numbers",
        ),
        (
            Names::Hub,
            "preprocessor_config.json",
            "image_std",
            json!([0.5, 0.0, 0.5]),
            "above 0",
        ),
        (
            Names::Hub,
            "preprocessor_config.json",
            "size.width",
            json!(29),
            "image_size",
        ),
        (
            Names::LlavaNext,
            "config.json",
            "mm_projector_type",
            json!("linear"),
            "mlp2x_gelu",
        ),
        (
            Names::LlavaNext,
            "config.json",
            "mm_patch_merge_type",
            json!("flat"),
            "spatial_unpad",
        ),
        (
            Names::LlavaNext,
            "config.json",
            "mm_spatial_pool_mode",
            json!("max"),
            "bilinear",
        ),
        (
            Names::LlavaNext,
            "config.json",
            "mm_resampler_type",
            json!("qformer"),
            "null",
        ),
        (
            Names::LlavaNext,
            "config.json",
            "mm_use_im_start_end",
            json!(true),
            "false",
        ),
        (
            Names::LlavaNext,
            "config.json",
            "add_faster_video",
            json!(true),
            "false",
        ),
        (
            Names::LlavaNext,
            "config.json",
            "mm_newline_position",
            json!("column"),
            "one_token, grid",
        ),
        (
            Names::LlavaNext,
            "config.json",
            "image_aspect_ratio",
            json!("pad"),
            "anyres_max_N",
        ),
        (
            Names::LlavaNext,
            "config.json",
            "image_grid_pinpoints",
            json!("whatever"),
            "[width, height]",
        ),
        (
            Names::LlavaNext,
            "config.json",
            "mm_hidden_size",
            json!(1152),
            "hidden size 24",
        ),
        (
            Names::LlavaNext,
            "config.json",
            "use_sliding_window",
            json!(true),
            "false",
        ),
    ];
    for (names, file, key, value, supported) in rows {
        let tiny = Tiny::new(names);
        tiny.edit(file, |config| set(config, key, value.clone()));
        // The list of the preprocessor is compared with the list of the config.
        let place = if supported == "the list of config.json" {
            "preprocessor_config.json"
        } else {
            file
        };
        let found = if place == file {
            value.to_string()
        } else {
            String::new()
        };
        assert_says(
            &tiny.error(),
            &[place, &format!("`{key}` is "), &found, supported],
        );
    }
}

#[test]
fn unknown_rope_scaling_is_refused() {
    for (key, value) in [
        ("rope_scaling", json!({"type": "yarn", "factor": 4.0})),
        (
            "rope_parameters",
            json!({"rope_type": "yarn", "rope_theta": 1e6}),
        ),
    ] {
        let tiny = Tiny::new(Names::Hub);
        tiny.edit("config.json", |config| config["text_config"][key] = value);
        assert_says(
            &tiny.error(),
            &[
                &format!("text_config.{key}."),
                "\"yarn\"; supported: default",
            ],
        );
    }
}

#[test]
fn mean_and_std_must_be_in_a_file() {
    let tiny = Tiny::new(Names::Hub);
    fs_err::remove_file(tiny.path("preprocessor_config.json")).unwrap();
    assert_says(&tiny.error(), &["preprocessor_config.json", "image_mean"]);
}

#[test]
fn unknown_families_list_the_known_ones() {
    let tiny = Tiny::new(Names::Hub);
    tiny.edit(
        "config.json",
        |config| *config = json!({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}),
    );
    assert_says(
        &tiny.error(),
        &[
            "config.json",
            "model_type \"gpt2\"",
            "GPT2LMHeadModel",
            "llava_onevision",
            "LlavaQwenForCausalLM",
        ],
    );
    fs_err::write(tiny.path("config.json"), "{").unwrap();
    assert_says(
        &tiny.error(),
        &["config.json is not the JSON object", "line 1"],
    );
    fs_err::write(tiny.path("config.json"), vec![b' '; 17 << 20]).unwrap();
    assert_says(&tiny.error(), &["config.json has 17825792 bytes"]);
}

#[test]
fn places_without_a_checkpoint() {
    let tiny = Tiny::new(Names::Hub);
    let open = |spec: &str| {
        Checkpoint::open(spec, tiny.folder.path(), &offline())
            .unwrap_err()
            .to_string()
    };
    assert_says(&open("config.json"), &["is a file"]);
    assert_says(
        &open("nothing"),
        &[
            "no checkpoint `nothing`",
            tiny.path("nothing").to_str().unwrap(),
            "owner/name",
        ],
    );
    assert_says(
        &open("owner/name"),
        &["no folder", "as a hub repository", "HF_HUB_OFFLINE"],
    );

    fs_err::create_dir_all(tiny.path("run/checkpoint-90")).unwrap();
    fs_err::create_dir_all(tiny.path("run/checkpoint-500")).unwrap();
    assert_says(&open("run"), &["run has no config.json"]);
    for step in [90, 500] {
        fs_err::write(
            tiny.path(&format!("run/checkpoint-{step}/config.json")),
            "{}",
        )
        .unwrap();
    }
    assert_says(&open("run"), &["did you mean", "run/checkpoint-500?"]);
}

#[test]
fn adapters_are_to_be_merged() {
    let tiny = Tiny::new(Names::LlavaNext);
    write_json(
        &tiny.path("adapter_config.json"),
        &json!({"base_model_name_or_path": "org/base"}),
    );
    assert_says(&tiny.error(), &["LoRA adapter", "org/base", "merge"]);
}

#[test]
fn tokenizers_missing() {
    let tiny = Tiny::new(Names::LlavaNext);
    fs_err::remove_file(tiny.path("tokenizer.json")).unwrap();
    assert_says(&tiny.error(), &["has no tokenizer.json", "copy it"]);
    fs_err::write(tiny.path("vocab.json"), "{}").unwrap();
    fs_err::write(tiny.path("merges.txt"), "").unwrap();
    assert_says(
        &tiny.error(),
        &[
            "python -c",
            "AutoTokenizer.from_pretrained",
            tiny.folder.path().to_str().unwrap(),
        ],
    );
}

#[test]
fn templates_of_no_known_form() {
    let tiny = Tiny::new(Names::LlavaNext);
    for template in [json!(3), json!([{"name": "tool", "template": "t"}])] {
        write_json(
            &tiny.path("tokenizer_config.json"),
            &json!({"chat_template": template}),
        );
        assert_says(
            &tiny.error(),
            &["tokenizer_config.json: `chat_template`", "named `default`"],
        );
    }
    fs_err::write(tiny.path("chat_template.jinja"), vec![b' '; 2 << 20]).unwrap();
    assert_says(&tiny.error(), &["chat_template.jinja has 2097152 bytes"]);
}

/// Writes all tensors of a hub checkpoint after a change to their list.
fn with_tensors(change: impl FnOnce(&mut Vec<(String, String, Vec<usize>, Dtype)>)) -> Tiny {
    let tiny = Tiny::without_weights(Names::Hub);
    let mut all = named(Names::Hub, all_tensors(TINY), Dtype::F32);
    change(&mut all);
    write_file(&tiny.path("model.safetensors"), &all);
    tiny
}

#[test]
fn weights_that_do_not_fit_the_config() {
    let tiny = with_tensors(|all| {
        all.retain(|(name, ..)| name != "language_model.model.norm.weight");
        for (name, _, shape, _) in all.iter_mut() {
            match name.as_str() {
                "image_newline" => *shape = vec![31],
                "multi_modal_projector.linear_2.bias" => {
                    *name = "multi_modal_projector.linear_3.bias".into()
                }
                _ => {}
            }
        }
    });
    assert_says(
        &tiny.error(),
        &[
            "4 problems",
            "`language_model.model.norm.weight` is missing",
            "`multi_modal_projector.linear_2.bias` is missing; nearest in the file: `multi_modal_projector.linear_3.bias`",
            "`image_newline` has shape [31]; config.json asks for [32]",
            "`multi_modal_projector.linear_3.bias` has no place",
        ],
    );
}

#[test]
fn more_layers_than_the_config_says() {
    let tiny = Tiny::new(Names::Hub);
    tiny.edit("config.json", |config| {
        config["text_config"]["num_hidden_layers"] = json!(1)
    });
    let error = tiny.error();
    assert_says(
        &error,
        &[
            "12 problems",
            "layers.1.",
            "beyond the 1 that text_config.num_hidden_layers says",
        ],
    );
    assert_says(&error, &["and 2 more"]);
    let tiny = Tiny::new(Names::Hub);
    tiny.edit("config.json", |config| {
        config["vision_config"]["num_hidden_layers"] = json!(2)
    });
    assert_says(
        &tiny.error(),
        &["beyond the 2 that the vision tower's num_hidden_layers says"],
    );
}

#[test]
fn a_file_of_another_model_lists_ten_problems() {
    let tiny = with_tensors(|all| {
        for (name, ..) in all.iter_mut() {
            *name = format!("other.{name}");
        }
    });
    let error = tiny.error();
    let count = all_tensors(TINY).len();
    assert_says(
        &error,
        &[
            &format!("{count} problems"),
            &format!("and {} more", count - 10),
        ],
    );
    assert_eq!(error.matches("\n  - ").count(), 10);
}

#[test]
fn quantized_weights() {
    let tiny = with_tensors(|all| {
        for (name, _, _, dtype) in all.iter_mut() {
            if name.ends_with("gate_proj.weight") {
                *dtype = Dtype::I8;
            }
        }
    });
    assert_says(
        &tiny.error(),
        &[
            "2 problems",
            "gate_proj.weight` is stored as I8; supported: F32, F16, BF16",
        ],
    );
}

#[test]
fn one_tensor_under_two_names() {
    let name = "model.image_newline".to_owned();
    let tiny = with_tensors(|all| all.push((name.clone(), name, vec![32], Dtype::F32)));
    assert_says(
        &tiny.error(),
        &["`image_newline`", "`model.image_newline`", "keep one"],
    );
}

#[test]
fn files_cut_off_or_garbled() {
    let tiny = Tiny::new(Names::Hub);
    let file = tiny.path("model.safetensors");
    let whole = fs_err::read(&file).unwrap();
    let last = "vision_tower.vision_model.encoder.layers.2.";
    let cut = |length: usize| {
        fs_err::write(&file, &whole[..length]).unwrap();
        tiny.error()
    };
    let error = cut(whole.len() - 1);
    let sizes = format!(
        "ends at byte {} and the file has {}",
        whole.len(),
        whole.len() - 1
    );
    assert_says(&error, &["model.safetensors is cut off: tensor `", &sizes]);
    assert!(error.contains(last) || error.contains("weight`") || error.contains("bias`"));
    assert_says(
        &cut(100),
        &[
            "model.safetensors is no safetensors file",
            "inside its header",
            "100 found",
        ],
    );
    assert_says(&cut(3), &["only 3 bytes"]);

    let write = |bytes: &[u8]| {
        fs_err::write(&file, bytes).unwrap();
        tiny.error()
    };
    assert_says(
        &write(b"version https://git-lfs.github.com/spec/v1\noid"),
        &["git lfs pull"],
    );
    assert_says(&write(&[0xff; 64]), &["promise a header of"]);
    let mut garbled = whole.clone();
    garbled[8..40].fill(b'#');
    assert_says(
        &write(&garbled),
        &["model.safetensors is no safetensors file: its header"],
    );
    let longer = [whole.as_slice(), b"more"].concat();
    assert_says(&write(&longer), &["4 bytes follow the last tensor"]);
}

#[test]
fn a_file_truncated_while_open_is_an_error() {
    let tiny = Tiny::new(Names::Hub);
    let weights = tiny.open().unwrap().weights;
    let file = fs_err::OpenOptions::new()
        .write(true)
        .open(tiny.path("model.safetensors"))
        .unwrap();
    file.set_len(9000).unwrap();
    let failed = all_tensors(TINY)
        .into_iter()
        .filter_map(|(name, shape)| weights.get(&name, shape, DType::F32, &Device::Cpu).err())
        .inspect(|error| {
            assert!(
                matches!(error, CheckpointError::Truncated { actual: 9000, .. }),
                "{error}"
            )
        })
        .count();
    assert!(failed > 10, "{failed}");
}

#[test]
fn tensors_asked_for_wrongly() {
    let weights = Tiny::new(Names::Hub).open().unwrap().weights;
    let get = |name: &str, dim: usize| {
        weights
            .get(name, dim, DType::F32, &Device::Cpu)
            .unwrap_err()
            .to_string()
    };
    assert_says(
        &get("image_newline", 33),
        &["tensor `image_newline`: has shape [32] and [33] is needed"],
    );
    assert_says(&get("nothing", 1), &["tensor `nothing`: is not in"]);
}

#[test]
fn half_a_set_of_shards() {
    let tiny = Tiny::without_weights(Names::Hub);
    let shard = |n: usize| format!("model-0000{n}-of-00003.safetensors");
    let names: Vec<String> = named(Names::Hub, all_tensors(TINY), Dtype::F32)
        .into_iter()
        .map(|(n, ..)| n)
        .collect();
    let map: serde_json::Map<String, Value> = names
        .iter()
        .enumerate()
        .map(|(i, name)| (name.clone(), json!(shard(i % 3 + 1))))
        .collect();
    write_json(
        &tiny.path("model.safetensors.index.json"),
        &json!({"weight_map": map}),
    );
    fs_err::write(tiny.path(&shard(2)), "").unwrap();
    let missing = format!(
        "2 of its 3 files are missing in {}: {}, {}",
        tiny.folder.path().display(),
        shard(1),
        shard(3)
    );
    assert_says(&tiny.error(), &["model.safetensors.index.json", &missing]);

    write_json(
        &tiny.path("model.safetensors.index.json"),
        &json!({"weight_map": {"a": "../b.safetensors"}}),
    );
    assert_says(
        &tiny.error(),
        &["weight_map.a", "../b.safetensors", "in the same folder"],
    );
    write_file(&tiny.path("x.safetensors"), &[]);
    write_json(
        &tiny.path("model.safetensors.index.json"),
        &json!({"weight_map": {"a": "x.safetensors"}}),
    );
    assert_says(
        &tiny.error(),
        &["x.safetensors", "holds `a`, and it does not"],
    );
    write_json(&tiny.path("model.safetensors.index.json"), &json!({}));
    assert_says(&tiny.error(), &["`weight_map` is absent"]);
}

#[test]
fn pickles_are_refused_with_the_command() {
    let tiny = Tiny::without_weights(Names::LlavaNext);
    assert_says(&tiny.error(), &["has neither model.safetensors nor"]);
    for state in [
        "optimizer.pt",
        "scheduler.pt",
        "training_args.bin",
        "rng_state.pt",
    ] {
        fs_err::write(tiny.path(state), "").unwrap();
    }
    assert_says(&tiny.error(), &["has neither model.safetensors nor"]);
    fs_err::write(tiny.path("zero_to_fp32.py"), "").unwrap();
    assert_says(&tiny.error(), &["python zero_to_fp32.py"]);
    for part in [1, 2] {
        fs_err::write(
            tiny.path(&format!("pytorch_model-0000{part}-of-00002.bin")),
            "",
        )
        .unwrap();
    }
    let folder = format!("cd {} && python -c", tiny.folder.path().display());
    let error = tiny.error();
    assert_says(
        &error,
        &[
            "pickle",
            &folder,
            "'pytorch_model-00001-of-00002.bin', 'pytorch_model-00002-of-00002.bin'",
        ],
    );
    assert!(!error.contains("optimizer.pt"), "{error}");
}
