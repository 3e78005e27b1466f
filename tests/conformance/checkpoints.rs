//! Saving the model of a checkpoint in other ways.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use serde_json::json;
use tempfile::TempDir;

pub(crate) const WEIGHTS: &str = "model.safetensors";

/// Where a checkpoint lies.
pub(crate) enum Folder {
    /// In the repository.
    Kept(PathBuf),
    /// Written for the test.
    Written(TempDir),
}

impl Folder {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Written(folder) => folder.path(),
        }
    }
}

/// A tensor in f32.
#[derive(Clone)]
pub(crate) struct Saved {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

/// The tensors of a file by name.
pub(crate) type Tensors = BTreeMap<String, Saved>;

pub(crate) fn f32_values(view: &TensorView<'_>) -> Vec<f32> {
    assert_eq!(view.dtype(), Dtype::F32);
    let (numbers, _) = view.data().as_chunks::<4>();
    numbers
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect()
}

/// The tensors of a checkpoint that is one file of f32.
pub(crate) fn read(folder: &Path) -> Tensors {
    let bytes = fs_err::read(folder.join(WEIGHTS)).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap().tensors();
    let tensor = |view: TensorView<'_>| Saved {
        shape: view.shape().to_vec(),
        values: f32_values(&view),
    };
    tensors
        .into_iter()
        .map(|(name, view)| (name, tensor(view)))
        .collect()
}

/// The upper half of a number's bits, rounded to nearest, ties to even.
fn bf16_bits(value: f32) -> u16 {
    let bits = value.to_bits();
    ((bits + 0x7fff + ((bits >> 16) & 1)) >> 16) as u16
}

/// The same tensors with values that bf16 holds exactly.
pub(crate) fn rounded_to_bf16(mut tensors: Tensors) -> Tensors {
    for value in tensors.values_mut().flat_map(|tensor| &mut tensor.values) {
        *value = f32::from_bits(u32::from(bf16_bits(*value)) << 16);
    }
    tensors
}

/// Writes a file in F32 or BF16.
pub(crate) fn write(path: &Path, tensors: &Tensors, dtype: Dtype) {
    let bytes = |values: &[f32]| -> Vec<u8> {
        match dtype {
            Dtype::F32 => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Dtype::BF16 => values
                .iter()
                .flat_map(|x| bf16_bits(*x).to_le_bytes())
                .collect(),
            other => panic!("no {other} here"),
        }
    };
    let data: Vec<_> = tensors
        .values()
        .map(|tensor| bytes(&tensor.values))
        .collect();
    let views = tensors.iter().zip(&data).map(|((name, tensor), data)| {
        (
            name,
            TensorView::new(dtype, tensor.shape.clone(), data).unwrap(),
        )
    });
    fs_err::write(path, serialize(views, None).unwrap()).unwrap();
}

/// Writes three files and the index that says which tensor is in which; neighbours by name are apart.
fn write_sharded(folder: &Path, tensors: &Tensors) {
    let shard = |i: usize| format!("model-0000{}-of-00003.safetensors", i + 1);
    let mut parts = [const { Tensors::new() }; 3];
    let mut places = BTreeMap::new();
    for (i, (name, tensor)) in tensors.iter().enumerate() {
        parts[i % 3].insert(name.clone(), tensor.clone());
        places.insert(name, shard(i % 3));
    }
    for (i, part) in parts.iter().enumerate() {
        write(&folder.join(shard(i)), part, Dtype::F32);
    }
    let index = json!({"metadata": {"total_size": 0}, "weight_map": places});
    fs_err::write(
        folder.join(format!("{WEIGHTS}.index.json")),
        index.to_string(),
    )
    .unwrap();
}

/// A copy of a checkpoint without its weights.
pub(crate) fn copy_without_weights(from: &Path) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    copy_files(from, to.path());
    to
}

fn copy_files(from: &Path, to: &Path) {
    for entry in fs_err::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs_err::create_dir(&target).unwrap();
            copy_files(&entry.path(), &target);
        } else if entry
            .path()
            .extension()
            .is_some_and(|e| e == "json" || e == "jinja")
        {
            fs_err::copy(entry.path(), &target).unwrap();
        }
    }
}

/// The same checkpoint with its weights under other names.
pub(crate) fn renamed(from: &Path, rename: impl Fn(&str) -> String) -> TempDir {
    let tensors = read(from)
        .into_iter()
        .map(|(name, tensor)| (rename(&name), tensor));
    saved(from, &tensors.collect(), Dtype::F32)
}

/// The same checkpoint with these weights.
pub(crate) fn saved(from: &Path, tensors: &Tensors, dtype: Dtype) -> TempDir {
    let to = copy_without_weights(from);
    write(&to.path().join(WEIGHTS), tensors, dtype);
    to
}

/// The same checkpoint with its weights in shards.
pub(crate) fn sharded(from: &Path) -> TempDir {
    let to = copy_without_weights(from);
    write_sharded(to.path(), &read(from));
    to
}
