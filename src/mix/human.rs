//! The hand-tuned shares of the config.

use super::total::total;
use super::{Centroids, Method, MixError, RestsOn, Solution};

/// The domains' `human` shares, scaled to sum to 1.
#[derive(Clone, Copy, Debug)]
pub struct Human;

impl Human {
    /// The method's name.
    pub const NAME: &'static str = "human";
}

impl Method for Human {
    fn weights(&self, centroids: &Centroids) -> Result<Solution, MixError> {
        let domains = centroids.domains();
        let missing = domains.iter().filter(|domain| domain.human.is_none());
        let missing: Vec<String> = missing.map(|domain| format!("`{}`", domain.name)).collect();
        if !missing.is_empty() {
            return Err(MixError::HumanMissing { domains: missing });
        }
        let shares: Vec<f64> = domains.iter().filter_map(|domain| domain.human).collect();
        let weights = to_sum_1(&shares).ok_or(MixError::HumanZero)?;
        Ok(Solution::of_weights(Self::NAME, weights))
    }

    fn rests_on(&self) -> RestsOn {
        RestsOn::Nothing
    }
}

/// Shares in any unit, scaled to sum to 1; `None` if all are 0.
pub(super) fn to_sum_1(shares: &[f64]) -> Option<Vec<f64>> {
    let largest = shares.iter().copied().fold(0.0, f64::max);
    if largest == 0.0 {
        return None;
    }
    // By the largest first: the sum of huge shares may overflow.
    let total = total(shares.iter().map(|share| share / largest));
    Some(shares.iter().map(|share| share / largest / total).collect())
}
