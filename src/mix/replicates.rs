//! The weights of many replicates, and what they say: intervals, and which domain outranks which.

use super::{Mixture, Uncertainty};

/// With more domains than this the chances of outranking are not kept: there are k² of them.
const MAX_OUTRANKS: usize = 100;

/// The weights that drawing the samples again gives, one list per replicate.
#[derive(Clone, Debug, PartialEq)]
pub struct Replicates {
    /// The replicates' numbers, ascending: one that left a domain without samples is not there.
    numbers: Vec<u32>,
    weights: Vec<Vec<f64>>,
}

impl Replicates {
    /// The share of cases in which an interval is to hold the truth.
    pub const LEVEL: f64 = 0.95;
    /// With fewer replicates the ends of an interval are chance.
    pub const FEWEST: u32 = 100;

    /// Of replicates by number, in ascending order; `None` if there are none.
    pub(super) fn new(replicates: Vec<(u32, Vec<f64>)>) -> Option<Self> {
        let (numbers, weights): (Vec<u32>, Vec<Vec<f64>>) = replicates.into_iter().unzip();
        (!weights.is_empty()).then_some(Self { numbers, weights })
    }

    /// The weights of the replicates that both have, side by side.
    pub fn pairs<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (&'a [f64], &'a [f64])> {
        let own = self.numbers.iter().zip(&self.weights);
        own.filter_map(|(number, weights)| {
            let place = other.numbers.binary_search(number).ok()?;
            Some((weights.as_slice(), other.weights[place].as_slice()))
        })
    }

    /// The weights `[k]` of each replicate.
    pub fn weights(&self) -> &[Vec<f64>] {
        &self.weights
    }

    /// The ends of the interval of domain `i` at [`Replicates::LEVEL`].
    pub fn interval(&self, i: usize) -> (f64, f64) {
        interval(self.weights.iter().map(|weights| weights[i]).collect())
    }

    /// The probability that domain `i` has a larger weight than domain `j`; equal ones count half.
    pub fn outranks(&self, i: usize, j: usize) -> f64 {
        let wins = |weights: &Vec<f64>| match weights[i].total_cmp(&weights[j]) {
            std::cmp::Ordering::Greater => 1.0,
            std::cmp::Ordering::Equal => 0.5,
            std::cmp::Ordering::Less => 0.0,
        };
        self.weights.iter().map(wins).sum::<f64>() / self.weights.len() as f64
    }

    /// How far the worst known of `weights` may be from the truth: the largest distance from a weight to an end of its
    /// interval.
    pub fn reach(&self, weights: &[f64]) -> f64 {
        let of = |(i, weight): (usize, &f64)| {
            let (low, high) = self.interval(i);
            (high - weight).abs().max((weight - low).abs())
        };
        weights.iter().enumerate().map(of).fold(0.0, f64::max)
    }
}

/// The ends between which the middle [`Replicates::LEVEL`] of the values lie.
pub(super) fn interval(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_unstable_by(f64::total_cmp);
    let tail = (1.0 - Replicates::LEVEL) / 2.0;
    (quantile(&values, tail), quantile(&values, 1.0 - tail))
}

/// The value below which a share `p` of the sorted values lies, between two of them in proportion.
pub(super) fn quantile(sorted: &[f64], p: f64) -> f64 {
    let place = p * (sorted.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (place - below as f64) * (sorted[above] - sorted[below])
}

impl Mixture {
    /// The same mixture with the intervals that the replicates give.
    #[must_use]
    pub fn with_intervals(mut self, replicates: &Replicates) -> Self {
        let k = self.domains.len();
        for (i, domain) in self.domains.iter_mut().enumerate() {
            let (low, high) = replicates.interval(i);
            (domain.low, domain.high) = (Some(low), Some(high));
        }
        let row = |i| (0..k).map(|j| replicates.outranks(i, j)).collect();
        self.uncertainty = Some(Uncertainty {
            level: Replicates::LEVEL,
            replicates: replicates.weights.len() as u32,
            outranks: (k <= MAX_OUTRANKS).then(|| (0..k).map(row).collect()),
        });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_has_the_middle_of_the_values() {
        let (low, high) = interval((0..=1000).rev().map(f64::from).collect());
        assert!(
            (low - 25.0).abs() < 1e-9 && (high - 975.0).abs() < 1e-9,
            "{low} {high}"
        );
        assert_eq!(interval(vec![3.0]), (3.0, 3.0));
    }

    #[test]
    fn ranks_and_reach_are_those_of_the_replicates() {
        let replicates = of([(0, 0.6), (1, 0.5), (2, 0.7), (5, 0.3)]);
        let chances = [(0, 1), (1, 0)].map(|(i, j)| format!("{}", replicates.outranks(i, j)));
        assert_eq!(chances, ["0.625", "0.375"]);
        let (low, high) = replicates.interval(0);
        let reach = replicates.reach(&[0.6, 0.4]);
        assert!((reach - (0.6 - low)).abs() < 1e-12 && high - 0.6 < reach);
        assert!(Replicates::new(vec![]).is_none());
    }

    #[test]
    fn pairs_are_of_the_same_number() {
        let a = of([(0, 0.1), (2, 0.2), (3, 0.3)]);
        let b = of([(1, 0.6), (2, 0.7), (3, 0.8)]);
        let pairs: Vec<_> = a.pairs(&b).map(|(a, b)| (a[0], b[0])).collect();
        assert_eq!(pairs, [(0.2, 0.7), (0.3, 0.8)]);
    }

    fn of<const N: usize>(replicates: [(u32, f64); N]) -> Replicates {
        let weights = |(number, weight)| (number, vec![weight, 1.0 - weight]);
        Replicates::new(replicates.into_iter().map(weights).collect()).unwrap()
    }
}
