//! MaD-Mix (arXiv 2602.07790): domains coupled over all modalities in one latent space.

use nalgebra::DVector;

use super::kernel::{System, softmax};
use super::method::check_lambda;
use super::{Centroids, Method, MixError, Parameters, Solution, SpectrumLine};

/// `p = softmax(Σ_v K^[v] α / T)` with `α = (Σ_v K^[v] + λI)⁻¹ δ`.
#[derive(Clone, Copy, Debug)]
pub struct MadMix {
    parameters: Parameters,
}

impl MadMix {
    /// The method's name.
    pub const NAME: &'static str = "mad-mix";

    /// MaD-Mix as in the paper, with the ridge λ; the paper takes 10.
    ///
    /// # Errors
    /// When λ is not a finite number above 0.
    pub fn new(lambda: f64) -> Result<Self, MixError> {
        Self::with(&Parameters {
            lambda,
            ..Parameters::default()
        })
    }

    /// MaD-Mix with these parameters.
    ///
    /// # Errors
    /// When λ or the temperature is not a finite number above 0.
    pub fn with(parameters: &Parameters) -> Result<Self, MixError> {
        Ok(Self {
            parameters: parameters.checked()?,
        })
    }
}

impl Method for MadMix {
    fn weights(&self, centroids: &Centroids) -> Result<Solution, MixError> {
        Ok(self.path(centroids, &[self.parameters.lambda])?.remove(0))
    }

    fn path(&self, centroids: &Centroids, lambdas: &[f64]) -> Result<Vec<Solution>, MixError> {
        let system = System::of_modalities(centroids, self.parameters.scaling);
        let delta = centroids.delta();
        let solution = |&lambda: &f64| {
            check_lambda(lambda)?;
            let coupled = system.solve(&delta, lambda)?;
            let total: DVector<f64> = coupled.scores.iter().sum();
            let scores = coupled.scores.into_iter().map(|scores| scores.data.into());
            Ok(Solution {
                method: Self::NAME,
                lambda: Some(lambda),
                weights: softmax(&total, self.parameters.temperature),
                scores: centroids.modalities().keys().copied().zip(scores).collect(),
                alpha: Some(coupled.alpha.data.into()),
            })
        };
        lambdas.iter().map(solution).collect()
    }

    fn spectrum(&self, centroids: &Centroids, most: usize) -> Result<Vec<SpectrumLine>, MixError> {
        let system = System::of_modalities(centroids, self.parameters.scaling);
        Ok(system.spectrum(&centroids.delta(), self.parameters.lambda, most))
    }
}
