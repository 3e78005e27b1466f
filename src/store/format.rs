//! A shard's bytes: a safetensors file whose one metadata key `madmix` holds canonical JSON.
//!
//! Every reader of safetensors can open it. Nothing in it is used before its checksum and shapes have been verified.
//! The checksum covers the metadata as well as the tensors, so that a damaged fingerprint is seen as damage and not as
//! a shard of another run.

use std::collections::{BTreeMap, HashMap};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Failure, Matrix, Pooled, Settings, Shard, ShardError, ShardKey, checksum};
use crate::modality::Modality;

/// The format version that [`Shard::to_bytes`] writes. Every version ever written stays readable.
pub const FORMAT: u32 = 1;

/// The largest file that is read as a shard: every layer of the largest models takes an eighth of it.
pub(super) const MAX_SHARD_BYTES: u64 = 4 << 30;

const METADATA_KEY: &str = "madmix";
const ROWS: &str = "row";
const TOKENS: &str = "tokens";

/// The metadata. The fields stand in alphabetical order and serde keeps it: that makes the JSON canonical.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    checksum: String,
    dataset: String,
    failures: Vec<Failure>,
    fingerprints: Fingerprints,
    format: u32,
    index: u32,
    settings: Box<RawValue>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fingerprints {
    checkpoint: String,
    dataset: String,
    settings: String,
}

/// The one field that every format version has.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

impl Header {
    /// The checksum of the tensors and of the metadata with an empty checksum.
    fn checksum(&mut self, tensors: &BTreeMap<&str, TensorView<'_>>) -> Result<String, ShardError> {
        self.checksum.clear();
        let json = serde_json::to_string(self).map_err(ShardError::Metadata)?;
        Ok(checksum(&json, tensors))
    }
}

/// A tensor's parts, owned.
struct Raw {
    dtype: Dtype,
    shape: Vec<usize>,
    data: Vec<u8>,
}

impl Shard {
    /// The file's bytes: the same shard gives the same bytes, always and everywhere.
    ///
    /// # Errors
    /// When the parts disagree on the number of samples, or a layer's name is empty or `tokens`.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ShardError> {
        let raw = self.raw_tensors()?;
        let mut views = BTreeMap::new();
        for (name, tensor) in &raw {
            let view = TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.data);
            views.insert(name.as_str(), view.map_err(ShardError::Container)?);
        }
        let settings = RawValue::from_string(self.key.settings.json().to_owned());
        let mut header = Header {
            checksum: String::new(),
            dataset: self.dataset.clone(),
            failures: self.failures.clone(),
            fingerprints: Fingerprints {
                checkpoint: self.key.checkpoint.clone(),
                dataset: self.key.dataset.clone(),
                settings: self.key.settings.fingerprint(),
            },
            format: FORMAT,
            index: self.index,
            settings: settings.map_err(ShardError::Metadata)?,
        };
        header.checksum = header.checksum(&views)?;
        let json = serde_json::to_string(&header).map_err(ShardError::Metadata)?;
        let metadata = HashMap::from([(METADATA_KEY.to_owned(), json)]);
        safetensors::serialize(views, Some(metadata)).map_err(ShardError::Container)
    }

    fn raw_tensors(&self) -> Result<BTreeMap<String, Raw>, ShardError> {
        let n = self.rows.len();
        let row_bytes = self.rows.iter().flat_map(|row| row.to_le_bytes()).collect();
        let row = Raw {
            dtype: Dtype::U64,
            shape: vec![n],
            data: row_bytes,
        };
        let mut tensors = BTreeMap::from([(ROWS.to_owned(), row)]);
        for (modality, pooled) in &self.modalities {
            let name = format!("{modality}.{TOKENS}");
            if pooled.tokens.len() != n {
                return Err(wrong_count(&name, pooled.tokens.len(), n));
            }
            let data = pooled
                .tokens
                .iter()
                .flat_map(|count| count.to_le_bytes())
                .collect();
            tensors.insert(
                name,
                Raw {
                    dtype: Dtype::U32,
                    shape: vec![n],
                    data,
                },
            );
            for (layer, matrix) in &pooled.layers {
                let name = format!("{modality}.{layer}");
                if layer.is_empty() || layer == TOKENS {
                    return Err(ShardError::tensor(&name, "not a possible name of a layer"));
                }
                if matrix.rows() != n {
                    return Err(wrong_count(&name, matrix.rows(), n));
                }
                let data = matrix
                    .data()
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect();
                let shape = vec![n, matrix.columns()];
                tensors.insert(
                    name,
                    Raw {
                        dtype: Dtype::F32,
                        shape,
                        data,
                    },
                );
            }
        }
        Ok(tensors)
    }

    /// Reads what [`Shard::to_bytes`] wrote, after verifying its checksum and every shape.
    ///
    /// # Errors
    /// Says what is wrong with any other bytes; see [`ShardError::is_damage`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ShardError> {
        let file = SafeTensors::deserialize(bytes).map_err(ShardError::Container)?;
        let (_, container) = SafeTensors::read_metadata(bytes).map_err(ShardError::Container)?;
        let metadata = container
            .metadata()
            .as_ref()
            .filter(|metadata| metadata.len() == 1);
        let json = metadata.and_then(|metadata| metadata.get(METADATA_KEY));
        let json = json.ok_or(ShardError::Foreign)?;
        let tensors = file.iter().collect();

        let Version { format } = serde_json::from_str(json).map_err(ShardError::Metadata)?;
        let header = match (format, verified_header(json, &tensors)) {
            (FORMAT, header) => header?,
            (found, Ok(_)) => return Err(ShardError::DamagedVersion { found }),
            (found, Err(_)) => return Err(ShardError::UnknownVersion { found }),
        };
        let settings = Settings::from_canonical(header.settings.get());
        // The checksum is of the metadata's content. It could be made to fit another way to write it.
        let written = serde_json::to_string(&header).map_err(ShardError::Metadata)?;
        if written != *json || header.fingerprints.settings != settings.fingerprint() {
            return Err(ShardError::NotCanonical);
        }
        let Fingerprints {
            checkpoint,
            dataset,
            ..
        } = header.fingerprints;
        let (rows, modalities) = typed_tensors(tensors)?;
        Ok(Self {
            key: ShardKey {
                checkpoint,
                settings,
                dataset,
            },
            dataset: header.dataset,
            index: header.index,
            rows,
            modalities,
            failures: header.failures,
        })
    }
}

/// The header, when the checksum holds for a file of format 1. The version that the file claims is left out of it, so
/// that a damaged version number can be told from a newer format.
fn verified_header(
    json: &str,
    tensors: &BTreeMap<&str, TensorView<'_>>,
) -> Result<Header, ShardError> {
    let mut header: Header = serde_json::from_str(json).map_err(ShardError::Metadata)?;
    let found = header.checksum.clone();
    header.format = FORMAT;
    let computed = header.checksum(tensors)?;
    if found != computed {
        return Err(ShardError::Checksum { found, computed });
    }
    header.checksum = found;
    Ok(header)
}

type Tensors = (Vec<u64>, BTreeMap<Modality, Pooled>);

fn typed_tensors(mut tensors: BTreeMap<&str, TensorView<'_>>) -> Result<Tensors, ShardError> {
    let row = tensors
        .remove(ROWS)
        .ok_or_else(|| ShardError::tensor(ROWS, "missing"))?;
    let n = row.shape().first().copied().unwrap_or_default();
    expect_shape(ROWS, &row, Dtype::U64, &[n])?;
    let rows = row
        .data()
        .as_chunks()
        .0
        .iter()
        .map(|bytes| u64::from_le_bytes(*bytes))
        .collect();

    let mut modalities = BTreeMap::new();
    for modality in Modality::ALL {
        let name = format!("{modality}.{TOKENS}");
        let Some(tokens) = tensors.remove(name.as_str()) else {
            continue;
        };
        expect_shape(&name, &tokens, Dtype::U32, &[n])?;
        let tokens = tokens.data().as_chunks().0;
        let tokens = tokens
            .iter()
            .map(|bytes| u32::from_le_bytes(*bytes))
            .collect();
        modalities.insert(
            modality,
            Pooled {
                tokens,
                layers: BTreeMap::new(),
            },
        );
    }
    for (name, tensor) in tensors {
        let (modality, layer) = name.split_once('.').unwrap_or((name, ""));
        let pooled = Modality::from_name(modality).and_then(|m| modalities.get_mut(&m));
        let Some(pooled) = pooled.filter(|_| !layer.is_empty()) else {
            return Err(ShardError::tensor(
                name,
                "belongs to no modality of the shard",
            ));
        };
        let columns = tensor.shape().get(1).copied().unwrap_or_default();
        expect_shape(name, &tensor, Dtype::F32, &[n, columns])?;
        let data = tensor.data().as_chunks().0;
        let data = data
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect();
        let matrix = Matrix::new(n, columns, data)
            .ok_or_else(|| ShardError::tensor(name, "its data do not fill its shape"))?;
        pooled.layers.insert(layer.to_owned(), matrix);
    }
    Ok((rows, modalities))
}

fn expect_shape(
    name: &str,
    tensor: &TensorView<'_>,
    dtype: Dtype,
    shape: &[usize],
) -> Result<(), ShardError> {
    if tensor.dtype() == dtype && tensor.shape() == shape {
        return Ok(());
    }
    let (found_dtype, found) = (tensor.dtype(), tensor.shape());
    Err(ShardError::tensor(
        name,
        format!("{found_dtype} {found:?} instead of {dtype} {shape:?}"),
    ))
}

fn wrong_count(name: &str, found: usize, n: usize) -> ShardError {
    ShardError::tensor(name, format!("{found} rows for {n} samples"))
}
