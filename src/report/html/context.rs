//! What every section looks at.

use crate::mix::{Analysis, Mixture, MixtureDomain};
use crate::report::compare::{HUMAN, UNIFORM, baseline, interval, interval_name};

/// Domains in a figure; more would not be told apart.
pub(super) const FIGURE: usize = 40;

/// A mixture, and what the sections find in it.
pub(super) struct Context<'a> {
    pub(super) mixture: &'a Mixture,
    pub(super) analysis: Option<&'a Analysis>,
    /// Today's shares, where every domain has one.
    pub(super) human: Option<&'a [f64]>,
    /// Equal shares.
    pub(super) uniform: Option<&'a [f64]>,
    /// Whether a domain has an interval.
    pub(super) intervals: bool,
    /// What intervals are called.
    pub(super) interval_name: String,
    /// The domains that figures show, in the order of the config.
    pub(super) shown: Vec<usize>,
}

impl<'a> Context<'a> {
    pub(super) fn new(mixture: &'a Mixture, analysis: Option<&'a Analysis>) -> Self {
        let mut shown = heaviest(mixture);
        shown.truncate(FIGURE);
        shown.sort_unstable();
        Self {
            mixture,
            analysis,
            human: baseline(mixture, HUMAN),
            uniform: baseline(mixture, UNIFORM),
            intervals: mixture
                .domains
                .iter()
                .any(|domain| interval(domain).is_some()),
            // A line does not break before the sign.
            interval_name: interval_name(mixture).replace(" %", "\u{a0}%"),
            shown,
        }
    }

    /// How many domains there are.
    pub(super) fn k(&self) -> usize {
        self.mixture.domains.len()
    }

    /// The domains that figures show, with their indices.
    pub(super) fn drawn(&self) -> impl Iterator<Item = (usize, &'a MixtureDomain)> {
        self.shown.iter().map(|&i| (i, &self.mixture.domains[i]))
    }

    /// The sentence that says which domains figures show, where they do not show all.
    pub(super) fn of_all(&self) -> Option<String> {
        (self.shown.len() < self.k()).then(|| {
            format!(
                "The figure shows the {FIGURE} domains with the largest weights of {}, in the order of the config.",
                super::number::count(self.k() as u64)
            )
        })
    }
}

/// All domains, the largest weight first.
pub(super) fn heaviest(mixture: &Mixture) -> Vec<usize> {
    let weight = |&i: &usize| mixture.domains[i].weight;
    let mut order: Vec<usize> = (0..mixture.domains.len()).collect();
    order.sort_by(|a, b| weight(b).total_cmp(&weight(a)));
    order
}
