//! Means of hidden states over the positions of each modality, per sample.

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::device::transfer::Wanted;
use super::ops::Segments;
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
pub(super) struct Pooler {
    /// The positions of each sample's modalities.
    segments: Segments,
    tokens: Vec<[u32; 3]>,
    wanted: Vec<usize>,
    /// Per layer that is wanted and was seen, its index and its sums `[3 · samples, d]`.
    sums: Vec<(usize, Tensor)>,
}

/// The sums of a batch, perhaps not yet computed.
#[derive(Debug)]
pub(super) struct Pooled {
    tokens: Vec<[u32; 3]>,
    width: usize,
    /// Which of the sums each layer is, as asked for.
    slots: Vec<usize>,
    sums: Wanted,
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
        let mut sets = vec![Vec::new(); kinds * batch.len()];
        let places = batch
            .iter()
            .enumerate()
            .flat_map(|(sample, input)| input.tokens.places.iter().map(move |&p| (sample, p)));
        for (position, (sample, place)) in (0..).zip(places) {
            let modality = match place {
                Place::Image => Some(Modality::Image),
                Place::Video => Some(Modality::Video),
                text => scope.takes(text).then_some(Modality::Text),
            };
            if let Some(modality) = modality {
                sets[sample * kinds + modality as usize].push(position);
            }
        }
        let counts: Vec<u32> = sets.iter().map(|set| set.len() as u32).collect();
        let wanted: Vec<usize> = layers
            .iter()
            .map(|layer| layer.index(depth))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            segments: Segments::new(&sets, device)?,
            tokens: counts.as_chunks().0.to_vec(),
            wanted,
            sums: Vec::new(),
        })
    }

    /// The deepest hidden state that is needed.
    pub(super) fn deepest(&self) -> usize {
        self.wanted.iter().copied().max().unwrap_or(0)
    }

    /// Takes `hidden_states[index]`, `[positions, d]`, if it is wanted.
    pub(super) fn visit(&mut self, index: usize, states: &Tensor) -> candle_core::Result<()> {
        if self.wanted.contains(&index) {
            self.sums.push((index, self.segments.sums(states)?));
        }
        Ok(())
    }

    /// What was taken, on its way to the host.
    pub(super) fn pooled(self) -> candle_core::Result<Pooled> {
        let slot = |index: &usize| self.sums.iter().position(|(seen, _)| seen == index);
        let Some(slots) = self.wanted.iter().map(slot).collect() else {
            candle_core::bail!("a hidden state was not visited");
        };
        let sums: Vec<&Tensor> = self.sums.iter().map(|(_, sums)| sums).collect();
        let sums = Tensor::cat(&sums, 0)?;
        Ok(Pooled {
            tokens: self.tokens,
            width: sums.dim(1)?,
            slots,
            sums: Wanted::new(sums)?,
        })
    }
}

impl Pooled {
    /// Whether there is nothing to wait for.
    pub(super) fn is_computed(&self) -> bool {
        self.sums.is_computed()
    }

    /// Waits for the sums and makes means of them.
    pub(super) fn finish(self) -> candle_core::Result<PooledBatch> {
        let mut values = self.sums.take()?;
        let counts = self.tokens.as_flattened();
        let rows = values.chunks_exact_mut(self.width);
        for (row, &count) in rows.zip(counts.iter().cycle()) {
            for sum in row {
                *sum /= count.max(1) as f32;
            }
        }
        let of_layer = counts.len() * self.width;
        let layer = |slot: &usize| values[slot * of_layer..][..of_layer].to_vec();
        Ok(PooledBatch {
            layers: self.slots.iter().map(layer).collect(),
            tokens: self.tokens,
            width: self.width,
        })
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
