//! The content of a shard as plain data. Its bytes are the business of the `format` module.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Settings;
use crate::modality::Modality;

/// What a shard depends on besides its dataset's name and its index. Paths, times, rank counts and devices are in none
/// of the three.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardKey {
    /// Fingerprint of the checkpoint's content, hexadecimal.
    pub checkpoint: String,
    /// The extraction settings; their fingerprint is computed from them.
    pub settings: Settings,
    /// Fingerprint of the dataset's content, hexadecimal.
    pub dataset: String,
}

impl ShardKey {
    /// What differs between this key (a shard's) and `wanted` (the config's), one line each; empty when equal.
    pub(super) fn differences(&self, wanted: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut compare = |what: &str, found: &str, wanted: &str| {
            if found != wanted {
                lines.push(format!(
                    "{what}: {found} in the shard, {wanted} in the config"
                ));
            }
        };
        compare("checkpoint", &self.checkpoint, &wanted.checkpoint);
        compare("dataset content", &self.dataset, &wanted.dataset);
        lines.extend(self.settings.differences(&wanted.settings));
        lines
    }
}

/// Samples of a shard. Only the last shard of a whole dataset has fewer: a number of samples that is no multiple of this
/// is rounded up, so that a shard does not depend on how many were asked for.
pub const SHARD_ROWS: usize = 64;

/// A sample that could not be read or encoded, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// The sample's id in its dataset.
    pub id: String,
    /// Why it failed, for a person.
    pub reason: String,
    /// The sample's row in its dataset.
    pub row: u64,
}

impl Failure {
    /// A failure with the start of an id and of a reason that may quote the data: whole ones could fill a shard's
    /// metadata, of which readers take no more than 100 MB.
    pub fn new(row: u64, id: &str, reason: &str) -> Self {
        Self {
            id: start(id, Self::MAX_ID_CHARS),
            reason: start(reason, Self::MAX_REASON_CHARS),
            row,
        }
    }

    const MAX_ID_CHARS: usize = 1_000;
    const MAX_REASON_CHARS: usize = 4_000;
}

fn start(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// A dense row-major matrix of `f32`.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    rows: usize,
    columns: usize,
    data: Vec<f32>,
}

impl Matrix {
    /// A matrix `[rows, columns]` over `data` in row-major order; `None` when `data` has another length.
    pub fn new(rows: usize, columns: usize, data: Vec<f32>) -> Option<Self> {
        (rows.checked_mul(columns) == Some(data.len())).then_some(Self {
            rows,
            columns,
            data,
        })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Row `i`.
    ///
    /// # Panics
    /// When `i` is not below [`Matrix::rows`].
    pub fn row(&self, i: usize) -> &[f32] {
        assert!(i < self.rows, "row {i} of a matrix with {} rows", self.rows);
        &self.data[i * self.columns..(i + 1) * self.columns]
    }

    /// All values, row-major.
    pub fn data(&self) -> &[f32] {
        &self.data
    }
}

/// The mean-pooled vectors of one modality, one row per sample of the shard.
#[derive(Clone, Debug, PartialEq)]
pub struct Pooled {
    /// How many positions of this modality each sample has `[n]`; 0 means that the sample lacks it.
    pub tokens: Vec<u32>,
    /// Layer name (`last`, `middle`, `12`) to vectors `[n, d]`; a row is zero where `tokens` is.
    pub layers: BTreeMap<String, Matrix>,
}

/// One shard: the pooled vectors of up to 64 samples, and the samples that failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Shard {
    /// What the shard was made from.
    pub key: ShardKey,
    /// The dataset's name in the config.
    pub dataset: String,
    /// Which shard of the dataset.
    pub index: u32,
    /// The samples' rows in their dataset `[n]`, in the order of every other tensor.
    pub rows: Vec<u64>,
    /// The pooled vectors per modality.
    pub modalities: BTreeMap<Modality, Pooled>,
    /// The samples that are not in `rows`, and why.
    pub failures: Vec<Failure>,
}
