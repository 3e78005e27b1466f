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

    /// Takes the vectors of samples; gives the rows of those that it leaves out because a vector is not finite, which
    /// would spoil every mean that they are in.
    pub(super) fn push(&mut self, rows: &[u64], batch: &PooledBatch) -> Vec<u64> {
        let mut left_out = Vec::new();
        self.width = batch.width;
        for (sample, &row) in rows.iter().enumerate() {
            if !is_finite(batch, sample, self.names.len()) {
                left_out.push(row);
                continue;
            }
            self.rows.push(row);
            for modality in Modality::ALL {
                self.tokens[modality as usize].push(batch.tokens[sample][modality as usize]);
                for (layer, values) in self.values.iter_mut().enumerate() {
                    values[modality as usize].extend(batch.vector(layer, sample, modality));
                }
            }
        }
        left_out
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

fn is_finite(batch: &PooledBatch, sample: usize, layers: usize) -> bool {
    let finite = |modality, layer| {
        let vector = batch.vector(layer, sample, modality);
        vector.iter().all(|value| value.is_finite())
    };
    Modality::ALL
        .into_iter()
        .all(|modality| (0..layers).all(|layer| finite(modality, layer)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_that_is_not_finite_costs_its_sample_alone() {
        let mut gathered = Gathered::new(&[Layer::Last]);
        let mut values = vec![1.0; 3 * 3 * 2];
        // The second sample's vector of its pictures.
        values[6 + 2] = f32::NAN;
        let batch = PooledBatch {
            width: 2,
            tokens: vec![[1, 1, 0]; 3],
            layers: vec![values],
        };
        assert_eq!(gathered.push(&[7, 8, 9], &batch), [8]);
        assert_eq!(gathered.rows, [7, 9]);
        assert_eq!(gathered.tokens[0], [1, 1]);
        assert_eq!(gathered.values[0][0].len(), 4);
    }
}
