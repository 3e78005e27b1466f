//! How products of shares keep bounds, which are of the shares that a mixture really has: where cells are missing, the
//! products are renormalised, and the shares of levels are no longer the factors.
//!
//! Factors are scaled until the shares of levels are within their bounds (iterative proportional fitting, with
//! inequalities), which moves a mixture least in the sense of Kullback and Leibler. What that does not mend, such as cells
//! that are seen too often, gives way to a point that is known to keep everything.

use super::map::Map;
use super::{Simplex, Space, excess};

/// How far shares may be out of their bounds by rounding.
pub(super) const ROUNDING: f64 = 1e-9;
/// What scaling comes to.
const FITTED: f64 = 1e-12;
/// The most rounds of scaling.
const ROUNDS: usize = 50;

/// The bounds of products.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Limits {
    /// The largest share of each cell; infinite where there is none.
    pub(super) most: Vec<f64>,
    /// A point that keeps all bounds.
    pub(super) anchor: Vec<f64>,
}

impl Space {
    /// Moves the factors of a product to near ones whose mixture keeps all bounds.
    pub(super) fn repair(&self, point: &mut [f64], Limits { most, anchor }: &Limits) {
        self.normalise(point);
        let keeps = |point: &[f64]| {
            let weights = self.weights(point);
            excess(&weights, most).0 <= 1.0 + ROUNDING && self.outside(&weights) <= ROUNDING
        };
        if keeps(point) {
            return;
        }
        for _ in 0..ROUNDS {
            self.scale(point);
            if self.outside(&self.weights(point)) <= FITTED {
                break;
            }
        }
        if keeps(point) {
            return;
        }
        let blend = |t: f64| -> Vec<f64> {
            let pairs = point.iter().zip(anchor);
            pairs.map(|(from, to)| (1.0 - t) * from + t * to).collect()
        };
        let (mut out, mut within) = (0.0, 1.0);
        for _ in 0..60 {
            let middle = 0.5 * (out + within);
            if keeps(&blend(middle)) {
                within = middle;
            } else {
                out = middle;
            }
        }
        let blended = blend(within);
        point.copy_from_slice(&blended);
    }

    /// How far the share of a level is out of its bounds, at most.
    pub(super) fn outside(&self, weights: &[f64]) -> f64 {
        let shares = self.map.shares(weights);
        let parts = self.split(&shares);
        let off = parts.flat_map(|(simplex, shares)| {
            let bounds = simplex.min.iter().zip(&simplex.max);
            let off = shares.iter().zip(bounds);
            off.map(|(share, (min, max))| (min - share).max(share - max))
        });
        off.fold(0.0, f64::max)
    }

    /// A round of scaling: of each simplex after the other, so that the shares of its levels are within bounds.
    pub(super) fn scale(&self, point: &mut [f64]) {
        let mut at = 0;
        for simplex in &self.simplexes {
            let part = at..at + simplex.len();
            let shares = self.map.shares(&self.weights(point));
            let shares = &shares[part.clone()];
            let wanted = within(simplex, shares);
            for ((factor, share), wanted) in point[part.clone()].iter_mut().zip(shares).zip(wanted)
            {
                if *share > 0.0 {
                    *factor *= wanted / share;
                }
            }
            at = part.end;
        }
        self.normalise(point);
    }

    /// Makes the factors of each simplex sum to 1.
    pub(super) fn normalise(&self, point: &mut [f64]) {
        let mut at = 0;
        for simplex in &self.simplexes {
            let part = &mut point[at..at + simplex.len()];
            at += simplex.len();
            for factor in part.iter_mut() {
                *factor = factor.max(0.0);
            }
            let sum: f64 = part.iter().sum();
            if sum <= 0.0 {
                part.fill(1.0 / simplex.len() as f64);
            } else if (sum - 1.0).abs() > FITTED {
                for factor in part.iter_mut() {
                    *factor /= sum;
                }
            }
        }
    }

    /// Whether its bounds are those of [`Limits`].
    pub(super) fn is_limited(&self, capped: bool) -> bool {
        let bounded = |simplex: &Simplex| {
            simplex.min.iter().any(|min| *min > 0.0) || simplex.max.iter().any(|max| *max < 1.0)
        };
        matches!(self.map, Map::Product { .. }) && (capped || self.simplexes.iter().any(bounded))
    }
}

/// The shares within bounds that are all the same multiple of those given, but where a bound binds.
fn within(simplex: &Simplex, shares: &[f64]) -> Vec<f64> {
    let times = |factor: f64| -> Vec<f64> {
        let bounds = simplex.min.iter().zip(&simplex.max);
        let pairs = shares.iter().zip(bounds);
        pairs
            .map(|(share, (min, max))| (factor * share).clamp(*min, *max))
            .collect()
    };
    let is_over = |factor: f64| times(factor).iter().sum::<f64>() > 1.0;
    let (mut low, mut high) = (0.0, 2.0);
    while !is_over(high) && high < 1e12 {
        low = high;
        high *= 2.0;
    }
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return times(middle);
        }
        if is_over(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
}
