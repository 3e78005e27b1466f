//! Weighted sums of vectors, for many replicates at once.

use std::collections::BTreeMap;
use std::ops::Range;

use nalgebra::DMatrix;
use rayon::prelude::*;

use super::draws::Draws;
use crate::mix::MixError;
use crate::modality::Modality;
use crate::store::{Pooled, Shard};

/// Replicates that are summed together: enough for a matrix product to be worth it, few enough to keep all cores busy.
const CHUNK: u32 = 128;

/// A kind of vector that samples have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ViewName {
    Modality(Modality),
    Fused,
}

/// Sums over samples (or datasets) of weight × vector, and of the weights, per view.
#[derive(Clone, Default)]
pub(super) struct Chunk {
    /// Which replicates.
    pub(super) replicates: Range<u32>,
    pub(super) views: BTreeMap<ViewName, Part>,
}

/// A column and a total for each replicate of a chunk.
#[derive(Clone)]
pub(super) struct Part {
    /// `[d, replicates]`
    pub(super) sums: DMatrix<f64>,
    /// `[replicates]`
    pub(super) totals: Vec<f64>,
}

/// The vectors of one view in a shard.
struct Vectors {
    view: ViewName,
    /// Which of the shard's samples have it.
    samples: Vec<usize>,
    /// `[d, samples]`
    columns: DMatrix<f64>,
}

/// Empty sums for all replicates of a range.
pub(super) fn empty(replicates: Range<u32>) -> Vec<Chunk> {
    replicates
        .clone()
        .step_by(CHUNK as usize)
        .map(|start| Chunk {
            replicates: start..replicates.end.min(start + CHUNK),
            views: BTreeMap::new(),
        })
        .collect()
}

/// Adds the samples of a shard at one layer, each as often as each replicate draws it.
pub(super) fn add_shard(
    chunks: &mut [Chunk],
    shard: &Shard,
    layer: &str,
    fused: bool,
    draws: Draws,
) -> Result<(), MixError> {
    let vectors = vectors(shard, layer, fused)?;
    chunks.par_iter_mut().try_for_each(|chunk| {
        let n = chunk.replicates.len();
        // [replicates of the chunk, samples]: a sample's numbers lie together.
        let mut drawn = DMatrix::zeros(n, shard.rows.len());
        for (mut column, &row) in drawn.column_iter_mut().zip(&shard.rows) {
            let numbers = draws.of(row, chunk.replicates.clone());
            column
                .iter_mut()
                .zip(numbers)
                .for_each(|(to, number)| *to = f64::from(number));
        }
        for Vectors {
            view,
            samples,
            columns,
        } in &vectors
        {
            let d = columns.nrows();
            let part = chunk.views.entry(*view).or_insert_with(|| Part::new(d, n));
            if part.sums.nrows() != d {
                return Err(MixError::Width {
                    what: format!("shard {} of dataset `{}`", shard.index, shard.dataset),
                    expected: part.sums.nrows(),
                    found: d,
                });
            }
            let drawn = drawn.select_columns(samples);
            part.sums.gemm(1.0, columns, &drawn.transpose(), 1.0);
            for column in drawn.column_iter() {
                part.totals
                    .iter_mut()
                    .zip(column.iter())
                    .for_each(|(total, number)| *total += number);
            }
        }
        Ok(())
    })
}

/// Adds the means of a dataset, of a weight, where a replicate has drawn any of its samples.
pub(super) fn add_dataset(domain: &mut [Chunk], dataset: Vec<Chunk>, weight: f64) {
    domain
        .par_iter_mut()
        .zip(dataset)
        .for_each(|(domain, dataset)| {
            for (view, part) in dataset.views {
                let (d, n) = part.sums.shape();
                let sum = domain.views.entry(view).or_insert_with(|| Part::new(d, n));
                for (r, &total) in part.totals.iter().enumerate() {
                    if total > 0.0 {
                        sum.sums
                            .column_mut(r)
                            .axpy(weight / total, &part.sums.column(r), 1.0);
                        sum.totals[r] += weight;
                    }
                }
            }
        });
}

impl Part {
    fn new(d: usize, n: usize) -> Self {
        Self {
            sums: DMatrix::zeros(d, n),
            totals: vec![0.0; n],
        }
    }
}

fn vectors(shard: &Shard, layer: &str, fused: bool) -> Result<Vec<Vectors>, MixError> {
    let mut all = Vec::new();
    let mut layers = Vec::new();
    for (&modality, Pooled { tokens, layers: of }) in &shard.modalities {
        let matrix = of.get(layer).ok_or_else(|| MixError::Layer {
            dataset: shard.dataset.clone(),
            index: shard.index,
            modality,
            layer: layer.to_owned(),
        })?;
        let samples: Vec<usize> = (0..tokens.len()).filter(|&i| tokens[i] > 0).collect();
        let value = |row: usize, column: usize| f64::from(matrix.row(samples[column])[row]);
        let columns = DMatrix::from_fn(matrix.columns(), samples.len(), value);
        layers.push((tokens, matrix));
        if !samples.is_empty() {
            all.push(Vectors {
                view: ViewName::Modality(modality),
                samples,
                columns,
            });
        }
    }
    if fused && let Some(&(_, first)) = layers.first() {
        let d = first.columns();
        let has_any = |i: &usize| layers.iter().any(|(tokens, _)| tokens[*i] > 0);
        let samples: Vec<usize> = (0..shard.rows.len()).filter(has_any).collect();
        let mut columns = DMatrix::zeros(d, samples.len());
        for (mut column, &i) in columns.column_iter_mut().zip(&samples) {
            let all: f64 = layers.iter().map(|(tokens, _)| f64::from(tokens[i])).sum();
            for (tokens, matrix) in &layers {
                let weight = f64::from(tokens[i]) / all;
                column
                    .iter_mut()
                    .zip(matrix.row(i))
                    .for_each(|(sum, value)| *sum += weight * f64::from(*value));
            }
        }
        if !samples.is_empty() {
            all.push(Vectors {
                view: ViewName::Fused,
                samples,
                columns,
            });
        }
    }
    Ok(all)
}
