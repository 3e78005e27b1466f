//! Checkpoints whose files lie about sizes, name other files, or are no files.

use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::{Value, json};

use crate::project::{Project, repository};
use crate::{assert_says, fails, reasons, victim};

/// A project with a checkpoint of its own, `ck`, a copy of the tiny one.
pub(crate) fn with_checkpoint() -> Project {
    let project = victim();
    let tiny = format!("{}/models/tiny-llava-onevision", repository());
    for entry in fs_err::read_dir(&tiny).unwrap() {
        let entry = entry.unwrap();
        let name = format!("ck/{}", entry.file_name().to_str().unwrap());
        project.write(&name, fs_err::read(entry.path()).unwrap());
    }
    project.edit("mix.toml", &tiny, "ck");
    project
}

/// Sets dotted keys of a JSON file.
fn set(project: &Project, file: &str, key: &str, value: &Value) {
    let name = format!("ck/{file}");
    let mut json: Value = serde_json::from_str(&project.read(&name)).unwrap();
    *key.split('.').fold(&mut json, |at, part| &mut at[part]) = value.clone();
    project.write(&name, json.to_string());
}

#[test]
fn sizes_out_of_all_range_are_refused() {
    let huge = 1_u64 << 62;
    for (key, value) in [
        ("text_config.hidden_size", json!(0)),
        ("text_config.hidden_size", json!(huge)),
        ("text_config.hidden_size", json!(-64)),
        ("text_config.hidden_size", json!(1e300)),
        (
            "text_config.num_hidden_layers",
            json!(1_000_000_000_000_u64),
        ),
        ("text_config.num_attention_heads", json!(huge)),
        ("text_config.num_key_value_heads", json!(0)),
        ("text_config.head_dim", json!(huge)),
        ("text_config.vocab_size", json!(huge)),
        ("text_config.intermediate_size", json!(huge)),
        (
            "vision_config.num_hidden_layers",
            json!(1_000_000_000_000_u64),
        ),
        ("vision_config.image_size", json!((1_u64 << 32) + 384)),
        ("vision_config.patch_size", json!(0)),
        ("vision_feature_layer", json!(i64::MIN)),
        ("image_token_index", json!(1_u64 << 40)),
        ("image_grid_pinpoints", json!([[38_400_000, 38_400_000]])),
        ("image_grid_pinpoints", json!(vec![[384, 384]; 500_000])),
    ] {
        let project = with_checkpoint();
        set(&project, "config.json", key, &value);
        let error = fails(&project);
        assert_says(&error, &["config.json", &format!("`{key}` is ")]);
        assert!(error.len() < 2_000, "{error}");
    }
}

#[test]
fn normalisation_without_end_is_refused() {
    for (key, value) in [
        ("image_mean", json!([1e300, 1e300, 1e300])),
        ("image_std", json!([-1, 1, 1])),
        ("image_std", json!([1e-300, 1, 1])),
        (
            "size",
            json!({"height": 1_000_000_000, "width": 1_000_000_000}),
        ),
    ] {
        let project = with_checkpoint();
        fs_err::remove_file(project.path("ck/processor_config.json")).unwrap();
        set(&project, "preprocessor_config.json", key, &value);
        let key = if key == "size" { "size.height" } else { key };
        assert_says(&fails(&project), &["preprocessor_config.json", key]);
    }
}

#[test]
fn headers_of_weights_that_lie_are_refused() {
    let file = |header: &str| {
        let length = (header.len() as u64).to_le_bytes();
        [&length[..], header.as_bytes(), &[0; 16]].concat()
    };
    let tensor = |shape: &str, from: u64, to: u64| {
        format!(r#"{{"dtype": "U8", "shape": [{shape}], "data_offsets": [{from}, {to}]}}"#)
    };
    let most = u64::MAX / 8;
    for (bytes, says) in [
        (Vec::new(), "has only 0 bytes"),
        (
            (1_u64 << 63).to_le_bytes().to_vec(),
            "promise a header of 9223372036854775808",
        ),
        (
            [&99_000_000_u64.to_le_bytes()[..], b"{}"].concat(),
            "cut off inside its header",
        ),
        (file(&"{\"a\":".repeat(100_000)), "recursion limit"),
        (
            file(&format!("{{\"a\": {}}}", tensor("8", 8, 0))),
            "its header",
        ),
        (
            file(&format!(
                "{{\"a\": {}, \"b\": {}}}",
                tensor("8", 0, 8),
                tensor("8", 4, 12)
            )),
            "its header",
        ),
        (
            file(&format!(
                "{{\"a\": {}}}",
                tensor("4294967296, 4294967296", 0, 16)
            )),
            "its header",
        ),
        (
            file(&format!(
                "{{\"a\": {}}}",
                tensor(&most.to_string(), 0, most)
            )),
            "is cut off",
        ),
        (
            file(&format!("{{\"a\": {}}}", tensor("8", 0, 8))),
            "bytes follow the last tensor",
        ),
    ] {
        let project = with_checkpoint();
        project.write("ck/model.safetensors", bytes);
        assert_says(&fails(&project), &["model.safetensors", says]);
    }
}

#[test]
fn an_index_names_files_beside_it_only() {
    for (name, says) in [
        ("../../x.safetensors", "in the same folder"),
        ("/etc/passwd", "in the same folder"),
        ("..", "in the same folder"),
        ("\u{1b}[31m.safetensors", r"missing in"),
        ("a\0.safetensors", "missing in"),
    ] {
        let project = with_checkpoint();
        fs_err::remove_file(project.path("ck/model.safetensors")).unwrap();
        let index = json!({"weight_map": {"x": name}}).to_string();
        project.write("ck/model.safetensors.index.json", index);
        let error = fails(&project);
        assert_says(&error, &["model.safetensors.index.json", says]);
        assert!(!error.contains('\u{1b}'), "{error:?}");
    }
}

#[test]
fn pipes_and_devices_among_the_files_are_refused() {
    for file in [
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "chat_template.jinja",
        "preprocessor_config.json",
        "processor_config.json",
        "model.safetensors",
    ] {
        for pipe in [true, false] {
            let project = with_checkpoint();
            let path = project.path(&format!("ck/{file}"));
            let _ = fs_err::remove_file(&path);
            if pipe {
                assert!(
                    Command::new("mkfifo")
                        .arg(&path)
                        .status()
                        .unwrap()
                        .success()
                );
            } else {
                symlink("/dev/zero", &path).unwrap();
            }
            assert_says(&fails(&project), &[file, "is not a regular file"]);
        }
    }
}

#[test]
fn json_without_end_is_an_error() {
    for file in ["config.json", "tokenizer.json", "preprocessor_config.json"] {
        let project = with_checkpoint();
        project.write(&format!("ck/{file}"), "{\"a\":".repeat(100_000));
        fs_err::remove_file(project.path("ck/processor_config.json")).unwrap();
        assert_says(&fails(&project), &[file]);
    }
}

/// The library gives up on a pattern that needs too many steps by a panic.
#[test]
fn a_pattern_of_too_many_steps_fails_the_sample() {
    let project = with_checkpoint();
    let pattern = json!({"type": "Split", "pattern": {"Regex": "(x+x+)+y"}, "behavior": "Isolated", "invert": false});
    set(&project, "tokenizer.json", "pre_tokenizer", &pattern);
    let bad = format!(
        r#"{{"conversations": [{{"from": "human", "value": "{}"}}]}}"#,
        "x".repeat(5_000)
    );
    project.write("pictures.jsonl", bad);
    assert_says(
        &reasons(&project)[0],
        &["tokenising the prompt failed", "retry-limit"],
    );
}

#[test]
fn normalizers_that_blow_a_text_up_are_refused() {
    let project = with_checkpoint();
    let double = json!({"type": "Replace", "pattern": {"String": "l"}, "content": "ll"});
    let steps = json!({"type": "Sequence", "normalizers": vec![double; 40]});
    set(&project, "tokenizer.json", "normalizer", &steps);
    assert_says(
        &fails(&project),
        &["tokenizer.json", "more than 256 times longer"],
    );
}

#[test]
fn tokens_of_any_number_are_none_of_the_model() {
    let project = with_checkpoint();
    let mut tokenizer: Value = serde_json::from_str(&project.read("ck/tokenizer.json")).unwrap();
    for id in tokenizer["model"]["vocab"]
        .as_object_mut()
        .unwrap()
        .values_mut()
    {
        if id.as_u64() < Some(300) {
            *id = json!(1_000_000_000 + id.as_u64().unwrap());
        }
    }
    project.write("ck/tokenizer.json", tokenizer.to_string());
    for reason in reasons(&project) {
        assert_says(&reason, &["is beyond the model's vocabulary of 1024"]);
    }
}
