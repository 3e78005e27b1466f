//! The vectors of a shard as they come off the device.

use std::collections::BTreeMap;

use super::work::Header;
use crate::modality::Modality;
use crate::store::{Matrix, Pooled, Shard};
use crate::vlm::{Layer, PooledBatch};

/// The vectors of one shard, batch by batch.
pub(super) struct Gathered<'a> {
    names: &'a [Layer],
    rows: Vec<u64>,
    tokens: [Vec<u32>; 3],
    width: usize,
    /// Per layer and modality, the rows one after the other.
    values: Vec<[Vec<f32>; 3]>,
}

impl<'a> Gathered<'a> {
    pub(super) fn new(names: &'a [Layer]) -> Self {
        let values = vec![Default::default(); names.len()];
        Self {
            names,
            rows: Vec::new(),
            tokens: Default::default(),
            width: 0,
            values,
        }
    }

    pub(super) fn push(&mut self, rows: &[u64], batch: &PooledBatch) {
        self.rows.extend(rows);
        self.width = batch.width;
        for sample in 0..rows.len() {
            for modality in Modality::ALL {
                self.tokens[modality as usize].push(batch.tokens[sample][modality as usize]);
                for (layer, values) in self.values.iter_mut().enumerate() {
                    values[modality as usize].extend(batch.vector(layer, sample, modality));
                }
            }
        }
    }

    /// The shard, with its samples in the order in which it took them and only the modalities that occur.
    pub(super) fn into_shard(mut self, header: Header) -> Shard {
        let mut modalities = BTreeMap::new();
        for modality in Modality::ALL {
            let tokens = std::mem::take(&mut self.tokens[modality as usize]);
            if tokens.iter().all(|&count| count == 0) {
                continue;
            }
            let mut layers = BTreeMap::new();
            for (name, values) in self.names.iter().zip(&mut self.values) {
                let values = std::mem::take(&mut values[modality as usize]);
                let matrix = Matrix::new(self.rows.len(), self.width, values)
                    .expect("a vector of the model's width for every row");
                layers.insert(name.to_string(), matrix);
            }
            modalities.insert(modality, Pooled { tokens, layers });
        }
        Shard {
            key: header.key,
            dataset: header.dataset,
            index: header.index,
            rows: self.rows,
            modalities,
            failures: header.failures,
        }
    }
}
