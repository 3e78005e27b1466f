//! A method with all that is set about it, ready to be applied to any number of centroids: those of a run, of its
//! replicates, of all of its datasets but one.

use super::{Centroids, Method, MixError, Parameters, RestsOn, Solution, method};

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
        let solution = self.method.weights(centroids)?;
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
