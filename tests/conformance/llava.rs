//! LLaVA-OneVision as transformers saves it and as LLaVA-NeXT's training code does.

use std::path::{Path, PathBuf};

use madmix::media::{Orientation, Resampler};
use safetensors::tensor::Dtype;

use crate::checkpoints::{
    Folder, Tensors, WEIGHTS, copy_without_weights, read, renamed, sharded, write,
};
use crate::family::Family;
use crate::places::repository;
use crate::reference::folder;
use crate::support::{Names, in_file};

pub(crate) const ONE_VISION: Family = Family {
    name: "LLaVA-OneVision",
    fixtures: "llava_onevision",
    media: "llava_onevision",
    checkpoint: || Folder::Kept(tiny()),
    twins: |own| {
        let mut twins = saved_otherwise(own);
        twins.push(("LLaVA-NeXT".to_owned(), next_with_tower_inside()));
        twins.push((
            "LLaVA-NeXT, tower elsewhere".to_owned(),
            next_with_tower_elsewhere(),
        ));
        twins
    },
    orientation: Orientation::Apply,
    resamplers: &[
        (Resampler::Torchvision, "torchvision"),
        (Resampler::Pillow, "pillow"),
    ],
    other_pixels: &[],
};

pub(crate) const NEXT: Family = Family {
    name: "LLaVA-NeXT's layout",
    fixtures: "llava_next",
    media: "llava_onevision",
    checkpoint: next_with_tower_inside,
    twins: |own| {
        vec![
            ("in shards".to_owned(), Folder::Written(sharded(own))),
            ("tower elsewhere".to_owned(), next_with_tower_elsewhere()),
        ]
    },
    orientation: Orientation::Ignore,
    resamplers: &[(Resampler::Pillow, "pillow_horizontal_first")],
    // From Pillow 13 on this one is resampled along its columns first.
    other_pixels: &["one_900x100"],
};

/// The Hugging Face checkpoint, one file with the hub's names.
fn tiny() -> PathBuf {
    Path::new(repository()).join("models/tiny-llava-onevision")
}

/// What transformers may have made of a published checkpoint.
pub(crate) fn saved_otherwise(own: &Path) -> Vec<(String, Folder)> {
    let mut twins = vec![("in shards".to_owned(), Folder::Written(sharded(own)))];
    twins.extend(
        [Names::Hub, Names::V5, Names::Raw, Names::Raw4].map(|names| {
            let twin = renamed(own, |name| in_file(names, &canonical(name)));
            (format!("names of {names:?}"), Folder::Written(twin))
        }),
    );
    twins
}

/// The name that `in_file` starts from.
fn canonical(hub: &str) -> String {
    hub.replace("vision_tower.vision_model.", "vision_tower.")
}

fn next_named(tensors: impl Iterator<Item = (String, crate::checkpoints::Saved)>) -> Tensors {
    tensors
        .map(|(name, tensor)| (in_file(Names::LlavaNext, &canonical(&name)), tensor))
        .collect()
}

fn next_with_tower_inside() -> Folder {
    let to = copy_without_weights(&folder("llava_next"));
    let all = next_named(read(&tiny()).into_iter());
    write(&to.path().join(WEIGHTS), &all, Dtype::F32);
    Folder::Written(to)
}

/// The tower only in the checkpoint that `mm_vision_tower` names, with the last layer that training deletes and the
/// head that it does not use.
fn next_with_tower_elsewhere() -> Folder {
    let to = copy_without_weights(&folder("llava_next"));
    let (vision, rest): (Tensors, Tensors) = read(&tiny())
        .into_iter()
        .partition(|(name, _)| name.starts_with("vision_tower."));
    write(
        &to.path().join(WEIGHTS),
        &next_named(rest.into_iter()),
        Dtype::F32,
    );

    let mut tower: Tensors = vision
        .into_iter()
        .map(|(name, tensor)| (name.replace("vision_tower.", ""), tensor))
        .collect();
    let deleted: Tensors = tower
        .iter()
        .filter(|(name, _)| name.contains(".layers.1."))
        .map(|(name, tensor)| {
            let mut other = tensor.clone();
            other
                .values
                .iter_mut()
                .for_each(|value| *value = 0.5 - *value);
            (name.replace(".layers.1.", ".layers.2."), other)
        })
        .collect();
    assert!(!deleted.is_empty());
    tower.extend(deleted);
    write(
        &to.path().join("vision_tower").join(WEIGHTS),
        &tower,
        Dtype::F32,
    );
    Folder::Written(to)
}
