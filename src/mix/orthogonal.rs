//! The paper's variant without coupling in the scores: every domain answers for its own target alone.

use nalgebra::DVector;

use super::kernel::{System, softmax};
use super::method::check_lambda;
use super::{Centroids, Method, MixError, Parameters, Solution, SpectrumLine};

/// `S_j^[v] = δ_j [K^[v] (K + λI)⁻¹]_jj` with `K = Σ_v K^[v]`, and `p = softmax(Σ_v S^[v] / T)`.
#[derive(Clone, Copy, Debug)]
pub struct Orthogonal {
    parameters: Parameters,
}

impl Orthogonal {
    /// The method's name.
    pub const NAME: &'static str = "orthogonal";

    /// The method with these parameters.
    ///
    /// # Errors
    /// When λ or the temperature is not a finite number above 0.
    pub fn new(parameters: &Parameters) -> Result<Self, MixError> {
        Ok(Self {
            parameters: parameters.checked()?,
        })
    }
}

impl Method for Orthogonal {
    fn weights(&self, centroids: &Centroids) -> Result<Solution, MixError> {
        Ok(self.path(centroids, &[self.parameters.lambda])?.remove(0))
    }

    fn path(&self, centroids: &Centroids, lambdas: &[f64]) -> Result<Vec<Solution>, MixError> {
        let system = System::of_modalities(centroids, self.parameters.scaling);
        let delta = centroids.delta();
        let solution = |&lambda: &f64| {
            check_lambda(lambda)?;
            let leverages = system.leverages(lambda)?.into_iter();
            let scores: Vec<_> = leverages.map(|of| of.component_mul(&delta)).collect();
            let total: DVector<f64> = scores.iter().sum();
            let weights = softmax(&total, self.parameters.temperature);
            let scores = scores.into_iter().map(|scores| scores.data.into());
            Ok(Solution {
                lambda: Some(lambda),
                scores: centroids.modalities().keys().copied().zip(scores).collect(),
                ..Solution::of_weights(Self::NAME, weights)
            })
        };
        lambdas.iter().map(solution).collect()
    }

    fn spectrum(&self, centroids: &Centroids, most: usize) -> Result<Vec<SpectrumLine>, MixError> {
        let system = System::of_modalities(centroids, self.parameters.scaling);
        Ok(system.spectrum(&centroids.delta(), self.parameters.lambda, most))
    }
}
