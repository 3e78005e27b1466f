//! What a config and a preprocessor's files say.

use madmix::checkpoint::OnProgress;
use madmix::checkpoint::qwen_vl::{Generation, Windows};
use serde_json::json;

use super::tiny::{BOTH, Tiny, flat, nested, preprocessor};

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

#[test]
fn the_fingerprint_is_of_the_preprocessor_too() {
    let fingerprint = |tiny: &Tiny| {
        let nothing: OnProgress = std::sync::Arc::new(|_| {});
        tiny.open().unwrap().fingerprint(&nothing).unwrap()
    };
    let tiny = Tiny::new(Generation::V2);
    let before = fingerprint(&tiny);
    assert_eq!(before, fingerprint(&Tiny::new(Generation::V2)));
    tiny.edit("preprocessor_config.json", |json| {
        json["max_pixels"] = json!(4000);
    });
    assert_ne!(before, fingerprint(&tiny));
}
