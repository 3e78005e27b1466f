//! The weights of a checkpoint under canonical names, from one safetensors file or from shards with an index.

use super::error::CheckpointError;
use super::fields::{INDEX_LIMIT, JsonFile};
use super::locate::Source;
use super::names::{self, Rule};
use super::options::OpenOptions;
use super::pickle;
use super::tensor_file::TensorFile;
use candle_core::{DType, Device, Shape, Tensor};
use safetensors::tensor::{Dtype, TensorInfo};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
/// Bytes of a tensor that are read and converted at a time.
const CHUNK: usize = 64 << 20;

/// Where a tensor lies.
#[derive(Debug)]
struct Place {
    file: usize,
    /// Its name in that file.
    name: String,
}

/// The tensors of a checkpoint; only headers are in memory.
#[derive(Debug)]
pub struct Weights {
    place: String,
    files: Vec<TensorFile>,
    /// The index file, where the weights are sharded.
    index: Option<PathBuf>,
    tensors: BTreeMap<String, Place>,
    unmapped: Vec<String>,
}

impl Weights {
    /// Opens the weights of `source`; fetches them where they are not local yet.
    pub(super) fn open(
        source: &Source,
        rules: &[Rule],
        options: &OpenOptions,
    ) -> Result<Self, CheckpointError> {
        let mut weights = Self {
            place: source.place(),
            files: Vec::new(),
            index: None,
            tensors: BTreeMap::new(),
            unmapped: Vec::new(),
        };
        weights.index = weights.add(source, rules, options)?;
        Ok(weights)
    }

    /// Adds what `rules` name from another source: a vision tower that was not saved with the model.
    pub(super) fn add_tower(
        &mut self,
        source: &Source,
        rules: &[Rule],
        options: &OpenOptions,
    ) -> Result<(), CheckpointError> {
        let unmapped = self.unmapped.len();
        self.add(source, rules, options)?;
        // The other half of a SigLIP checkpoint, its text tower, is nobody's concern.
        self.unmapped.truncate(unmapped);
        Ok(())
    }

    /// Adds the tensors of `source`; returns its index file.
    fn add(
        &mut self,
        source: &Source,
        rules: &[Rule],
        options: &OpenOptions,
    ) -> Result<Option<PathBuf>, CheckpointError> {
        // transformers too takes the single file where both are there.
        if source.has(SINGLE) {
            let file = TensorFile::open(source.path(SINGLE, options)?)?;
            let names = file.names();
            self.add_file(file, names, rules)?;
            return Ok(None);
        }
        if !source.has(INDEX) {
            return Err(pickle::no_weights(source));
        }
        let index = JsonFile::read(source.path(INDEX, options)?, INDEX_LIMIT)?;
        for (shard, names) in shards(&index, source)? {
            let file = TensorFile::open(source.path(&shard, options)?)?;
            if let Some(absent) = names.iter().find(|name| file.info(name).is_none()) {
                return Err(CheckpointError::Header {
                    path: file.path().to_owned(),
                    reason: format!("{INDEX} says that it holds `{absent}`, and it does not"),
                });
            }
            self.add_file(file, names, rules)?;
        }
        Ok(Some(index.path))
    }

    fn add_file(
        &mut self,
        file: TensorFile,
        names: Vec<String>,
        rules: &[Rule],
    ) -> Result<(), CheckpointError> {
        for name in names {
            let Some(canonical) = names::canonical(rules, &name) else {
                self.unmapped.push(name);
                continue;
            };
            let place = Place {
                file: self.files.len(),
                name,
            };
            if let Some(other) = self.tensors.get(&canonical) {
                return Err(CheckpointError::Duplicate {
                    place: self.place.clone(),
                    name: canonical,
                    first: other.name.clone(),
                    second: place.name,
                });
            }
            self.tensors.insert(canonical, place);
        }
        self.files.push(file);
        Ok(())
    }

    /// Reads one tensor.
    ///
    /// Stored F32, F16 and BF16 become `dtype`. Large tensors go to the device in chunks, so that peak memory stays
    /// near the size of what is returned.
    ///
    /// # Errors
    /// The tensor is absent, has another shape or is of another kind of number; its file is cut off or unreadable.
    pub fn get(
        &self,
        name: &str,
        shape: impl Into<Shape>,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor, CheckpointError> {
        let shape = shape.into();
        let (file, place, info) = self.find(name)?;
        if info.shape != shape.dims() {
            return Err(CheckpointError::Tensor {
                name: name.to_owned(),
                reason: format!(
                    "has shape {:?} and {:?} is needed",
                    info.shape,
                    shape.dims()
                ),
            });
        }
        let failed = |source| CheckpointError::Device {
            name: name.to_owned(),
            source,
        };
        let stored = stored_dtype(info.dtype).ok_or_else(|| CheckpointError::Tensor {
            name: name.to_owned(),
            reason: format!("is stored as {}; supported: F32, F16, BF16", info.dtype),
        })?;
        let bytes = info.data_offsets.1 - info.data_offsets.0;
        let rows = shape.dims().first().copied().unwrap_or(1);
        let row_bytes = bytes.checked_div(rows).unwrap_or(0);
        let rows_at_once = (CHUNK / row_bytes.max(1)).max(1);
        let part = |first: usize, rows: usize| -> Result<Tensor, CheckpointError> {
            let mut buffer = vec![0; rows * row_bytes];
            file.read(&place.name, info, first * row_bytes, &mut buffer)?;
            let mut dims = shape.dims().to_vec();
            if let Some(dim) = dims.first_mut() {
                *dim = rows;
            }
            Tensor::from_raw_buffer(&buffer, stored, &dims, device)
                .and_then(|tensor| tensor.to_dtype(dtype))
                .map_err(failed)
        };
        if rows <= rows_at_once {
            return part(0, rows);
        }
        let whole = Tensor::zeros(&shape, dtype, device).map_err(failed)?;
        for first in (0..rows).step_by(rows_at_once) {
            let part = part(first, rows_at_once.min(rows - first))?;
            whole.slice_set(&part, 0, first).map_err(failed)?;
        }
        Ok(whole)
    }

    fn find(&self, name: &str) -> Result<(&TensorFile, &Place, &TensorInfo), CheckpointError> {
        let absent = || CheckpointError::Tensor {
            name: name.to_owned(),
            reason: format!("is not in {}", self.place),
        };
        let place = self.tensors.get(name).ok_or_else(absent)?;
        let file = &self.files[place.file];
        Ok((file, place, file.info(&place.name).ok_or_else(absent)?))
    }

    /// The shape of a tensor, where it is there.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.find(name)
            .ok()
            .map(|(_, _, info)| info.shape.as_slice())
    }

    /// Canonical names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Whether a tensor's name begins so.
    pub(super) fn has_prefix(&self, prefix: &str) -> bool {
        self.names().any(|name| name.starts_with(prefix))
    }

    /// Names in the files that belong to no part of the model known.
    pub fn unmapped(&self) -> &[String] {
        &self.unmapped
    }

    /// A tensor's name in its file, for messages.
    pub(super) fn name_in_file(&self, name: &str) -> Option<&str> {
        self.tensors.get(name).map(|place| place.name.as_str())
    }

    /// How the tensor is stored, where that is not supported.
    pub(super) fn unsupported_dtype(&self, name: &str) -> Option<Dtype> {
        let (_, _, info) = self.find(name).ok()?;
        stored_dtype(info.dtype).is_none().then_some(info.dtype)
    }

    /// The folder or repository, for messages.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// All files, the index included.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files
            .iter()
            .map(TensorFile::path)
            .chain(self.index.as_deref())
    }
}

fn stored_dtype(dtype: Dtype) -> Option<DType> {
    match dtype {
        Dtype::F32 => Some(DType::F32),
        Dtype::F16 => Some(DType::F16),
        Dtype::BF16 => Some(DType::BF16),
        _ => None,
    }
}

/// The shards that an index names, each with its tensors. All missing files are reported at once.
fn shards(
    index: &JsonFile,
    source: &Source,
) -> Result<BTreeMap<String, Vec<String>>, CheckpointError> {
    let fields = index.fields();
    let Some(Some(map)) = fields.get("weight_map").map(|map| map.as_object()) else {
        return Err(fields.refuse("weight_map", "an object from tensor names to file names"));
    };
    let mut shards: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (tensor, file) in map {
        // A plain name: an index must not reach outside its folder.
        let plain = file
            .as_str()
            .filter(|name| !name.contains(['/', '\\']) && name.ends_with(".safetensors"));
        let Some(file) = plain else {
            return Err(CheckpointError::Setting {
                path: index.path.clone(),
                key: format!("weight_map.{tensor}"),
                found: file.to_string(),
                supported: "the name of a .safetensors file in the same folder".into(),
            });
        };
        shards
            .entry(file.to_owned())
            .or_default()
            .push(tensor.clone());
    }
    let missing: BTreeSet<String> = shards
        .keys()
        .filter(|file| !source.has(file))
        .cloned()
        .collect();
    if !missing.is_empty() {
        return Err(CheckpointError::MissingShards {
            place: source.place(),
            index: index.path.clone(),
            missing: missing.into_iter().collect(),
            total: shards.len(),
        });
    }
    Ok(shards)
}
