//! Means of hidden states over the positions of each modality, per sample.

use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{Input, Layer};
use crate::modality::Modality;
use crate::prompt::Place;

/// Which text positions a sample's text vector is the mean of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TextScope {
    /// Every position that is no picture's, the template's included.
    #[default]
    All,
    /// What people and models said, without the template around it.
    Content,
    /// What the model said.
    Answer,
}

impl TextScope {
    fn takes(self, place: Place) -> bool {
        match place {
            Place::Template => self == Self::All,
            Place::Content => self != Self::Answer,
            Place::Answer => true,
            Place::Image | Place::Video => false,
        }
    }
}

/// Mean vectors of a batch.
#[derive(Debug, PartialEq)]
pub struct PooledBatch {
    /// Positions averaged, per sample and modality in the order of [`Modality::ALL`]; 0 where absent.
    pub tokens: Vec<[u32; 3]>,
    /// Width of the vectors.
    pub width: usize,
    /// Per layer as asked for, the means in f32, `[samples, 3, width]`; zero where a modality is absent.
    pub layers: Vec<Vec<f32>>,
}

impl PooledBatch {
    /// The mean vector of one sample at one layer.
    pub fn vector(&self, layer: usize, sample: usize, modality: Modality) -> &[f32] {
        let row = sample * Modality::ALL.len() + modality as usize;
        &self.layers[layer][row * self.width..][..self.width]
    }

    /// The rows of several batches, one after the other.
    pub(crate) fn joined(parts: Vec<Self>) -> Self {
        let mut parts = parts.into_iter();
        let mut all = parts.next().unwrap_or(Self {
            tokens: Vec::new(),
            width: 0,
            layers: Vec::new(),
        });
        for part in parts {
            all.tokens.extend(part.tokens);
            for (all, layer) in all.layers.iter_mut().zip(part.layers) {
                all.extend(layer);
            }
        }
        all
    }

    /// The same with as many rows made into one as `passes` says, of which no two have the same modality.
    #[must_use]
    pub fn merged(self, passes: &[usize]) -> Self {
        if passes.iter().all(|&count| count == 1) {
            return self;
        }
        let kinds = Modality::ALL.len();
        let (mut tokens, mut sources) = (Vec::new(), Vec::new());
        let mut first = 0;
        for &count in passes {
            let rows = first..first + count;
            first += count;
            let mut sample = [0; 3];
            for (kind, tokens) in sample.iter_mut().enumerate() {
                let source = rows.clone().find(|&row| self.tokens[row][kind] > 0);
                *tokens = source.map_or(0, |row| self.tokens[row][kind]);
                sources.push(source.map(|row| row * kinds + kind));
            }
            tokens.push(sample);
        }
        let gather = |values: &Vec<f32>| {
            let mut out = vec![0.0; sources.len() * self.width];
            for (to, source) in out.chunks_exact_mut(self.width).zip(&sources) {
                if let Some(row) = source {
                    to.copy_from_slice(&values[row * self.width..][..self.width]);
                }
            }
            out
        };
        Self {
            layers: self.layers.iter().map(gather).collect(),
            tokens,
            width: self.width,
        }
    }
}

/// Averages the hidden states of one batch.
///
/// The sums are a product with a matrix of zeros and ones, which runs at full speed on every device
/// and always adds in the same order.
pub(super) struct Pooler {
    /// `[3 · samples, positions]`
    members: Tensor,
    tokens: Vec<[u32; 3]>,
    wanted: Vec<usize>,
    layers: Vec<Vec<f32>>,
    width: usize,
}

impl Pooler {
    pub(super) fn new(
        batch: &[Input],
        layers: &[Layer],
        depth: usize,
        scope: TextScope,
        device: &Device,
    ) -> Result<Self, super::VlmError> {
        let kinds = Modality::ALL.len();
        let total: usize = batch.iter().map(|input| input.tokens.places.len()).sum();
        let mut members = vec![0.0_f32; kinds * batch.len() * total];
        let mut tokens = vec![[0; 3]; batch.len()];
        let mut position = 0;
        for (sample, input) in batch.iter().enumerate() {
            for &place in &input.tokens.places {
                let modality = match place {
                    Place::Image => Some(Modality::Image),
                    Place::Video => Some(Modality::Video),
                    text => scope.takes(text).then_some(Modality::Text),
                };
                if let Some(modality) = modality {
                    let row = sample * kinds + modality as usize;
                    members[row * total + position] = 1.0;
                    tokens[sample][modality as usize] += 1;
                }
                position += 1;
            }
        }
        let wanted: Vec<usize> = layers
            .iter()
            .map(|layer| layer.index(depth))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            members: Tensor::from_vec(members, (kinds * batch.len(), total), device)?,
            tokens,
            layers: vec![Vec::new(); wanted.len()],
            wanted,
            width: 0,
        })
    }

    /// The deepest hidden state that is needed.
    pub(super) fn deepest(&self) -> usize {
        self.wanted.iter().copied().max().unwrap_or(0)
    }

    /// Takes `hidden_states[index]`, `[positions, d]`, if it is wanted.
    pub(super) fn visit(&mut self, index: usize, states: &Tensor) -> candle_core::Result<()> {
        if !self.wanted.contains(&index) {
            return Ok(());
        }
        let sums = self
            .members
            .matmul(&states.to_dtype(DType::F32)?)?
            .to_vec2::<f32>()?;
        self.width = states.dim(1)?;
        let means: Vec<f32> = sums
            .iter()
            .zip(self.tokens.as_flattened())
            .flat_map(|(row, &count)| row.iter().map(move |sum| sum / count.max(1) as f32))
            .collect();
        for (slot, _) in self
            .wanted
            .iter()
            .enumerate()
            .filter(|(_, wanted)| **wanted == index)
        {
            self.layers[slot].clone_from(&means);
        }
        Ok(())
    }

    pub(super) fn finish(self) -> PooledBatch {
        PooledBatch {
            tokens: self.tokens,
            width: self.width,
            layers: self.layers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_of_one_sample_are_put_together() {
        let pooled = PooledBatch {
            tokens: vec![[4, 0, 0], [0, 9, 0], [5, 0, 0]],
            width: 1,
            layers: vec![vec![1.0, 0.0, 0.0, 0.0, 2.0, 0.0, 3.0, 0.0, 0.0]],
        };
        let merged = pooled.merged(&[2, 1]);
        assert_eq!(merged.tokens, [[4, 9, 0], [5, 0, 0]]);
        assert_eq!(merged.layers, [[1.0, 2.0, 0.0, 3.0, 0.0, 0.0]]);
    }
}
