//! One modality by itself: the paper's baselines Text, Image and Video.

use std::collections::BTreeMap;

use nalgebra::DVector;

use super::kernel::{Coupled, System, softmax_over};
use super::method::check_lambda;
use super::{
    Centroids, Method, MixError, Parameters, RestsOn, Scaling, Solution, SpectrumLine, View,
};
use crate::modality::Modality;

/// `p = softmax(K α / T)` with `α = (K + λI)⁻¹ 1`, all over the domains that have the modality; 0 for the others.
#[derive(Clone, Copy, Debug)]
pub struct Unimodal {
    modality: Modality,
    parameters: Parameters,
}

impl Unimodal {
    /// The method called as the modality is.
    ///
    /// # Errors
    /// When λ or the temperature is not a finite number above 0.
    pub fn new(modality: Modality, parameters: &Parameters) -> Result<Self, MixError> {
        let parameters = parameters.checked()?;
        Ok(Self {
            modality,
            parameters,
        })
    }

    fn view<'a>(&self, centroids: &'a Centroids) -> Result<&'a View, MixError> {
        let view = centroids.modalities().get(&self.modality);
        let used = view.filter(|view| view.present.contains(&true));
        used.ok_or(MixError::NoView {
            method: self.modality.name(),
            view: self.modality.name(),
            why: "no domain has any: take another method, or look into failures.jsonl",
        })
    }
}

impl Method for Unimodal {
    fn weights(&self, centroids: &Centroids) -> Result<Solution, MixError> {
        Ok(self.path(centroids, &[self.parameters.lambda])?.remove(0))
    }

    fn path(&self, centroids: &Centroids, lambdas: &[f64]) -> Result<Vec<Solution>, MixError> {
        let view = self.view(centroids)?;
        let single = Single::new(view, self.parameters.scaling);
        let solution = |&lambda: &f64| {
            check_lambda(lambda)?;
            let coupled = single.solve(lambda)?;
            let total = &coupled.scores[0];
            Ok(Solution {
                method: self.modality.name(),
                lambda: Some(lambda),
                weights: softmax_over(total, &view.present, self.parameters.temperature),
                scores: BTreeMap::from([(self.modality, total.as_slice().to_vec())]),
                alpha: Some(coupled.alpha.data.into()),
            })
        };
        lambdas.iter().map(solution).collect()
    }

    fn spectrum(&self, centroids: &Centroids, most: usize) -> Result<Vec<SpectrumLine>, MixError> {
        let single = Single::new(self.view(centroids)?, self.parameters.scaling);
        Ok(single.spectrum(self.parameters.lambda, most))
    }

    fn rests_on(&self) -> RestsOn {
        RestsOn::Modality(self.modality)
    }
}

/// The system of one view. A domain without the view has a row of zeros and δ = 0, which leaves the others' solution as
/// if it were not there.
pub(super) struct Single<'a> {
    system: System<'a>,
    delta: DVector<f64>,
}

impl<'a> Single<'a> {
    pub(super) fn new(view: &'a View, scaling: Scaling) -> Self {
        let present = view.present.iter();
        let delta = present.map(|&present| f64::from(u8::from(present)));
        Self {
            system: System::new([&view.matrix], scaling),
            delta: DVector::from_iterator(view.present.len(), delta),
        }
    }

    pub(super) fn solve(&self, lambda: f64) -> Result<Coupled, MixError> {
        self.system.solve(&self.delta, lambda)
    }

    pub(super) fn spectrum(&self, lambda: f64, most: usize) -> Vec<SpectrumLine> {
        self.system.spectrum(&self.delta, lambda, most)
    }
}
