//! A method with all that is set about it, ready to be applied to any number of centroids: those of a run, of its
//! replicates, of all of its datasets but one.

use super::{Centroids, Method, MixError, Parameters, RestsOn, Solution, SpectrumLine, method};

/// How weights come of centroids.
pub struct Solver {
    method: Box<dyn Method>,
    parameters: Parameters,
    hold: Vec<String>,
}

impl Solver {
    /// The method called `name`. The domains of `hold` keep the share that `human` gives them, and the others divide the
    /// rest as the method weighs them (the paper's Image†).
    ///
    /// # Errors
    /// When there is no such method, or a parameter is out of range.
    pub fn new(name: &str, parameters: &Parameters, hold: &[String]) -> Result<Self, MixError> {
        Ok(Self {
            method: method(name, parameters)?,
            parameters: *parameters,
            hold: hold.to_vec(),
        })
    }

    /// The weights.
    ///
    /// # Errors
    /// When the method cannot weigh these centroids, or what is to be held cannot be.
    pub fn solve(&self, centroids: &Centroids) -> Result<Solution, MixError> {
        self.held(centroids, self.method.weights(centroids)?)
    }

    /// The solutions for other λ, as solvers with these λ would find them; none for a method without λ.
    ///
    /// # Errors
    /// As [`solve`](Self::solve), and when a λ is not a finite number above 0.
    pub fn path(&self, centroids: &Centroids, lambdas: &[f64]) -> Result<Vec<Solution>, MixError> {
        let solutions = self.method.path(centroids, lambdas)?.into_iter();
        solutions
            .map(|solution| self.held(centroids, solution))
            .collect()
    }

    /// The kernel that the method fits δ with, direction by direction; see [`Method::spectrum`].
    ///
    /// # Errors
    /// When the centroids that the method needs are not there.
    pub fn spectrum(
        &self,
        centroids: &Centroids,
        most: usize,
    ) -> Result<Vec<SpectrumLine>, MixError> {
        self.method.spectrum(centroids, most)
    }

    fn held(&self, centroids: &Centroids, solution: Solution) -> Result<Solution, MixError> {
        if self.hold.is_empty() {
            return Ok(solution);
        }
        Ok(Solution {
            weights: super::hold::hold(&solution.weights, centroids.domains(), &self.hold)?,
            ..solution
        })
    }

    /// Which centroids the weights are made of.
    pub fn rests_on(&self) -> RestsOn {
        self.method.rests_on()
    }

    /// The method's parameters.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The domains that keep their human share.
    pub fn hold(&self) -> &[String] {
        &self.hold
    }
}
