//! Opening checkpoints: both layouts, every naming scheme, every config default.

use crate::support::*;
use candle_core::{DType, Device, Tensor};
use madmix::checkpoint::llava::{Config, Pictures, Video, VideoNewline, expected_tensors};
use madmix::checkpoint::{Checkpoint, Family, Layout, OpenOptions};
use safetensors::tensor::Dtype;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

fn config(checkpoint: &Checkpoint) -> &Config {
    match &checkpoint.family {
        Family::Llava(config) => config,
        other => panic!("{other:?}"),
    }
}

/// The pinpoints and the limit of a config's tiling.
fn tiling(config: &Config) -> (&[(u32, u32)], Option<u32>) {
    match &config.pictures {
        Pictures::Anyres {
            pinpoints,
            max_tiles,
            squares: true,
        } => (pinpoints, *max_tiles),
        other => panic!("{other:?}"),
    }
}

fn newline(config: &Config) -> VideoNewline {
    config.video.as_ref().unwrap().newline
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor
        .to_dtype(DType::F32)
        .unwrap()
        .flatten_all()
        .unwrap()
        .to_vec1()
        .unwrap()
}

#[test]
fn every_naming_scheme_gives_the_same_tensors() {
    for names in ALL_NAMES {
        let checkpoint = Tiny::new(names)
            .open()
            .unwrap_or_else(|error| panic!("{names:?}: {error}"));
        let layout = if names == Names::LlavaNext {
            Layout::LlavaNext
        } else {
            Layout::HuggingFace
        };
        assert_eq!(checkpoint.layout, layout);
        assert!(checkpoint.weights.unmapped().is_empty());
        for (name, shape) in all_tensors(TINY) {
            let count = shape.iter().product();
            let tensor = checkpoint
                .weights
                .get(&name, shape.as_slice(), DType::F32, &Device::Cpu)
                .unwrap();
            assert_eq!(tensor.dims(), shape, "{names:?} {name}");
            assert_eq!(flat(&tensor), values(&name, count), "{names:?} {name}");
        }
    }
}

#[test]
fn both_layouts_of_one_model_have_one_config() {
    let hugging_face = Tiny::new(Names::Hub).open().unwrap();
    let llava_next = Tiny::new(Names::LlavaNext).open().unwrap();
    let (a, b) = (config(&hugging_face), config(&llava_next));
    assert_eq!(a.language, b.language);
    assert_eq!(format!("{:?}", a.vision), format!("{:?}", b.vision));
    assert_eq!((a.vision_layers_used, b.vision_layers_used), (3, 3));
    assert_eq!(
        a.pictures, b.pictures,
        "(height, width) in both, though LLaVA-NeXT writes (width, height)"
    );
    assert_eq!(a.pixels, b.pixels);
    assert_eq!((a.image_token, b.image_token), (Some(60), None));
    let newline = VideoNewline::OneToken;
    for (config, token) in [(a, Some(61)), (b, None)] {
        assert_eq!(config.video, Some(Video { token, newline }));
    }
    assert!(a.projector_bias && b.projector_bias);
    assert_eq!(a.tile(), 28);
}

/// Published configs with weights of the real size that are holes: only headers are read on opening.
#[test]
fn published_checkpoints_open() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/checkpoints");
    let mut configs = Vec::new();
    for (fixture, names) in [
        ("hugging-face-0.5b", Names::Hub),
        ("llava-next-0.5b", Names::LlavaNext),
    ] {
        let folder = tempfile::tempdir().unwrap();
        for file in ["config.json", "preprocessor_config.json"] {
            let from = fixtures.join(fixture).join(file);
            if from.exists() {
                fs_err::copy(from, folder.path().join(file)).unwrap();
            }
        }
        fs_err::write(folder.path().join("tokenizer.json"), "{}").unwrap();
        let tensors: Vec<Shaped> = all_tensors(HALF_BILLION)
            .into_iter()
            .map(|(name, shape)| (in_file(names, &name), shape))
            .collect();
        write_sparse(&folder.path().join("model.safetensors"), &tensors);
        let checkpoint = open(folder.path()).unwrap();
        configs.push(config(&checkpoint).clone());
    }
    for config in &configs {
        assert_eq!(config.language.hidden_size, 896);
        assert_eq!(config.language.rope_theta, 1e6);
        assert_eq!(config.language.rms_norm_eps, 1e-6);
        assert_eq!(
            (
                config.vision.num_attention_heads,
                config.vision.num_hidden_layers
            ),
            (16, 26)
        );
        assert_eq!(
            (config.vision.image_size, config.vision.patch_size),
            (384, 14)
        );
        let (pinpoints, max_tiles) = tiling(config);
        assert_eq!((config.vision_layers_used, max_tiles), (26, Some(9)));
        assert_eq!(config.pixels.mean, [0.5; 3]);
        assert_eq!(pinpoints.len(), 36);
        assert_eq!(newline(config), VideoNewline::OneToken);
    }
    assert_eq!(configs[0].image_token, Some(151_646));
    assert_eq!(tiling(&configs[0]).0[1], (384, 768));
    assert_eq!(tiling(&configs[1]).0[1], (768, 384));
    let set = |config: &Config| tiling(config).0.iter().copied().collect::<BTreeSet<_>>();
    assert_eq!(set(&configs[0]), set(&configs[1]));
    assert_eq!(
        configs[0].language.vocab_size,
        configs[1].language.vocab_size
    );
    assert_eq!(
        format!("{:?}", configs[0].vision),
        format!("{:?}", configs[1].vision)
    );
}

#[test]
fn absent_keys_take_the_defaults_of_transformers() {
    let tiny = Tiny::new(Names::Hub);
    tiny.edit("config.json", |config| {
        let text = config["text_config"].as_object_mut().unwrap();
        text.remove("rope_theta");
        config.as_object_mut().unwrap().remove("image_token_index");
    });
    let checkpoint = tiny.open().unwrap();
    // Qwen2Config's own default, and not the 1e6 that every published file spells out.
    assert_eq!(config(&checkpoint).language.rope_theta, 10_000.0);
    assert_eq!(config(&checkpoint).image_token, Some(151_646));
    assert_eq!(config(&checkpoint).vision.layer_norm_eps, 1e-6);
}

#[test]
fn configs_of_transformers_5_are_read() {
    let tiny = Tiny::new(Names::V5);
    tiny.edit("config.json", |config| {
        config.as_object_mut().unwrap().remove("image_token_index");
        config["image_token_id"] = json!(59);
        config["vision_feature_layer"] = json!(-2);
        let text = &mut config["text_config"];
        text.as_object_mut().unwrap().remove("rope_theta");
        text["rope_parameters"] = json!({"rope_theta": 500.0, "rope_type": "default"});
        text["layer_types"] = json!(["full_attention", "full_attention"]);
    });
    let part = preprocessor_config();
    let nested = json!({"image_processor": part, "video_processor": part});
    write_json(&tiny.path("processor_config.json"), &nested);
    // The nested one wins.
    fs_err::write(tiny.path("preprocessor_config.json"), "{}").unwrap();
    let checkpoint = tiny.open().unwrap();
    let config = config(&checkpoint);
    assert_eq!(
        (config.image_token, config.language.rope_theta),
        (Some(59), 500.0)
    );
    assert_eq!(config.pixels.mean, [0.5; 3]);
    assert_eq!(
        (config.vision_layers_used, config.vision.num_hidden_layers),
        (2, 3)
    );
    let wanted: Vec<String> = expected_tensors(config)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert!(
        !wanted
            .iter()
            .any(|name| name.starts_with("vision_tower.encoder.layers.2."))
    );
}

#[test]
fn expected_tensors_are_those_that_checkpoints_have() {
    let checkpoint = Tiny::new(Names::Hub).open().unwrap();
    let sorted = |mut list: Vec<Shaped>| {
        list.sort();
        list
    };
    assert_eq!(
        sorted(expected_tensors(config(&checkpoint))),
        sorted(all_tensors(TINY))
    );
}

#[test]
fn a_frozen_tower_comes_from_its_own_checkpoint() {
    let tiny = Tiny::without_weights(Names::LlavaNext);
    let others = named(Names::LlavaNext, other_tensors(TINY), Dtype::F32);
    write_file(&tiny.path("model.safetensors"), &others);
    assert!(
        tiny.error().contains("model.safetensors"),
        "{}",
        tiny.error()
    );

    // A whole SigLIP checkpoint: a layer more than is used, the head, and the text tower.
    let full = Sizes {
        vision_layers: 4,
        ..TINY
    };
    let mut tower: Vec<_> = vision_tensors("vision_tower.", full)
        .into_iter()
        .map(|(name, shape)| {
            (
                name.replace("vision_tower.", "vision_model."),
                name,
                shape,
                Dtype::F16,
            )
        })
        .collect();
    for name in [
        "vision_model.post_layernorm.weight",
        "vision_model.head.probe",
        "text_model.x",
        "logit_scale",
    ] {
        tower.push((name.to_owned(), name.to_owned(), vec![1], Dtype::F32));
    }
    write_file(&tiny.path("tower/model.safetensors"), &tower);
    write_json(
        &tiny.path("tower/config.json"),
        &json!({"model_type": "siglip", "vision_config": tower_config(4)}),
    );
    let checkpoint = tiny.open().unwrap();
    let name = "vision_tower.encoder.layers.2.mlp.fc1.weight";
    let tensor = checkpoint
        .weights
        .get(name, (40, 24), DType::F32, &Device::Cpu)
        .unwrap();
    assert_eq!(flat(&tensor), values(name, 40 * 24));
    assert!(checkpoint.weights.unmapped().is_empty());

    // The tower's weights count in the fingerprint.
    let before = checkpoint.fingerprint(&offline().progress).unwrap();
    tower[0].1 = "other values".into();
    write_file(&tiny.path("tower/model.safetensors"), &tower);
    assert_ne!(
        before,
        tiny.open()
            .unwrap()
            .fingerprint(&offline().progress)
            .unwrap()
    );

    write_json(
        &tiny.path("tower/config.json"),
        &json!({"model_type": "clip"}),
    );
    let error = tiny.error();
    assert!(
        error.contains("`model_type` is \"clip\"; supported: siglip, siglip_vision_model"),
        "{error}"
    );
}

#[test]
fn llava_next_settings() {
    let open = |change: &dyn Fn(&mut Value)| {
        let tiny = Tiny::new(Names::LlavaNext);
        tiny.edit("config.json", change);
        config(&tiny.open().unwrap()).clone()
    };
    let config = open(&|c| c["image_grid_pinpoints"] = json!("(1x1),...,(2x3)"));
    assert_eq!(
        tiling(&config).0,
        [(28, 28), (56, 28), (84, 28), (28, 56), (56, 56), (84, 56)]
    );
    let config = open(&|c| c["image_grid_pinpoints"] = json!("[(28, 56), [56, 28]]"));
    assert_eq!(tiling(&config).0, [(56, 28), (28, 56)]);
    assert_eq!(
        tiling(&open(&|c| c["image_aspect_ratio"] = json!("anyres"))).1,
        None
    );
    assert_eq!(
        tiling(&open(&|c| c["image_aspect_ratio"] = json!("anyres_max_4"))).1,
        Some(4)
    );
    for (text, expected) in [
        ("grid", VideoNewline::Grid),
        ("frame", VideoNewline::Frame),
        ("no_token", VideoNewline::NoToken),
    ] {
        assert_eq!(
            newline(&open(&|c| c["mm_newline_position"] = json!(text))),
            expected
        );
    }
}

/// Heads are in no shape; another place for the tower's config than its own folder is the model's config.
#[test]
fn a_tower_config_inside_the_config_serves() {
    let tiny = Tiny::new(Names::LlavaNext);
    fs_err::remove_dir_all(tiny.path("tower")).unwrap();
    assert!(
        tiny.error().contains("no checkpoint `tower`"),
        "{}",
        tiny.error()
    );
    tiny.edit("config.json", |config| {
        config["mm_vision_config"] = tower_config(4);
    });
    assert_eq!(config(&tiny.open().unwrap()).vision.num_attention_heads, 2);
}

#[test]
fn stored_and_asked_dtypes_mix() {
    let name = "language_model.model.layers.1.mlp.down_proj.weight";
    for stored in [Dtype::F32, Dtype::F16, Dtype::BF16] {
        let tiny = Tiny::without_weights(Names::Hub);
        write_file(
            &tiny.path("model.safetensors"),
            &named(Names::Hub, all_tensors(TINY), stored),
        );
        let weights = tiny.open().unwrap().weights;
        for asked in [DType::F32, DType::F16, DType::BF16] {
            let tensor = weights.get(name, (32, 48), asked, &Device::Cpu).unwrap();
            assert_eq!(tensor.dtype(), asked);
            assert_eq!(
                flat(&tensor),
                values(name, 32 * 48),
                "{stored} as {asked:?}"
            );
        }
    }
}

#[test]
fn tensors_larger_than_a_chunk_are_whole() {
    // 70 MB, and a number of rows that no chunk divides.
    let sizes = Sizes {
        vocabulary: 547_001,
        ..TINY
    };
    let tiny = Tiny::without_weights(Names::Hub);
    tiny.edit("config.json", |config| {
        config["text_config"]["vocab_size"] = json!(sizes.vocabulary);
    });
    write_file(
        &tiny.path("model.safetensors"),
        &named(Names::Hub, all_tensors(sizes), Dtype::F32),
    );
    let name = "language_model.model.embed_tokens.weight";
    let weights = tiny.open().unwrap().weights;
    let tensor = weights
        .get(name, (sizes.vocabulary, 32), DType::F32, &Device::Cpu)
        .unwrap();
    assert!(flat(&tensor) == values(name, sizes.vocabulary * 32));
}

#[test]
fn shards_are_read_through_the_index() {
    let tiny = Tiny::without_weights(Names::Hub);
    write_shards(&tiny);
    let checkpoint = tiny.open().unwrap();
    for (name, shape) in all_tensors(TINY) {
        let count = shape.iter().product();
        let tensor = checkpoint
            .weights
            .get(&name, shape, DType::F32, &Device::Cpu)
            .unwrap();
        assert_eq!(flat(&tensor), values(&name, count), "{name}");
    }
}

fn write_shards(tiny: &Tiny) {
    let all = named(tiny.names, all_tensors(TINY), Dtype::F32);
    let mut map = serde_json::Map::new();
    for (number, part) in all.chunks(all.len().div_ceil(3)).enumerate() {
        let file = format!("model-{:05}-of-00003.safetensors", number + 1);
        write_file(&tiny.path(&file), part);
        map.extend(part.iter().map(|(name, ..)| (name.clone(), json!(file))));
    }
    write_json(
        &tiny.path("model.safetensors.index.json"),
        &json!({"metadata": {}, "weight_map": map}),
    );
}

#[test]
fn known_unused_tensors_are_fine() {
    for names in [Names::Hub, Names::LlavaNext] {
        let tiny = Tiny::without_weights(names);
        let mut all = named(names, all_tensors(TINY), Dtype::F32);
        let vision = in_file(names, "vision_tower.");
        let language = in_file(names, "language_model.model.");
        let unused = [
            format!("{vision}post_layernorm.weight"),
            format!("{vision}head.probe"),
            format!("{vision}embeddings.position_ids"),
            format!("{language}layers.0.self_attn.rotary_emb.inv_freq"),
            format!("{language}faster_token"),
            "lm_head.weight".to_owned(),
            "something_else.weight".to_owned(),
        ];
        all.extend(
            unused
                .into_iter()
                .map(|name| (name.clone(), name, vec![2], Dtype::F32)),
        );
        write_file(&tiny.path("model.safetensors"), &all);
        assert_eq!(
            tiny.open().unwrap().weights.unmapped(),
            ["something_else.weight"]
        );
    }
}

#[test]
fn templates_are_found_in_every_place() {
    let tiny = Tiny::new(Names::Hub);
    let template = || tiny.open().unwrap().chat_template;
    write_json(
        &tiny.path("chat_template.json"),
        &json!({"chat_template": "from json"}),
    );
    write_json(
        &tiny.path("tokenizer_config.json"),
        &json!({"chat_template": "from tokenizer"}),
    );
    assert_eq!(template().as_deref(), Some(TEMPLATE));
    fs_err::remove_file(tiny.path("chat_template.jinja")).unwrap();
    assert_eq!(template().as_deref(), Some("from json"));
    fs_err::remove_file(tiny.path("chat_template.json")).unwrap();
    assert_eq!(template().as_deref(), Some("from tokenizer"));
    let named = json!([{"name": "tool", "template": "t"}, {"name": "default", "template": "d"}]);
    write_json(
        &tiny.path("tokenizer_config.json"),
        &json!({"chat_template": named}),
    );
    assert_eq!(template().as_deref(), Some("d"));
    write_json(
        &tiny.path("tokenizer_config.json"),
        &json!({"chat_template": null}),
    );
    assert_eq!(template(), None);
}

/// What is changed, and how.
type Change = (&'static str, &'static dyn Fn(&Tiny));

#[test]
fn the_fingerprint_is_of_the_content_alone() {
    let tiny = Tiny::new(Names::Hub);
    let print = |tiny: &Tiny| {
        tiny.open()
            .unwrap()
            .fingerprint(&offline().progress)
            .unwrap()
    };
    let first = print(&tiny);
    assert_eq!(first.len(), 64);

    let copy = Tiny::without_weights(Names::Hub);
    fs_err::copy(
        tiny.path("model.safetensors"),
        copy.path("model.safetensors"),
    )
    .unwrap();
    assert_eq!(first, print(&copy), "a copy elsewhere");

    fs_err::write(tiny.path("optimizer.pt"), "state").unwrap();
    fs_err::write(tiny.path("trainer_state.json"), "{}").unwrap();
    assert_eq!(first, print(&tiny), "what training leaves behind");

    let changed: [Change; 4] = [
        ("template", &|tiny| {
            fs_err::write(tiny.path("chat_template.jinja"), "other").unwrap();
        }),
        ("tokenizer", &|tiny| {
            fs_err::write(tiny.path("tokenizer.json"), "{ }").unwrap();
        }),
        ("preprocessor", &|tiny| {
            tiny.edit("preprocessor_config.json", |p| {
                p["image_std"] = json!([1.0, 1.0, 1.0]);
            });
        }),
        ("weights", &|tiny| {
            let mut bytes = fs_err::read(tiny.path("model.safetensors")).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            fs_err::write(tiny.path("model.safetensors"), bytes).unwrap();
        }),
    ];
    for (what, change) in changed {
        let tiny = Tiny::new(Names::Hub);
        change(&tiny);
        assert_ne!(first, print(&tiny), "{what}");
    }
}

#[test]
fn hashing_reports_progress() {
    let checkpoint = Tiny::new(Names::Hub).open().unwrap();
    let seen: Arc<Mutex<Vec<(String, u64, u64)>>> = Arc::default();
    let log = Arc::clone(&seen);
    let progress: madmix::checkpoint::OnProgress = Arc::new(move |p| {
        log.lock()
            .unwrap()
            .push((p.file.to_owned(), p.done, p.total));
    });
    // The folder is gone with its guard: the error is an error.
    assert!(checkpoint.fingerprint(&progress).is_err());
    let tiny = Tiny::new(Names::Hub);
    tiny.open().unwrap().fingerprint(&progress).unwrap();
    let seen = seen.lock().unwrap();
    let (_, done, total) = seen
        .iter()
        .find(|(file, ..)| file == "model.safetensors")
        .unwrap();
    assert!(done == total && *total > 0);
}

#[test]
fn relative_paths_start_at_the_base() {
    let tiny = Tiny::new(Names::Hub);
    let (base, name) = (
        tiny.folder.path().parent().unwrap(),
        tiny.folder.path().file_name().unwrap(),
    );
    let checkpoint = Checkpoint::open(name.to_str().unwrap(), base, &offline()).unwrap();
    assert_eq!(checkpoint.name, name.to_str().unwrap());
    let here =
        Checkpoint::open(".", tiny.folder.path(), &OpenOptions::new("/nonexistent")).unwrap();
    assert_eq!(here.name, name.to_str().unwrap());
}
