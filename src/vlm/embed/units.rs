//! Unit vectors averaged: what becomes of the vectors of a batch's pictures on the host.

use candle_core::{Result, Tensor};

use crate::modality::Modality;
use crate::prompt::Place;
use crate::vlm::device::transfer::Wanted;
use crate::vlm::{Input, PooledBatch, Shape};

/// The vectors of a batch, perhaps not yet computed.
#[derive(Debug)]
pub(in crate::vlm) struct Units {
    /// Of each vector the sample and the modality, as one row of what comes out.
    owners: Vec<usize>,
    samples: usize,
    layers: usize,
    vectors: Option<Wanted>,
}

impl Units {
    /// The vectors `[n, width]` of the pictures of a batch in their order, in f32; `None` where there are none.
    ///
    /// # Errors
    /// When the device fails, or there are not as many vectors as there should be.
    pub(super) fn new(batch: &[Input], vectors: Option<Tensor>, layers: usize) -> Result<Self> {
        let kinds = Modality::ALL.len();
        let mut owners = Vec::new();
        for (sample, input) in batch.iter().enumerate() {
            let visual = |place: &&Place| place.is_visual();
            let mut places = input.tokens.places.iter().filter(visual);
            for visual in &input.visuals {
                let modality = match places.clone().next() {
                    Some(Place::Video) => Modality::Video,
                    _ => Modality::Image,
                };
                let owner = sample * kinds + modality as usize;
                owners.extend(std::iter::repeat_n(owner, units(&visual.shape)));
                if let Some(last) = visual.shape.tokens().checked_sub(1) {
                    places.nth(last);
                }
            }
        }
        let found = vectors.as_ref().map_or(Ok(0), |vectors| vectors.dim(0))?;
        if found != owners.len() {
            candle_core::bail!("{found} vectors of {} pictures and frames", owners.len());
        }
        Ok(Self {
            owners,
            samples: batch.len(),
            layers,
            vectors: vectors.map(Wanted::new).transpose()?,
        })
    }

    /// Whether there is nothing to wait for.
    pub(in crate::vlm) fn is_computed(&self) -> bool {
        self.vectors.as_ref().is_none_or(Wanted::is_computed)
    }

    /// Waits for the vectors, and averages those of each sample and modality, each made unit length first.
    pub(in crate::vlm) fn finish(self) -> Result<PooledBatch> {
        let values = self.vectors.map_or(Ok(Vec::new()), Wanted::take)?;
        let width = values.len() / self.owners.len().max(1);
        let kinds = Modality::ALL.len();
        let mut counts = vec![0_u32; self.samples * kinds];
        let mut means = vec![0.0_f32; self.samples * kinds * width];
        for (vector, &owner) in values.chunks_exact(width.max(1)).zip(&self.owners) {
            counts[owner] += 1;
            let squares: f64 = vector.iter().map(|&value| f64::from(value).powi(2)).sum();
            let scale = squares.sqrt().max(f64::MIN_POSITIVE).recip();
            for (sum, &value) in means[owner * width..][..width].iter_mut().zip(vector) {
                *sum += (f64::from(value) * scale) as f32;
            }
        }
        for (mean, &count) in means.chunks_exact_mut(width.max(1)).zip(&counts) {
            for sum in mean {
                *sum /= count.max(1) as f32;
            }
        }
        Ok(PooledBatch {
            tokens: counts.as_chunks().0.to_vec(),
            width,
            layers: vec![means; self.layers],
        })
    }
}

/// How many vectors a picture or clip gives.
fn units(shape: &Shape) -> usize {
    match shape {
        Shape::QwenVl(grid) => grid.slices,
        others => others.tiles(),
    }
}
