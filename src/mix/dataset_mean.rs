//! Sample → dataset: the mean of a dataset's vectors per modality, over the samples that have the modality.

use std::collections::BTreeMap;

use super::MixError;
use crate::modality::Modality;
use crate::store::Shard;

/// A running mean in `f64`.
#[derive(Clone, Debug, Default, PartialEq)]
struct Mean {
    sum: Vec<f64>,
    /// Σ |x|².
    squares: f64,
    count: u64,
}

impl Mean {
    /// Adds a vector; `Err` holds the expected length when it has another.
    fn add(&mut self, vector: impl ExactSizeIterator<Item = f64>) -> Result<(), usize> {
        if self.count == 0 {
            self.sum = vec![0.0; vector.len()];
        } else if self.sum.len() != vector.len() {
            return Err(self.sum.len());
        }
        for (sum, value) in self.sum.iter_mut().zip(vector) {
            *sum += value;
            self.squares += value * value;
        }
        self.count += 1;
        Ok(())
    }

    /// E |mean − true mean|²: the trace of the samples' covariance over their number; 0 where one sample cannot tell.
    fn noise(&self) -> f64 {
        if self.count < 2 {
            return 0.0;
        }
        let count = self.count as f64;
        let square: f64 = self.sum.iter().map(|sum| sum * sum).sum();
        ((self.squares - square / count) / (count - 1.0) / count).max(0.0)
    }

    fn get(&self) -> Option<Vec<f64>> {
        let count = self.count as f64;
        (self.count > 0).then(|| self.sum.iter().map(|sum| sum / count).collect())
    }
}

/// The means of one dataset, built shard by shard. Sums are taken in the order of the shards and of the samples in
/// them, so the same shards give the same bits.
#[derive(Clone, Debug, PartialEq)]
pub struct DatasetMean {
    name: String,
    size: u64,
    samples: u64,
    tokens: u64,
    next_index: u32,
    modalities: BTreeMap<Modality, Mean>,
    /// `None` where modalities were passed alone.
    fused: Option<Mean>,
}

impl DatasetMean {
    /// An empty mean for the dataset `name` of `size` rows.
    pub fn new(name: impl Into<String>, size: u64) -> Self {
        Self {
            name: name.into(),
            size,
            samples: 0,
            tokens: 0,
            next_index: 0,
            modalities: BTreeMap::new(),
            fused: Some(Mean::default()),
        }
    }

    /// The same without a fused vector: of modalities that were passed alone, a mean over all positions means nothing.
    #[must_use]
    pub fn without_fused(self) -> Self {
        Self {
            fused: None,
            ..self
        }
    }

    /// The dataset's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many rows the dataset has in all.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// How many samples were added.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Positions of a sample, averaged over the samples that were added.
    pub fn mean_tokens(&self) -> Option<f64> {
        (self.samples > 0).then(|| self.tokens as f64 / self.samples as f64)
    }

    /// How many samples have `modality`.
    pub fn samples_with(&self, modality: Modality) -> u64 {
        self.modalities.get(&modality).map_or(0, |mean| mean.count)
    }

    /// Adds the samples of a shard at one layer.
    ///
    /// A sample's fused vector is the mean of its modality vectors weighted by their tokens, which is the mean over all
    /// its positions.
    ///
    /// # Errors
    /// When the shard is of another dataset or out of order, lacks the layer, holds a value that is not finite, or its
    /// vectors have another length. The mean must not be used after an error.
    pub fn add(&mut self, shard: &Shard, layer: &str) -> Result<(), MixError> {
        let index = shard.index;
        if shard.dataset != self.name || index < self.next_index {
            let (dataset, found) = (self.name.clone(), shard.dataset.clone());
            return Err(MixError::ShardOrder {
                dataset,
                found,
                index,
            });
        }
        self.next_index = index.saturating_add(1);
        let mut layers = Vec::new();
        for (&modality, pooled) in &shard.modalities {
            let matrix = pooled.layers.get(layer).ok_or_else(|| MixError::Layer {
                dataset: self.name.clone(),
                index,
                modality,
                layer: layer.to_owned(),
            })?;
            layers.push((modality, &pooled.tokens, matrix));
        }
        for (i, &row) in shard.rows.iter().enumerate() {
            let present = layers.iter().filter(|(_, tokens, _)| tokens[i] > 0);
            let vectors =
                present.map(|(modality, tokens, matrix)| (*modality, tokens[i], matrix.row(i)));
            self.add_sample(row, &vectors.collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// Adds one sample's vectors of the modalities that it has, each with its number of tokens (above 0).
    fn add_sample(
        &mut self,
        row: u64,
        vectors: &[(Modality, u32, &[f32])],
    ) -> Result<(), MixError> {
        let mut fused: Vec<f64> = Vec::new();
        let all = vectors
            .iter()
            .map(|(_, tokens, _)| f64::from(*tokens))
            .sum::<f64>();
        for &(modality, tokens, vector) in vectors {
            if !vector.iter().all(|value| value.is_finite()) {
                let dataset = self.name.clone();
                return Err(MixError::SampleNotFinite {
                    dataset,
                    row,
                    modality,
                });
            }
            let width = |expected| MixError::Width {
                what: format!("row {row} of dataset `{}` ({modality})", self.name),
                expected,
                found: vector.len(),
            };
            let mean = self.modalities.entry(modality).or_default();
            mean.add(vector.iter().copied().map(f64::from))
                .map_err(width)?;
            if fused.is_empty() {
                fused = vec![0.0; vector.len()];
            } else if fused.len() != vector.len() {
                return Err(width(fused.len()));
            }
            let weight = f64::from(tokens) / all;
            fused
                .iter_mut()
                .zip(vector)
                .for_each(|(sum, value)| *sum += weight * f64::from(*value));
        }
        if let Some(mean) = &mut self.fused
            && !vectors.is_empty()
        {
            let found = fused.len();
            mean.add(fused.into_iter())
                .map_err(|expected| MixError::Width {
                    what: format!("row {row} of dataset `{}`", self.name),
                    expected,
                    found,
                })?;
        }
        self.samples += 1;
        self.tokens += vectors
            .iter()
            .map(|(_, tokens, _)| u64::from(*tokens))
            .sum::<u64>();
        Ok(())
    }

    /// The mean over the samples that have `modality`, if any has.
    pub fn mean(&self, modality: Modality) -> Option<Vec<f64>> {
        self.modalities.get(&modality).and_then(Mean::get)
    }

    /// How far [`DatasetMean::mean`] is to be expected from the mean of endless samples: E |difference|², from the
    /// samples' covariance. 0 where there is one sample, which cannot tell.
    pub fn noise(&self, modality: Modality) -> f64 {
        self.modalities.get(&modality).map_or(0.0, Mean::noise)
    }

    /// As [`DatasetMean::noise`], of the fused vectors.
    pub fn fused_noise(&self) -> f64 {
        self.fused.as_ref().map_or(0.0, Mean::noise)
    }

    /// The mean of the fused vectors, over the samples that have any modality; `None` also where modalities were
    /// passed alone.
    pub fn fused(&self) -> Option<Vec<f64>> {
        self.fused.as_ref().and_then(Mean::get)
    }
}
