//! The checksum of a safetensors file and its metadata.

use std::collections::BTreeMap;

use safetensors::tensor::TensorView;
use xxhash_rust::xxh3::Xxh3;

/// xxh3-128 of metadata and of each tensor's name, type, shape and bytes, by name: 32 hexadecimal digits.
pub(crate) fn checksum(metadata: &str, tensors: &BTreeMap<&str, TensorView<'_>>) -> String {
    let mut hash = Xxh3::new();
    let mut part = |bytes: &[u8]| {
        hash.update(&(bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(metadata.as_bytes());
    for (name, tensor) in tensors {
        part(name.as_bytes());
        part(format!("{} {:?}", tensor.dtype(), tensor.shape()).as_bytes());
        part(tensor.data());
    }
    format!("{:032x}", hash.digest128())
}
