//! Every domain the same.

use super::{Centroids, Method, MixError, RestsOn, Solution};

/// 1/k for each of k domains.
#[derive(Clone, Copy, Debug)]
pub struct Uniform;

impl Uniform {
    /// The method's name.
    pub const NAME: &'static str = "uniform";
}

impl Method for Uniform {
    fn weights(&self, centroids: &Centroids) -> Result<Solution, MixError> {
        let k = centroids.domains().len();
        Ok(Solution::of_weights(Self::NAME, vec![1.0 / k as f64; k]))
    }

    fn rests_on(&self) -> RestsOn {
        RestsOn::Nothing
    }
}
