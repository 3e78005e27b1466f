//! The answer of a search: a mixture, what is known of it, and what it costs.

use std::path::PathBuf;

use serde::Serialize;

use super::{Learnt, Outcome, SAME, Study, StudyError, Trial};
use crate::atlas::analysis::{BestMixture, Estimate};
use crate::atlas::search::{Belief, Standing};
use crate::atlas::space::{Space, distance};
use crate::config::{Benchmark, Combine};
use crate::store::publish;

/// Where the answer lies in a run's folder.
const FOLDER: &str = "atlas/best";

/// The mixture that is thought best: of the largest posterior mean, tried or not, less what its distance from today's
/// costs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Best {
    /// The mixture, and how it compares with today's.
    #[serde(flatten)]
    pub mixture: BestMixture,
    /// The point of each space that it is made of.
    #[serde(skip)]
    pub points: Vec<Vec<f64>>,
    /// What each benchmark pays or gains.
    pub benchmarks: Vec<Pays>,
    /// How far it is from today's mixture (total variation).
    pub distance: f64,
    /// How far today's mixture is from the nearest that the search could say, with which the best is compared: 0 where it
    /// can say it.
    pub today_off: f64,
    /// Whether gains of concepts and of tasks, each found with the other held uniform, are taken to add up: no trial has
    /// tested that.
    pub added_up: bool,
    /// Finished runs that it rests on.
    pub told: usize,
    /// Runs that are not finished.
    pub pending: usize,
    /// Runs that failed.
    pub failed: usize,
}

/// One benchmark at the best mixture. Runs' noise is left out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pays {
    /// Which one.
    pub benchmark: Benchmark,
    /// Its value at the best mixture.
    pub best: Estimate,
    /// Its value at today's mixture, or at the nearest that the search could say; of spaces that are searched one after the
    /// other, the last one's.
    pub today: Estimate,
    /// The first less the second, of their joint distribution.
    pub difference: Estimate,
    /// By what its intervals are widened, as those that were said before the runs held too few of them; 1 where they are not.
    pub widened: f64,
    /// The chance that the difference is for the better.
    pub better: f64,
}

/// The best of one space.
struct Stage<'a> {
    learnt: &'a Learnt<'a>,
    point: Vec<f64>,
    standings: Vec<Standing>,
}

impl Study {
    /// The mixture that is thought best.
    ///
    /// # Errors
    /// When there are too few finished runs, or nothing can be learnt of them.
    pub fn best(&self) -> Result<Best, StudyError> {
        self.best_of(&self.learnt()?)
    }

    /// The mixture that is thought best after what was [learnt](Self::learnt).
    ///
    /// # Errors
    /// When every mixture failed, or the folder cannot be read.
    pub fn best_of(&self, learnt: &[Learnt<'_>]) -> Result<Best, StudyError> {
        let trials = self.trials()?;
        let mut stages = Vec::new();
        for (stage, learnt) in learnt.iter().enumerate() {
            let searcher = self.searcher(stage)?;
            let point = searcher.best(&learnt.objective, &learnt.so_far)?;
            let standings = learnt.objective.standings(&point);
            stages.push(Stage {
                learnt,
                point,
                standings,
            });
        }
        let weights = self.combined(&stages)?;
        Ok(self.described(&trials, &stages, &weights))
    }

    /// The mixture of all spaces' best points: the very one, or the product of concepts and tasks.
    fn combined(&self, stages: &[Stage<'_>]) -> Result<Vec<f64>, StudyError> {
        if let [Stage { learnt, point, .. }] = stages {
            return Ok(learnt.space.weights(point));
        }
        let product = Space::product(&self.grid, &self.search)?;
        let mut point: Vec<f64> = stages
            .iter()
            .flat_map(|stage| stage.point.clone())
            .collect();
        product.admit(&mut point);
        Ok(product.weights(&point))
    }

    fn described(&self, trials: &[Trial], stages: &[Stage<'_>], weights: &[f64]) -> Best {
        let last = &stages[stages.len() - 1];
        let differences: Vec<Belief> = (0..self.benchmarks.len())
            .map(|i| total(stages.iter().map(|stage| stage.standings[i].difference)))
            .collect();
        let objective = &last.learnt.objective;
        let better = objective.better(&differences);
        // What the last space says, and what the ones before it added.
        let before = &stages[..stages.len() - 1];
        let value = |i: usize| {
            let gains = before.iter().map(|stage| stage.standings[i].difference);
            total(gains.chain([last.standings[i].value]))
        };
        let factors = self.factors(trials);
        let pays = |(i, benchmark): (usize, &Benchmark)| Pays {
            benchmark: benchmark.clone(),
            widened: factors[i],
            best: estimate(value(i)),
            today: estimate(last.standings[i].today),
            difference: estimate(differences[i]),
            better: better[i],
        };
        let gain = objective.gain(&differences);
        let gains = |stage: &Stage<'_>| {
            let differences: Vec<Belief> = stage.standings.iter().map(|s| s.difference).collect();
            stage.learnt.objective.gain(&differences)
        };
        let score = match self.search.combine {
            Combine::Weighted => total(before.iter().map(gains).chain(last.score())),
            // It is the least of the gains; least gains of several spaces do not add up to it.
            Combine::Worst => gain,
        };
        let today = last.learnt.space.today();
        let nearest = |stage: &Stage<'_>| {
            let space = stage.learnt.space;
            distance(&space.weights(space.today_point()), space.today())
        };
        let count = |of: &dyn Fn(&Learnt<'_>) -> usize| stages.iter().map(|s| of(s.learnt)).sum();
        Best {
            mixture: BestMixture {
                trial: tried(trials, weights),
                score: estimate(score),
                gain: estimate(gain),
                beats_today: objective.chance(&differences),
                weights: weights.to_vec(),
            },
            points: stages.iter().map(|stage| stage.point.clone()).collect(),
            benchmarks: self.benchmarks.iter().enumerate().map(pays).collect(),
            distance: distance(weights, today),
            today_off: stages.iter().map(nearest).fold(0.0, f64::max),
            added_up: stages.len() > 1,
            told: count(&|learnt| learnt.so_far.told.len()),
            pending: count(&|learnt| learnt.so_far.pending.len()),
            failed: count(&|learnt| learnt.so_far.failed.len()),
        }
    }

    /// Writes the answer as `mixture.json`, with the config that `madmix export` reads beside it, and says where.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write_best(&self, best: &Best) -> Result<PathBuf, StudyError> {
        let folder = self.cells.output.join(FOLDER);
        // The config first, as a mixture without it cannot be exported.
        publish(&folder.join("config.toml"), self.cells.to_toml().as_bytes())?;
        self.mixture(&best.mixture.weights)?
            .write(&folder.join(super::MIXTURE))?;
        Ok(folder)
    }
}

impl Stage<'_> {
    fn score(&self) -> Option<Belief> {
        self.learnt
            .objective
            .beliefs(std::slice::from_ref(&self.point))
            .pop()
    }
}

/// The first finished trial of a mixture.
fn tried(trials: &[Trial], weights: &[f64]) -> Option<u32> {
    let told = |trial: &&Trial| matches!(trial.outcome, Some(Outcome::Told(_)));
    let mut told = trials.iter().filter(told);
    let found = told.find(|trial| distance(&trial.weights, weights) < SAME);
    found.map(|trial| trial.number)
}

/// The sum of independent beliefs.
fn total(beliefs: impl Iterator<Item = Belief>) -> Belief {
    let (mut mean, mut variance) = (0.0, 0.0);
    for belief in beliefs {
        mean += belief.mean;
        variance += belief.deviation.powi(2);
    }
    let deviation = variance.sqrt();
    Belief { mean, deviation }
}

fn estimate(Belief { mean, deviation }: Belief) -> Estimate {
    Estimate { mean, deviation }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_finished_trial_has_tried_a_mixture() {
        let trial = |number, outcome| Trial {
            number,
            space: "joint".into(),
            point: vec![0.4, 0.6],
            weights: vec![0.4, 0.6],
            seed: 1,
            by: "ucb".into(),
            predicted: std::collections::BTreeMap::new(),
            outcome,
        };
        let told = Outcome::Told([("loss".to_owned(), 1.0)].into());
        let trials = [
            trial(1, None),
            trial(2, Some(Outcome::Failed("out of memory".into()))),
            trial(3, Some(told)),
        ];
        assert_eq!(tried(&trials[..2], &[0.4, 0.6]), None);
        assert_eq!(tried(&trials, &[0.4, 0.6]), Some(3));
        assert_eq!(tried(&trials, &[0.5, 0.5]), None);
    }
}
