//! Chameleon (arXiv 2505.24844): leverage scores of the domains, from one vector per sample for all its modalities.
//!
//! As in its published code (LIONS-EPFL/Chameleon): the kernel is centred, the ridge is λ times the number of domains,
//! the leverages are scaled to sum to 1, and each stage of training has its own softmax.

use nalgebra::{DMatrix, DVector};

use super::fused::fused_view;
use super::kernel::{Scaled, System, factor, softmax_over};
use super::method::check_lambda;
use super::{Centroids, Method, MixError, Parameters, RestsOn, Solution, View};

/// Added to a leverage before it is inverted, as in the published code.
const TINY: f64 = 1e-12;

/// Centroids that differ by less, relative to their size, are equal.
const ROUNDING: f64 = 1e-14;

/// The stage of training that Chameleon's weights are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Domains unlike the others come first: softmax(s / 0.2T).
    FineTuning,
    /// Domains like the others come first: softmax(1 / 5Ts).
    PreTraining,
}

impl Stage {
    /// The method's name.
    pub const fn method(self) -> &'static str {
        match self {
            Self::FineTuning => "chameleon",
            Self::PreTraining => "chameleon-pretrain",
        }
    }

    /// The published temperature.
    const fn temperature(self) -> f64 {
        match self {
            Self::FineTuning => 0.2,
            Self::PreTraining => 5.0,
        }
    }
}

/// Chameleon's weights for one stage: with `s = diag(K (K + λkI)⁻¹)` of the centred kernel K, scaled to sum to 1,
/// softmax(s / 0.2T) or softmax(1 / 5Ts).
#[derive(Clone, Copy, Debug)]
pub struct Chameleon {
    stage: Stage,
    parameters: Parameters,
}

impl Chameleon {
    /// Chameleon with these parameters; the temperature multiplies the stage's own.
    ///
    /// # Errors
    /// When λ or the temperature is not a finite number above 0.
    pub fn new(stage: Stage, parameters: &Parameters) -> Result<Self, MixError> {
        let parameters = parameters.checked()?;
        Ok(Self { stage, parameters })
    }

    fn weights_of(&self, leverages: &DVector<f64>, present: &[bool]) -> Vec<f64> {
        let sum = leverages.sum();
        // Domains that are all the same have no leverage, and one is worth as much as another.
        let shares = if sum > 0.0 {
            leverages / sum
        } else {
            leverages * 0.0
        };
        let scores = match self.stage {
            Stage::FineTuning => shares,
            Stage::PreTraining => shares.map(|share| (share + TINY).recip()),
        };
        let temperature = self.stage.temperature() * self.parameters.temperature;
        softmax_over(&scores, present, temperature)
    }
}

impl Method for Chameleon {
    fn weights(&self, centroids: &Centroids) -> Result<Solution, MixError> {
        Ok(self.path(centroids, &[self.parameters.lambda])?.remove(0))
    }

    fn path(&self, centroids: &Centroids, lambdas: &[f64]) -> Result<Vec<Solution>, MixError> {
        let view = fused_view(centroids, self.stage.method())?;
        let centred = centred(view);
        let system = System::of(vec![Scaled {
            matrix: &centred,
            factor: factor(&view.matrix, self.parameters.scaling),
        }]);
        let domains = view.present.iter().filter(|present| **present).count() as f64;
        let solution = |&lambda: &f64| {
            check_lambda(lambda)?;
            let leverages = system.leverages(lambda * domains)?.remove(0);
            let weights = self.weights_of(&leverages, &view.present);
            Ok(Solution {
                lambda: Some(lambda),
                ..Solution::of_weights(self.stage.method(), weights)
            })
        };
        lambdas.iter().map(solution).collect()
    }

    fn rests_on(&self) -> RestsOn {
        RestsOn::Fused
    }
}

/// The centroids less their mean over the domains that are present: their kernel is the centred one.
fn centred(view: &View) -> DMatrix<f64> {
    let mut matrix = view.matrix.clone();
    let domains = view.present.iter().filter(|present| **present).count() as f64;
    for mut column in matrix.column_iter_mut() {
        // What is absent is 0 and does not count.
        let mean = column.sum() / domains;
        let there = column.iter_mut().zip(&view.present);
        for (value, _) in there.filter(|(_, present)| **present) {
            *value -= mean;
        }
    }
    // What rounding leaves of equal domains is no difference between them.
    if matrix.norm() <= ROUNDING * view.matrix.norm() {
        matrix.fill(0.0);
    }
    matrix
}
