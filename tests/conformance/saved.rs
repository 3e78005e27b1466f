//! However a model was saved, it is the same model. Always on the CPU: that is where equal means to the bit, and loading
//! is the same for every device.

use std::path::Path;

use madmix::vlm::{Input, MropeRule, PooledBatch, TextScope};
use safetensors::tensor::Dtype;

use crate::checkpoints::{read, rounded_to_bf16, saved};
use crate::families;
use crate::family::{Opened, load};
use crate::support;

fn forward(opened: &Opened, folder: &Path, batch: &[Input]) -> PooledBatch {
    let checkpoint = support::open(folder).unwrap();
    let model = load(&checkpoint, &opened.on, MropeRule::Original);
    model
        .forward(batch, &opened.layers(), TextScope::All)
        .unwrap()
}

#[test]
fn every_layout_of_a_model_gives_the_same_vectors_to_the_bit() {
    for opened in families() {
        let batch = opened.smallest();
        let own = opened.forward(&batch, TextScope::All);
        let twins = (opened.family.twins)(opened.folder.path());
        assert!(!twins.is_empty());
        for (name, twin) in twins {
            let found = forward(opened, twin.path(), &batch);
            assert!(
                found == own,
                "{}: {name} gives other vectors",
                opened.family.name
            );
        }
    }
}

/// bf16 is only how the weights are kept: the pass runs in f32 on the values that bf16 holds.
#[test]
fn a_checkpoint_saved_in_bf16_runs_in_f32() {
    for opened in families() {
        let (batch, own) = (opened.smallest(), opened.folder.path());
        let tensors = read(own);
        let in_bf16 = forward(opened, saved(own, &tensors, Dtype::BF16).path(), &batch);
        let rounded = saved(own, &rounded_to_bf16(tensors), Dtype::F32);
        let name = opened.family.name;
        assert!(in_bf16 == forward(opened, rounded.path(), &batch), "{name}");
        assert!(
            in_bf16 != opened.forward(&batch, TextScope::All),
            "{name}: nothing was rounded"
        );
    }
}

/// Of every part of a model one tensor.
const PARTS: [&str; 5] = [
    "embed_tokens.weight",
    "layers.0.self_attn.k_proj.weight",
    "layers.1.mlp.down_proj.weight",
    "patch_embed",
    "linear_1.weight|merger.mlp.0.weight|mm_projector.0.weight",
];

#[test]
fn a_tensor_that_is_missing_or_misshapen_is_refused_by_its_name() {
    for opened in families() {
        let own = opened.folder.path();
        let tensors = read(own);
        for part in PARTS {
            let is_it = |name: &&String| part.split('|').any(|text| name.contains(text));
            let name = tensors.keys().find(is_it).unwrap().clone();
            let refused = |tensors| {
                let folder = saved(own, &tensors, Dtype::F32);
                support::open(folder.path()).unwrap_err().to_string()
            };
            let mut without = tensors.clone();
            without.remove(&name);
            let error = refused(without);
            let says = error.contains("1 problems") && error.contains("is missing");
            assert!(says, "{}, {name}: {error}", opened.family.name);

            let mut misshapen = tensors.clone();
            let tensor = misshapen.get_mut(&name).unwrap();
            tensor.shape.insert(0, 1);
            let error = refused(misshapen);
            let says = error.contains(&format!("`{name}` has shape"));
            assert!(says, "{}: {error}", opened.family.name);
        }
    }
}
