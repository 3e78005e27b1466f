//! One vector per sample for all its modalities: the paper's baseline Fused.

use super::kernel::softmax_over;
use super::method::check_lambda;
use super::unimodal::Single;
use super::{Centroids, Method, MixError, Parameters, RestsOn, Solution, SpectrumLine, View};

/// `p = softmax(K α / T)` with `α = (K + λI)⁻¹ 1`, where K is between the fused centroids.
#[derive(Clone, Copy, Debug)]
pub struct Fused {
    parameters: Parameters,
}

impl Fused {
    /// The method's name.
    pub const NAME: &'static str = "fused";

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

impl Method for Fused {
    fn weights(&self, centroids: &Centroids) -> Result<Solution, MixError> {
        Ok(self.path(centroids, &[self.parameters.lambda])?.remove(0))
    }

    fn path(&self, centroids: &Centroids, lambdas: &[f64]) -> Result<Vec<Solution>, MixError> {
        let view = fused_view(centroids, Self::NAME)?;
        let single = Single::new(view, self.parameters.scaling);
        let solution = |&lambda: &f64| {
            check_lambda(lambda)?;
            let coupled = single.solve(lambda)?;
            let temperature = self.parameters.temperature;
            let weights = softmax_over(&coupled.scores[0], &view.present, temperature);
            Ok(Solution {
                lambda: Some(lambda),
                alpha: Some(coupled.alpha.data.into()),
                ..Solution::of_weights(Self::NAME, weights)
            })
        };
        lambdas.iter().map(solution).collect()
    }

    fn spectrum(&self, centroids: &Centroids, most: usize) -> Result<Vec<SpectrumLine>, MixError> {
        let view = fused_view(centroids, Self::NAME)?;
        let single = Single::new(view, self.parameters.scaling);
        Ok(single.spectrum(self.parameters.lambda, most))
    }

    fn rests_on(&self) -> RestsOn {
        RestsOn::Fused
    }
}

/// The fused centroids, which `method` cannot do without.
pub(super) fn fused_view<'a>(
    centroids: &'a Centroids,
    method: &'static str,
) -> Result<&'a View, MixError> {
    let view = centroids.fused();
    let used = view.filter(|view| view.present.contains(&true));
    used.ok_or(MixError::NoView {
        method,
        view: super::centroids::FUSED,
        why: "there are none: protocol `separate` passes every modality alone, so extract with protocol `joint`",
    })
}
