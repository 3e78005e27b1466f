//! `centroids.safetensors`: what `madmix solve` needs to try another method or λ without the checkpoint.
//!
//! Per view v (`text`, `image`, `video`, `fused`) the tensors `v` (f64 `[k, d]`) and `v.present` (u8 `[k]`), and the one
//! metadata key `madmix`: `{"format":1,"domains":[{"name":…,"size":…,"human":…|null}]}`, with the datasets and the
//! provenance under `origin` where they are known, and a checksum where madmix wrote it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use nalgebra::DMatrix;
use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use super::centroids::FUSED;
use super::{Centroids, Domain, MixError, Origin, View};
use crate::modality::Modality;
use crate::store::{Published, checksum, publish, read_regular};

const FORMAT: u32 = 1;
const METADATA_KEY: &str = "madmix";
/// The largest file that is read: a hundred thousand domains of two modalities and 896 columns take a third.
const MAX_BYTES: u64 = 4 << 30;

#[derive(Serialize, Deserialize)]
struct Metadata {
    format: u32,
    /// Of the tensors and of this JSON with an empty checksum; files that others make need none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checksum: Option<String>,
    domains: Vec<Domain>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<Origin>,
}

#[derive(Deserialize)]
struct Version {
    format: u32,
}

impl Centroids {
    /// Publishes the centroids as `path`, atomically and with the same bytes for the same centroids.
    ///
    /// # Errors
    /// As [`publish()`].
    pub fn write(&self, path: &Path) -> Result<Published, MixError> {
        let bytes = self.to_bytes().map_err(|problem| MixError::File {
            path: path.to_owned(),
            problem,
        })?;
        Ok(publish(path, &bytes)?)
    }

    /// Reads what [`Centroids::write`] wrote.
    ///
    /// # Errors
    /// When the file cannot be read, is something else or of a newer format; and as [`Centroids::new`].
    pub fn read(path: &Path) -> Result<Self, MixError> {
        let problem = |problem| MixError::File {
            path: path.to_owned(),
            problem,
        };
        let bytes = read_regular(path, MAX_BYTES).map_err(MixError::Read)?;
        let bytes = bytes.ok_or_else(|| {
            problem(format!(
                "it is not a regular file of at most {MAX_BYTES} bytes"
            ))
        })?;
        let (metadata, mut views) = parse(&bytes).map_err(problem)?;
        let fused = views.remove(FUSED);
        let mut modalities = BTreeMap::new();
        for modality in Modality::ALL {
            if let Some(view) = views.remove(modality.name()) {
                modalities.insert(modality, view);
            }
        }
        if let Some(name) = views.keys().next() {
            return Err(problem(format!("tensor `{name}` belongs to no modality")));
        }
        let centroids = Self::new(metadata.domains, modalities, fused)?;
        Ok(match metadata.origin {
            Some(origin) => centroids.with_origin(origin),
            None => centroids,
        })
    }

    fn to_bytes(&self) -> Result<Vec<u8>, String> {
        let mut tensors: BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)> = BTreeMap::new();
        let modalities = self
            .modalities()
            .iter()
            .map(|(modality, view)| (modality.name(), view));
        for (name, view) in modalities.chain(self.fused().map(|view| (FUSED, view))) {
            let (k, d) = view.matrix.shape();
            // nalgebra stores columns one after the other, safetensors rows.
            let data = view
                .matrix
                .transpose()
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect();
            tensors.insert(name.to_owned(), (Dtype::F64, vec![k, d], data));
            let present = view
                .present
                .iter()
                .map(|present| u8::from(*present))
                .collect();
            tensors.insert(format!("{name}.present"), (Dtype::U8, vec![k], present));
        }
        let mut metadata = Metadata {
            format: FORMAT,
            checksum: Some(String::new()),
            domains: self.domains().to_vec(),
            origin: self.origin().cloned(),
        };
        let text = |error: SafeTensorError| error.to_string();
        let mut views = BTreeMap::new();
        for (name, (dtype, shape, data)) in &tensors {
            let view = TensorView::new(*dtype, shape.clone(), data).map_err(text)?;
            views.insert(name.as_str(), view);
        }
        let json = |metadata: &Metadata| {
            serde_json::to_string(metadata).map_err(|error| error.to_string())
        };
        metadata.checksum = Some(checksum(&json(&metadata)?, &views));
        let json = json(&metadata)?;
        let metadata = HashMap::from([(METADATA_KEY.to_owned(), json)]);
        safetensors::serialize(views, Some(metadata)).map_err(text)
    }
}

/// The domains and the views by name, with every type and shape verified.
fn parse(bytes: &[u8]) -> Result<(Metadata, BTreeMap<String, View>), String> {
    let text = |error: SafeTensorError| error.to_string();
    let file = SafeTensors::deserialize(bytes).map_err(text)?;
    let (_, container) = SafeTensors::read_metadata(bytes).map_err(text)?;
    let metadata = container
        .metadata()
        .as_ref()
        .and_then(|metadata| metadata.get(METADATA_KEY));
    let json = metadata.ok_or("its metadata has no key `madmix`")?;
    let Version { format } = serde_json::from_str(json).map_err(|error| error.to_string())?;
    if format != FORMAT {
        return Err(format!(
            "its format version is {format}, and this madmix reads {FORMAT}"
        ));
    }
    let metadata: Metadata = serde_json::from_str(json).map_err(|error| error.to_string())?;

    let all: BTreeMap<&str, TensorView<'_>> = file.iter().collect();
    let mut tensors = all.clone();
    let mut views = BTreeMap::new();
    while let Some((name, matrix)) = tensors.pop_first() {
        let flags = format!("{name}.present");
        let present = tensors.remove(flags.as_str());
        let present = present.ok_or_else(|| format!("tensor `{flags}` is missing"))?;
        views.insert(
            name.to_owned(),
            parse_view(name, &matrix, &present, metadata.domains.len())?,
        );
    }
    if let Some(found) = &metadata.checksum {
        let without = json.replacen(found.as_str(), "", 1);
        if checksum(&without, &all) != *found {
            return Err("it is damaged: its checksum does not hold".into());
        }
    }
    Ok((metadata, views))
}

fn parse_view(
    name: &str,
    matrix: &TensorView<'_>,
    present: &TensorView<'_>,
    k: usize,
) -> Result<View, String> {
    let (dtype, shape) = (matrix.dtype(), matrix.shape());
    let &[rows, columns] = shape else {
        return Err(format!("tensor `{name}` is {shape:?}, not [k, d]"));
    };
    if dtype != Dtype::F64 || rows != k {
        return Err(format!(
            "tensor `{name}` is {dtype} {shape:?}, not F64 [{k}, d]"
        ));
    }
    if present.dtype() != Dtype::U8 || present.shape() != [k] {
        let (dtype, shape) = (present.dtype(), present.shape());
        return Err(format!(
            "tensor `{name}.present` is {dtype} {shape:?}, not U8 [{k}]"
        ));
    }
    if let Some(flag) = present.data().iter().find(|flag| **flag > 1) {
        return Err(format!("tensor `{name}.present` holds {flag}, not 0 or 1"));
    }
    let values = matrix
        .data()
        .as_chunks()
        .0
        .iter()
        .map(|bytes| f64::from_le_bytes(*bytes));
    Ok(View {
        matrix: DMatrix::from_row_iterator(rows, columns, values),
        present: present.data().iter().map(|flag| *flag == 1).collect(),
    })
}
