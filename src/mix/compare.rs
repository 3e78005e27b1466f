//! How far two mixtures of the same domains are apart, and how much of that their samples' noise explains.

use serde::Serialize;

use super::replicates::interval;
use super::{Mixture, MixtureError, Replicates};

/// What sets two mixtures apart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Half the sum of the absolute differences: the share of samples that would be of another domain.
    pub total_variation: f64,
    /// The total variation that noise alone stays below in 95 of 100 cases, if it is known.
    pub noise: Option<f64>,
    /// Spearman's ρ of the weights; `None` where all of a mixture's are equal.
    pub rank_correlation: Option<f64>,
    /// Whether the replicates were compared one by one: with the same rows on both sides their noise cancels.
    pub paired: bool,
    /// The domains, in the order of the first mixture.
    pub domains: Vec<DomainComparison>,
}

/// One domain of a [`Comparison`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DomainComparison {
    /// Its name.
    pub name: String,
    /// Its weight in the first mixture.
    pub first: f64,
    /// Its weight in the second.
    pub second: f64,
    /// Second minus first.
    pub difference: f64,
    /// The lower end of the difference's interval.
    pub low: Option<f64>,
    /// The upper end of the difference's interval.
    pub high: Option<f64>,
}

impl DomainComparison {
    /// Whether the difference is beyond what noise explains; `None` where that is not known.
    pub fn is_real(&self) -> Option<bool> {
        Some(!(self.low?..=self.high?).contains(&0.0))
    }
}

impl Comparison {
    /// Compares two mixtures; by the replicates of both where they are known, else by the intervals in the mixtures.
    ///
    /// # Errors
    /// When they are not of the same domains.
    pub fn new(
        first: &Mixture,
        second: &Mixture,
        replicates: Option<(&Replicates, &Replicates)>,
    ) -> Result<Self, MixtureError> {
        let places = places(first, second)?;
        let weights = |i: usize| (first.domains[i].weight, second.domains[places[i]].weight);
        let all: Vec<(f64, f64)> = (0..places.len()).map(weights).collect();
        let drawn: Option<Vec<Vec<f64>>> = replicates.map(|(a, b)| {
            let difference =
                |(a, b): (&[f64], &[f64])| places.iter().zip(a).map(|(&j, a)| b[j] - a).collect();
            a.pairs(b).map(difference).collect()
        });
        let drawn = drawn.filter(|drawn| !drawn.is_empty());
        let domain = |(i, &(a, b)): (usize, &(f64, f64))| {
            let ends = match &drawn {
                Some(drawn) => Some(interval(drawn.iter().map(|of| of[i]).collect())),
                None => apart(first, i, second, places[i]),
            };
            DomainComparison {
                name: first.domains[i].name.clone(),
                first: a,
                second: b,
                difference: b - a,
                low: ends.map(|(low, _)| low),
                high: ends.map(|(_, high)| high),
            }
        };
        let (of_first, of_second): (Vec<f64>, Vec<f64>) = all.iter().copied().unzip();
        Ok(Self {
            total_variation: all.iter().map(|(a, b)| (b - a).abs()).sum::<f64>() / 2.0,
            noise: drawn.as_deref().map(noise),
            rank_correlation: correlation(&ranks(&of_first), &ranks(&of_second)),
            paired: drawn.is_some(),
            domains: all.iter().enumerate().map(domain).collect(),
        })
    }
}

/// The place in `second` of each domain of `first`.
fn places(first: &Mixture, second: &Mixture) -> Result<Vec<usize>, MixtureError> {
    let missing = |of: &Mixture, from: &Mixture| {
        let absent = |name: &&str| !from.domains.iter().any(|domain| domain.name == **name);
        let names = of.domains.iter().map(|domain| domain.name.as_str());
        names.filter(absent).map(str::to_owned).collect::<Vec<_>>()
    };
    let (only_first, only_second) = (missing(first, second), missing(second, first));
    if !only_first.is_empty() || !only_second.is_empty() {
        return Err(MixtureError::OtherDomains {
            only_first,
            only_second,
        });
    }
    let place = |name: &str| second.domains.iter().position(|domain| domain.name == name);
    Ok(first
        .domains
        .iter()
        .filter_map(|domain| place(&domain.name))
        .collect())
}

/// The interval of a difference of weights whose intervals are independent.
fn apart(first: &Mixture, i: usize, second: &Mixture, j: usize) -> Option<(f64, f64)> {
    let (a, b) = (&first.domains[i], &second.domains[j]);
    let difference = b.weight - a.weight;
    // A weight may lie outside its own interval, which then says nothing about that side.
    let reach = |from: f64, to: f64| (to - from).max(0.0);
    let down = reach(b.low?, b.weight).hypot(reach(a.weight, a.high?));
    let up = reach(b.weight, b.high?).hypot(reach(a.low?, a.weight));
    Some((difference - down, difference + up))
}

/// The total variation below which 95 of 100 replicates stay from their mean.
fn noise(drawn: &[Vec<f64>]) -> f64 {
    let count = drawn.len() as f64;
    let k = drawn.first().map_or(0, Vec::len);
    let mean = |i: usize| drawn.iter().map(|of| of[i]).sum::<f64>() / count;
    let means: Vec<f64> = (0..k).map(mean).collect();
    let variation = |of: &Vec<f64>| {
        let apart = of.iter().zip(&means).map(|(x, mean)| (x - mean).abs());
        apart.sum::<f64>() / 2.0
    };
    let mut all: Vec<f64> = drawn.iter().map(variation).collect();
    all.sort_unstable_by(f64::total_cmp);
    super::replicates::quantile(&all, Replicates::LEVEL)
}

/// The rank of each value, from 1; equal values share the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let rank = |value: &f64| {
        let smaller = values.iter().filter(|other| *other < value).count();
        let equal = values
            .iter()
            .filter(|other| other.total_cmp(value).is_eq())
            .count();
        smaller as f64 + f64::midpoint(equal as f64, 1.0)
    };
    values.iter().map(rank).collect()
}

/// Pearson's correlation; `None` where one side is constant.
fn correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    let n = a.len() as f64;
    let (mean_a, mean_b) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (a - mean_a, b - mean_b);
        ab += a * b;
        aa += a * a;
        bb += b * b;
    }
    (aa > 0.0 && bb > 0.0).then(|| ab / (aa * bb).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy 1.17: `scipy.stats.spearmanr`.
    #[test]
    fn rank_correlation_is_spearmans() {
        let of = |a: &[f64], b: &[f64]| correlation(&ranks(a), &ranks(b));
        let a = [0.1, 0.4, 0.2, 0.3];
        assert_eq!(of(&a, &a), Some(1.0));
        assert_eq!(of(&a, &[0.4, 0.1, 0.3, 0.2]), Some(-1.0));
        let tied = of(&[0.2, 0.2, 0.5, 0.1], &[0.1, 0.3, 0.4, 0.2]).unwrap();
        assert!((tied - 0.632_455_532_033_675_8).abs() < 1e-12, "{tied}");
        assert_eq!(of(&[0.25; 4], &a), None);
    }
}
