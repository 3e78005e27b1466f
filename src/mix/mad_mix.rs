//! MaD-Mix (arXiv 2602.07790): domains coupled over all modalities in one latent space.

use nalgebra::DVector;

use super::kernel::{couple, softmax};
use super::{Centroids, Method, MixError, Solution};

/// `p = softmax(Σ_v K^[v] α)` with `α = (Σ_v K^[v] + λI)⁻¹ δ`.
#[derive(Clone, Copy, Debug)]
pub struct MadMix {
    lambda: f64,
}

impl MadMix {
    /// The method's name.
    pub const NAME: &'static str = "mad-mix";

    /// MaD-Mix with the ridge λ; the paper takes 10.
    ///
    /// # Errors
    /// When λ is not a finite number above 0.
    pub fn new(lambda: f64) -> Result<Self, MixError> {
        if lambda.is_finite() && lambda > 0.0 {
            Ok(Self { lambda })
        } else {
            Err(MixError::Lambda { value: lambda })
        }
    }
}

impl Method for MadMix {
    fn weights(&self, centroids: &Centroids) -> Result<Solution, MixError> {
        let views: Vec<_> = centroids
            .modalities()
            .values()
            .map(|view| &view.matrix)
            .collect();
        let coupled = couple(&views, &centroids.delta(), self.lambda)?;
        let total: DVector<f64> = coupled.scores.iter().sum();
        let modalities = centroids.modalities().keys().copied();
        Ok(Solution {
            method: Self::NAME,
            lambda: Some(self.lambda),
            weights: softmax(&total),
            scores: modalities
                .zip(
                    coupled
                        .scores
                        .iter()
                        .map(|scores| scores.iter().copied().collect()),
                )
                .collect(),
            alpha: Some(coupled.alpha.iter().copied().collect()),
        })
    }
}
