//! Weights held against other weights: today's, and what the draw of samples alone would give.

use crate::mix::{Influence, LayerWeights, Mixture, MixtureDomain};

/// The baseline of today's hand-tuned shares.
pub(super) const HUMAN: &str = "human";
/// The baseline of equal shares.
pub(super) const UNIFORM: &str = "uniform";

/// What two numbers that were computed in different order may differ by.
const ROUNDING: f64 = 1e-12;

/// Whether another weight of a domain is one that other samples might have given as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Noise {
    /// It lies in the interval of the domain's weight.
    Within,
    /// It lies outside.
    Beyond,
}

/// Holds a weight against the domain's interval, where it has one.
pub(super) fn noise(domain: &MixtureDomain, weight: f64) -> Option<Noise> {
    let (low, high) = interval(domain)?;
    let within = (low - ROUNDING..=high + ROUNDING).contains(&weight);
    Some(if within { Noise::Within } else { Noise::Beyond })
}

/// The interval of a domain's weight, where it has one.
pub(super) fn interval(domain: &MixtureDomain) -> Option<(f64, f64)> {
    domain.low.zip(domain.high)
}

/// The weights of a baseline in the order of the domains, where the mixture has it.
pub(super) fn baseline<'a>(mixture: &'a Mixture, name: &str) -> Option<&'a [f64]> {
    let weights = mixture.baselines.get(name)?;
    (weights.len() == mixture.domains.len()).then_some(weights)
}

/// What the intervals are called: `95 % interval`.
pub(super) fn interval_name(mixture: &Mixture) -> String {
    let level = mixture.uncertainty.as_ref().map(|found| found.level);
    match level.filter(|level| level.is_finite()) {
        // To a hundredth: 100 · 0.95 is not 95 in binary.
        Some(level) => format!("{} % interval", (level * 1e4).round() / 100.0),
        None => "interval".to_owned(),
    }
}

/// Other weights than the mixture's, and where they differ most.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shift<'a> {
    /// What was left out or changed.
    pub(super) name: &'a str,
    /// Whether it is what the mixture was made with.
    pub(super) in_use: bool,
    /// Where weights could be found.
    pub(super) largest: Option<Largest>,
}

/// The largest difference of weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Largest {
    /// The domain's index.
    pub(super) domain: usize,
    /// By how much its weight is more than in the mixture.
    pub(super) difference: f64,
    /// Whether that is noise, where the domain has an interval.
    pub(super) noise: Option<Noise>,
    /// How many domains leave their intervals.
    pub(super) beyond: usize,
}

/// The shifts when something is left out, the largest first and those without weights last. What has another number of
/// domains than the mixture is passed over.
pub(super) fn influences<'a>(mixture: &Mixture, influences: &'a [Influence]) -> Vec<Shift<'a>> {
    let other = |found: &'a Influence| (found.without.as_str(), found.weights.as_deref());
    sorted(mixture, influences.iter().map(other))
}

/// The shifts when another layer is taken.
pub(super) fn layers<'a>(mixture: &Mixture, layers: &'a [LayerWeights]) -> Vec<Shift<'a>> {
    let other = |found: &'a LayerWeights| (found.layer.as_str(), Some(found.weights.as_slice()));
    let mut shifts = sorted(mixture, layers.iter().map(other));
    for shift in &mut shifts {
        shift.in_use = mixture.settings.layer.as_deref() == Some(shift.name);
    }
    shifts
}

fn sorted<'a>(
    mixture: &Mixture,
    others: impl Iterator<Item = (&'a str, Option<&'a [f64]>)>,
) -> Vec<Shift<'a>> {
    let k = mixture.domains.len();
    let mut shifts: Vec<Shift> = others
        .filter(|(_, weights)| weights.is_none_or(|weights| weights.len() == k))
        .map(|(name, weights)| Shift {
            name,
            in_use: false,
            largest: weights.and_then(|weights| largest(mixture, weights)),
        })
        .collect();
    let size = |shift: &Shift| shift.largest.map_or(-1.0, |found| found.difference.abs());
    shifts.sort_by(|a, b| size(b).total_cmp(&size(a)));
    shifts
}

fn largest(mixture: &Mixture, weights: &[f64]) -> Option<Largest> {
    let pairs = || mixture.domains.iter().zip(weights).enumerate();
    let difference = |domain: &MixtureDomain, weight: f64| weight - domain.weight;
    // Of two that differ by rounding the first counts, on every machine; `max_by` keeps the last.
    let size = |domain, weight| (difference(domain, weight).abs() / ROUNDING).round();
    let (index, (domain, weight)) = pairs()
        .rev()
        .max_by(|(_, (a, x)), (_, (b, y))| size(a, **x).total_cmp(&size(b, **y)))?;
    let leaves = |(_, (domain, weight)): &(usize, (&MixtureDomain, &f64))| {
        noise(domain, **weight) == Some(Noise::Beyond)
    };
    Some(Largest {
        domain: index,
        difference: difference(domain, *weight),
        noise: noise(domain, *weight),
        beyond: pairs().filter(leaves).count(),
    })
}
