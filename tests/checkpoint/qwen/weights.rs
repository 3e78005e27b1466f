//! The tensors that a config asks for.

use candle_core::{DType, Device};
use madmix::checkpoint::Layout;
use madmix::checkpoint::qwen_vl::{Generation, expected_tensors};
use serde_json::json;

use super::tiny::{BOTH, Names, Tiny, config, tensors};
use crate::support::{Shaped, assert_says, values, write_sparse};

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
