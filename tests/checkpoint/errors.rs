//! What can be wrong with a checkpoint beside its weights is refused on opening, with a message that says what and
//! where.

use crate::support::*;
use madmix::checkpoint::Checkpoint;
use serde_json::{Value, json};

/// Sets a dotted key.
fn set(config: &mut Value, key: &str, value: Value) {
    let slot = key.split('.').fold(config, |at, part| &mut at[part]);
    *slot = value;
}

/// Layout, file, key, value, and what the message says of what is supported.
const REFUSED: &str = r#"
Hub config.json text_config.hidden_act "gelu" -> silu
Hub config.json text_config.model_type "llama" -> qwen2
Hub config.json text_config.use_sliding_window true -> false
Hub config.json text_config.layer_types ["sliding_attention"] -> full_attention
Hub config.json text_config.num_attention_heads 5 -> hidden_size 32
Hub config.json text_config.num_key_value_heads 3 -> divisor
Hub config.json text_config.head_dim 7 -> an even number
Hub config.json text_config.hidden_size "32" -> a whole number
Hub config.json text_config.hidden_size 0 -> at least 1
Hub config.json text_config.rope_theta -1 -> above 0
Hub config.json vision_config.model_type "clip_vision_model" -> siglip_vision_model
Hub config.json vision_config.hidden_act "gelu" -> gelu_pytorch_tanh
Hub config.json vision_config.num_channels 1 -> 3
Hub config.json vision_feature_select_strategy "default" -> full
Hub config.json vision_feature_layer [-1,-2] -> one layer of the 3
Hub config.json vision_feature_layer 4 -> one layer of the 3
Hub config.json vision_aspect_ratio "square" -> anyres_max_N
Hub config.json projector_hidden_act "relu" -> gelu
Hub config.json image_grid_pinpoints [[28,30]] -> multiples of the tile's 28
Hub preprocessor_config.json do_normalize false -> true
Hub preprocessor_config.json resample 2 -> bicubic
Hub preprocessor_config.json rescale_factor 1.0 -> 1/255
Hub preprocessor_config.json image_mean [0.5] -> three numbers
Hub preprocessor_config.json image_std [0.5,0.0,0.5] -> above 0
Hub preprocessor_config.json size.width 29 -> image_size
LlavaNext config.json mm_projector_type "linear" -> mlp2x_gelu
LlavaNext config.json mm_patch_merge_type "flat" -> spatial_unpad
LlavaNext config.json mm_spatial_pool_mode "max" -> bilinear
LlavaNext config.json mm_resampler_type "qformer" -> null
LlavaNext config.json mm_use_im_start_end true -> false
LlavaNext config.json add_faster_video true -> false
LlavaNext config.json mm_newline_position "column" -> one_token, grid
LlavaNext config.json image_aspect_ratio "pad" -> anyres_max_N
LlavaNext config.json image_grid_pinpoints "whatever" -> [width, height]
LlavaNext config.json mm_hidden_size 1152 -> hidden size 24
LlavaNext config.json use_sliding_window true -> false
"#;

#[test]
fn settings_that_would_be_wrong_are_refused() {
    for row in REFUSED.lines().filter(|row| !row.is_empty()) {
        let (setting, supported) = row.split_once(" -> ").unwrap();
        let [layout, file, key, value] = setting.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let tiny = Tiny::new(if layout == "Hub" {
            Names::Hub
        } else {
            Names::LlavaNext
        });
        tiny.edit(file, |config| {
            set(config, key, serde_json::from_str(value).unwrap());
        });
        assert_says(
            &tiny.error(),
            &[file, &format!("`{key}` is {value}; supported: "), supported],
        );
    }
}

/// Frames and pictures go through one tower, which normalises both alike.
#[test]
fn frames_must_be_normalised_as_pictures_are() {
    let tiny = Tiny::new(Names::Hub);
    let mut video = preprocessor_config();
    video["image_mean"] = json!([0.25, 0.5, 0.75]);
    write_json(&tiny.path("video_preprocessor_config.json"), &video);
    let says = [
        "video_preprocessor_config.json",
        "`image_mean`",
        "that of pictures",
    ];
    assert_says(&tiny.error(), &says);
}

/// The processor cuts pictures by its own list, and the model packs them by its own.
#[test]
fn two_lists_of_pinpoints_must_agree() {
    let tiny = Tiny::new(Names::Hub);
    tiny.edit("config.json", |config| {
        config["image_grid_pinpoints"] = json!([[28, 28]]);
    });
    let says = [
        "preprocessor_config.json",
        "`image_grid_pinpoints` is",
        "the list of config.json",
    ];
    assert_says(&tiny.error(), &says);
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
