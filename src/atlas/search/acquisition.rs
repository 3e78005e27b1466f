//! What makes a point worth trying.

use super::normal::expected_gain;
use super::objective::{Belief, Objective};
use crate::atlas::space::Space;

/// The chance δ with which UCB's bound may fail.
const DELTA: f64 = 0.1;
/// By what the schedule is divided, as the theory's β is far too careful in practice (Srinivas et al. 2010, section 6).
const SCALED_DOWN: f64 = 5.0;

/// A rule and what it is called.
pub struct AcquisitionEntry {
    /// The name in a config.
    pub name: &'static str,
    /// What it is, in a line.
    pub summary: &'static str,
    /// The rule.
    pub rule: Rule,
}

/// How the next point is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The largest mean plus √β deviations.
    Ucb,
    /// The largest expected gain over the best mean among the runs.
    Ei,
    /// The largest mean: what `best` says.
    Mean,
    /// Drawn around the shares by size, with several strengths, as the initial design is.
    Random,
    /// Drawn evenly from all mixtures.
    Uniform,
}

impl Rule {
    /// Whether it looks at what was learnt.
    pub fn learns(self) -> bool {
        matches!(self, Self::Ucb | Self::Ei | Self::Mean)
    }
}

/// Every acquisition, one line each.
pub const ACQUISITIONS: &[AcquisitionEntry] = &[
    AcquisitionEntry {
        name: "ucb",
        summary: "GP-UCB: mean + √β_t deviations",
        rule: Rule::Ucb,
    },
    AcquisitionEntry {
        name: "ei",
        summary: "expected improvement over the best posterior mean",
        rule: Rule::Ei,
    },
    AcquisitionEntry {
        name: "random",
        summary: "Dirichlet around the shares by size",
        rule: Rule::Random,
    },
    AcquisitionEntry {
        name: "uniform",
        summary: "evenly from all mixtures",
        rule: Rule::Uniform,
    },
];

/// The rule of a name.
pub fn rule(name: &str) -> Option<Rule> {
    let entry = ACQUISITIONS.iter().find(|entry| entry.name == name);
    entry.map(|entry| entry.rule)
}

/// β of the run `t` (from 1) for `freedom` free shares: 2 log(D t² π² / 6δ) / 5, the schedule of Srinivas et al. (2010,
/// theorem 1) for a finite set. A simplex is no finite set; D is the number of free shares, which is our choice, and 5 is
/// theirs.
pub fn beta(freedom: usize, t: usize) -> f64 {
    let (d, t) = (freedom.max(1) as f64, t.max(1) as f64);
    let squared = std::f64::consts::PI.powi(2);
    2.0 * (d * t * t * squared / (6.0 * DELTA)).ln() / SCALED_DOWN
}

/// Gives points their worth.
pub(super) struct Scorer<'a> {
    space: &'a Space,
    objective: &'a Objective,
    rule: Rule,
    beta: f64,
    /// The best mean among the runs, for [`Rule::Ei`].
    incumbent: f64,
    /// What a distance of 1 from today's mixture costs, in units of the objective.
    penalty: f64,
}

impl<'a> Scorer<'a> {
    /// `tried` are the points of the runs, and `penalty` is in deviations of the objective over them.
    pub(super) fn new(
        space: &'a Space,
        objective: &'a Objective,
        rule: Rule,
        tried: &[Vec<f64>],
        penalty: f64,
    ) -> Self {
        let mut scorer = Self {
            space,
            objective,
            rule,
            beta: beta(space.freedom(), tried.len() + 1),
            incumbent: f64::NEG_INFINITY,
            penalty: penalty * objective.spread(),
        };
        if rule == Rule::Ei {
            let beliefs = objective.beliefs(tried);
            let means = beliefs.iter().zip(tried);
            let means = means.map(|(belief, point)| belief.mean - scorer.cost(point));
            scorer.incumbent = means.fold(f64::NEG_INFINITY, f64::max);
        }
        scorer
    }

    fn cost(&self, point: &[f64]) -> f64 {
        if self.penalty == 0.0 {
            return 0.0;
        }
        let weights = self.space.weights(point);
        self.penalty * crate::atlas::space::distance(&weights, self.space.today())
    }

    /// What each point is worth.
    pub(super) fn score(&self, points: &[Vec<f64>]) -> Vec<f64> {
        let beliefs = self.objective.beliefs(points);
        let pairs = points.iter().zip(beliefs);
        pairs
            .map(|(point, Belief { mean, deviation })| {
                let mean = mean - self.cost(point);
                match self.rule {
                    Rule::Ucb => mean + self.beta.sqrt() * deviation,
                    Rule::Ei => expected_gain(mean - self.incumbent, deviation),
                    Rule::Mean | Rule::Random | Rule::Uniform => mean,
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_a_config_may_have() {
        let names: Vec<&str> = ACQUISITIONS.iter().map(|entry| entry.name).collect();
        assert_eq!(names, crate::config::ACQUISITIONS);
        assert_eq!(rule("ei"), Some(Rule::Ei));
        assert_eq!(rule("best"), None);
    }

    #[test]
    fn the_schedule_is_that_of_srinivas() {
        // 2 ln(16 × 100 × π² / 0.6) / 5.
        assert!(
            (beta(16, 10) - 4.071_217_721_5).abs() < 1e-9,
            "{}",
            beta(16, 10)
        );
        assert!(beta(16, 11) > beta(16, 10) && beta(0, 1) > 0.0);
    }
}
