//! Settings that the forward pass would get wrong.

use madmix::checkpoint::qwen_vl::Generation;
use serde_json::{Value, json};

use super::tiny::Tiny;
use crate::support::assert_says;

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
