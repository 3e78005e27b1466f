//! Weights that are incomplete, damaged or not the config's are refused, with a message that names file and tensor.

use crate::support::*;
use candle_core::{DType, Device};
use madmix::checkpoint::CheckpointError;
use safetensors::tensor::Dtype;
use serde_json::{Value, json};

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
                    *name = "multi_modal_projector.linear_3.bias".into();
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
        config["text_config"]["num_hidden_layers"] = json!(1);
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
        config["vision_config"]["num_hidden_layers"] = json!(2);
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
    assert_says(
        &error,
        &[
            "model.safetensors is cut off: tensor `vision_tower.vision_model.encoder.layers.2.self_attn.v_proj.weight`",
            &sizes,
        ],
    );
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
            );
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
