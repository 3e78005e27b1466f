//! One number for each finished run, without anything being learnt.

use super::{Outcome, SAME, Study, StudyError, Trial};
use crate::atlas::search::Unit;
use crate::atlas::space::distance;
use crate::config::{Benchmark, Combine};

impl Study {
    /// The score of each trial that was told, more being better: the weighted mean of the benchmarks in units of their
    /// spread over all runs, or the least of their differences to the run of today's mixture; `None` for all while there is no
    /// such run.
    ///
    /// # Errors
    /// When a trial lacks a benchmark.
    pub fn scores(&self, trials: &[Trial]) -> Result<Vec<Option<f64>>, StudyError> {
        let today = self.today(trials);
        let mut columns = Vec::new();
        for (benchmark, unit) in self.benchmarks.iter().zip(self.units(trials)) {
            let value = |trial: &Trial| -> Result<Option<f64>, StudyError> {
                let Some(outcome @ Outcome::Told(metrics)) = &trial.outcome else {
                    return Ok(None);
                };
                super::folder::check(trial.number, outcome, &self.benchmarks)?;
                Ok(metrics.get(&benchmark.name).copied())
            };
            let values = trials.iter().map(value).collect::<Result<Vec<_>, _>>()?;
            let sign = benchmark.goal.sign();
            let from = match self.search.combine {
                Combine::Weighted => Some(unit.center),
                Combine::Worst => today.and_then(|today| values[today]),
            };
            let turned = |value: Option<f64>| Some(sign * (value? - from?) / unit.spread);
            columns.push(values.into_iter().map(turned).collect::<Vec<_>>());
        }
        let total: f64 = self
            .benchmarks
            .iter()
            .map(|benchmark| benchmark.weight)
            .sum();
        let score = |row: usize| -> Option<f64> {
            let values: Vec<f64> = columns
                .iter()
                .map(|column| column[row])
                .collect::<Option<_>>()?;
            let weights = self.benchmarks.iter().map(|benchmark| benchmark.weight);
            match self.search.combine {
                _ if values.is_empty() => None,
                Combine::Weighted => {
                    Some(values.iter().zip(weights).map(|(v, w)| v * w / total).sum())
                }
                Combine::Worst => values.into_iter().reduce(f64::min),
            }
        };
        Ok((0..trials.len()).map(score).collect())
    }

    /// What each benchmark is measured from and in: the same for all spaces, so that what they gain can be added.
    pub(super) fn units(&self, trials: &[Trial]) -> Vec<Unit> {
        let metrics = || {
            let outcomes = trials.iter().map(|trial| &trial.outcome);
            outcomes.filter_map(|outcome| match outcome {
                Some(Outcome::Told(metrics)) => Some(metrics),
                _ => None,
            })
        };
        let unit = |benchmark: &Benchmark| {
            let values = metrics().filter_map(|metrics| metrics.get(&benchmark.name).copied());
            Unit::of(&values.collect::<Vec<_>>())
        };
        self.benchmarks.iter().map(unit).collect()
    }

    /// The first finished run of today's mixture.
    fn today(&self, trials: &[Trial]) -> Option<usize> {
        trials.iter().position(|trial| {
            let space = self.spaces.iter().find(|space| space.name() == trial.space);
            let same = space.is_some_and(|space| {
                let today = space.weights(space.today_point());
                distance(&today, &trial.weights) < SAME
            });
            same && matches!(trial.outcome, Some(Outcome::Told(_)))
        })
    }
}
