//! What to try next: an initial design, and then what a surrogate and an acquisition say.
//!
//! Nothing here knows of files; a [`Searcher`] is a function of what was tried, and of a seed.

mod acquisition;
mod design;
mod maximise;
pub(crate) mod normal;
mod objective;
mod unit;

use std::collections::BTreeMap;

use thiserror::Error;

use super::Predicted;
use super::chance::Chance;
use super::space::{Space, distance};
use super::surrogate::{Fit, SurrogateError};
use crate::config::{Benchmark, Combine};
use acquisition::Scorer;

pub use acquisition::{ACQUISITIONS, AcquisitionEntry, Rule, beta, rule};
pub use objective::{Belief, Objective, Run, Standing};
pub use unit::Unit;

/// What chose a point of the design.
pub const DESIGN: &str = "design";
/// Mixtures nearer (total variation) to one that failed are taken for it.
const FAILED: f64 = 0.02;
/// Mixtures nearer to one that was tried, or is being tried, are not tried again.
const TRIED: f64 = 0.005;
/// How many of the best runs are looked around.
const STARTS: usize = 8;
/// How often a draw that is not allowed is drawn again.
const DRAWS: usize = 1000;

/// Why there is nothing to propose.
#[derive(Debug, Error)]
pub enum SearchError {
    /// There is nothing to search for.
    #[error("there is no [[atlas.benchmark]] that says which metrics count")]
    NoBenchmark,
    /// A run lacks a benchmark.
    #[error("finished run {run} (from 0) has no metric \"{benchmark}\"")]
    NoMetric {
        /// Which of the runs.
        run: usize,
        /// What it lacks.
        benchmark: String,
    },
    /// Nothing can be learnt of a benchmark.
    #[error("benchmark \"{benchmark}\"")]
    Surrogate {
        /// Which.
        benchmark: String,
        /// Why.
        source: SurrogateError,
    },
    /// All mixtures are used up.
    #[error(
        "every mixture that the bounds allow was tried or failed: widen the [[atlas.search.bound]]s"
    )]
    Exhausted,
}

impl SearchError {
    /// Whether more runs would help.
    pub fn is_too_few(&self) -> bool {
        matches!(
            self,
            Self::Surrogate {
                source: SurrogateError::TooFew { .. },
                ..
            }
        )
    }
}

/// How a space is searched.
pub struct Searcher<'a> {
    /// What is searched.
    pub space: &'a Space,
    /// What it is searched for.
    pub benchmarks: &'a [Benchmark],
    /// How they come to one number.
    pub combine: Combine,
    /// What learns.
    pub fit: &'a dyn Fit,
    /// What chooses.
    pub rule: Rule,
    /// Points of the initial design.
    pub initial: usize,
    /// What a distance of 1 from today's mixture costs, in deviations of the objective.
    pub distance_penalty: f64,
    /// Seeds it all.
    pub seed: u64,
}

/// What was tried so far.
#[derive(Clone, Debug, Default)]
pub struct SoFar {
    /// Finished runs.
    pub told: Vec<Run>,
    /// Points that are being tried.
    pub pending: Vec<Vec<f64>>,
    /// Points whose runs failed.
    pub failed: Vec<Vec<f64>>,
    /// What each benchmark is measured from and in, where that is not for these runs alone to say: what spaces that are
    /// searched one after the other gain can only be added in the same units.
    pub units: Vec<Unit>,
}

impl SoFar {
    fn count(&self) -> usize {
        self.told.len() + self.pending.len() + self.failed.len()
    }
}

/// A point to try.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// The point.
    pub point: Vec<f64>,
    /// What chose it: [`DESIGN`] or the name of an acquisition.
    pub by: String,
    /// What is expected of a run of it, by benchmark; nothing where nothing was learnt.
    pub predicted: BTreeMap<String, Predicted>,
}

impl Searcher<'_> {
    /// Learns from finished runs.
    ///
    /// # Errors
    /// As [`Objective::fit`].
    pub fn learn(&self, so_far: &SoFar) -> Result<Objective, SearchError> {
        Objective::fit(
            self.space,
            &so_far.told,
            (self.benchmarks, &so_far.units),
            self.combine,
            self.fit,
            self.seed,
        )
    }

    /// The next `n` points. While there are too few runs to learn from, the design goes on.
    ///
    /// # Errors
    /// When nothing can be learnt for another reason than too few runs, or no mixture is left.
    pub fn propose(&self, so_far: &SoFar, n: usize) -> Result<Vec<Proposal>, SearchError> {
        let mut so_far = so_far.clone();
        let mut proposals = Vec::with_capacity(n);
        let mut learnt: Option<Objective> = None;
        let may_learn = self.rule.learns() && !so_far.told.is_empty();
        for _ in 0..n {
            let in_design = so_far.told.len() + so_far.pending.len() < self.initial;
            if !in_design && may_learn && learnt.is_none() {
                learnt = self.learn_with_pending(&so_far)?;
            }
            let proposal = match &learnt {
                Some(objective) if !in_design => self.chosen(objective, &so_far)?,
                _ => self.drawn(in_design || self.rule.learns(), &so_far)?,
            };
            if let Some(objective) = &mut learnt {
                *objective = objective.believing(std::slice::from_ref(&proposal.point))?;
            }
            so_far.pending.push(proposal.point.clone());
            proposals.push(proposal);
        }
        Ok(proposals)
    }

    fn learn_with_pending(&self, so_far: &SoFar) -> Result<Option<Objective>, SearchError> {
        match self.learn(so_far) {
            Ok(objective) if so_far.pending.is_empty() => Ok(Some(objective)),
            Ok(objective) => Ok(Some(objective.believing(&so_far.pending)?)),
            Err(error) if error.is_too_few() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What a rule that learns chooses.
    fn chosen(&self, objective: &Objective, so_far: &SoFar) -> Result<Proposal, SearchError> {
        let mut tried: Vec<Vec<f64>> = so_far.told.iter().map(|run| run.point.clone()).collect();
        tried.extend(so_far.pending.iter().cloned());
        let point = self
            .maximum(objective, self.rule, &tried, so_far)
            .ok_or(SearchError::Exhausted)?;
        Ok(Proposal {
            by: self.name().to_owned(),
            predicted: objective.predicted(&point),
            point,
        })
    }

    /// The point that is best by a rule. What was tried may be it only for [`Rule::Mean`].
    fn maximum(
        &self,
        objective: &Objective,
        rule: Rule,
        tried: &[Vec<f64>],
        so_far: &SoFar,
    ) -> Option<Vec<f64>> {
        let scorer = Scorer::new(self.space, objective, rule, tried, self.distance_penalty);
        let means = Scorer::new(
            self.space,
            objective,
            Rule::Mean,
            tried,
            self.distance_penalty,
        );
        let worth = means.score(tried);
        let mut order: Vec<usize> = (0..tried.len()).collect();
        order.sort_by(|&a, &b| worth[b].total_cmp(&worth[a]));
        let starts: Vec<Vec<f64>> = order
            .into_iter()
            .take(STARTS)
            .map(|i| {
                // A run that was made elsewhere, or before bounds were changed, need not keep them.
                let mut start = tried[i].clone();
                self.space.admit(&mut start);
                start
            })
            .collect();
        let apart = self.apart(so_far);
        let not_failed = self.not_failed(so_far);
        let number = so_far.count() as u64;
        let mut chance = Chance::of(self.seed, "candidates", number);
        let mut search = |allowed: &dyn Fn(&[f64]) -> bool| {
            let score = |points: &[Vec<f64>]| scorer.score(points);
            maximise::maximise(self.space, &starts, &score, allowed, &mut chance)
        };
        if rule == Rule::Mean {
            return search(&not_failed);
        }
        // Where bounds leave hardly any room, something is tried twice.
        search(&apart).or_else(|| search(&not_failed))
    }

    /// What does not look at what was learnt.
    fn drawn(&self, in_design: bool, so_far: &SoFar) -> Result<Proposal, SearchError> {
        let told = so_far.told.iter().map(|run| &run.point);
        let taken = told.chain(&so_far.pending).chain(&so_far.failed);
        let taken: Vec<Vec<f64>> = taken.cloned().collect();
        let apart = self.apart(so_far);
        let by = if in_design { DESIGN } else { self.name() };
        let proposal = |point: Vec<f64>| Proposal {
            point,
            by: by.to_owned(),
            predicted: BTreeMap::new(),
        };
        if in_design && let Some(point) = design::next(self.space, &taken, &apart, self.seed) {
            return Ok(proposal(point));
        }
        let not_failed = self.not_failed(so_far);
        let mut chance = Chance::of(self.seed, "draws", taken.len() as u64);
        let mut near = Vec::new();
        for attempt in 0..DRAWS {
            let point = if self.rule == Rule::Uniform && !in_design {
                design::uniform(self.space, &mut chance)
            } else {
                design::around_size(self.space, taken.len() + attempt, &mut chance)
            };
            if apart(&point) {
                return Ok(proposal(point));
            }
            if not_failed(&point) {
                near.push(point);
            }
        }
        // Where bounds leave hardly any room, something is tried almost twice.
        let point = design::furthest(near, &taken).ok_or(SearchError::Exhausted)?;
        Ok(proposal(point))
    }

    /// The point of the largest mean, tried or not, less what its distance costs.
    ///
    /// # Errors
    /// When every mixture failed.
    pub fn best(&self, objective: &Objective, so_far: &SoFar) -> Result<Vec<f64>, SearchError> {
        let told: Vec<Vec<f64>> = so_far.told.iter().map(|run| run.point.clone()).collect();
        self.maximum(objective, Rule::Mean, &told, so_far)
            .ok_or(SearchError::Exhausted)
    }

    /// The worth of some points by the rule, for a search among what is given.
    pub fn worth(&self, objective: &Objective, told: &[Run], points: &[Vec<f64>]) -> Vec<f64> {
        let tried: Vec<Vec<f64>> = told.iter().map(|run| run.point.clone()).collect();
        Scorer::new(
            self.space,
            objective,
            self.rule,
            &tried,
            self.distance_penalty,
        )
        .score(points)
    }

    fn weights(&self, points: &[Vec<f64>]) -> Vec<Vec<f64>> {
        points
            .iter()
            .map(|point| self.space.weights(point))
            .collect()
    }

    /// Whether a point is neither one that failed nor one that was, or is being, tried.
    fn apart(&self, so_far: &SoFar) -> impl Fn(&[f64]) -> bool {
        let failed = self.weights(&so_far.failed);
        let mut tried = self.weights(&so_far.pending);
        tried.extend(so_far.told.iter().map(|run| self.space.weights(&run.point)));
        move |point| {
            let weights = self.space.weights(point);
            let far = |others: &[Vec<f64>], least| {
                others.iter().all(|other| distance(&weights, other) > least)
            };
            far(&failed, FAILED) && far(&tried, TRIED)
        }
    }

    /// Whether a point is none that failed.
    fn not_failed(&self, so_far: &SoFar) -> impl Fn(&[f64]) -> bool {
        let failed = self.weights(&so_far.failed);
        move |point| {
            let weights = self.space.weights(point);
            let mut failed = failed.iter();
            failed.all(|other| distance(&weights, other) > FAILED)
        }
    }

    fn name(&self) -> &'static str {
        let entry = ACQUISITIONS.iter().find(|entry| entry.rule == self.rule);
        entry.map_or("mean", |entry| entry.name)
    }
}

#[cfg(test)]
mod tests;
