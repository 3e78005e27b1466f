//! What a study found out, for its report.

use super::{Best, Learnt, Outcome, Study, StudyError, Trial};
use crate::atlas::Predicted;
use crate::atlas::analysis::{
    Analysis, BenchmarkFit, Estimate, Fitted, Level, effects, interactions,
};
use crate::atlas::search::SoFar;
use crate::atlas::space::{Axis, Space};

/// Parts into which runs are cut to predict each from the others.
const FOLDS: usize = 10;
/// Interactions that are kept.
const INTERACTIONS: usize = 30;

impl Study {
    /// What was found out, with the best mixture that [`best_of`](Self::best_of) gave for the same that was learnt.
    ///
    /// # Errors
    /// As [`best`](Self::best).
    pub fn analysis(&self, learnt: &[Learnt<'_>], best: &Best) -> Result<Analysis, StudyError> {
        let trials = self.trials()?;
        let mut analysis = Analysis {
            grid: self.grid.clone(),
            scores: self.scores(&trials)?,
            best: best.mixture.clone(),
            benchmarks: self.fits(&trials, learnt, best)?,
            effects: Vec::new(),
            interactions: Vec::new(),
            trials,
        };
        for (learnt, point) in learnt.iter().zip(&best.points) {
            let levels = levels(learnt.space, &self.grid);
            let posterior = |points: &[Vec<f64>]| learnt.objective.posterior(points);
            let shares = |point: &[f64]| learnt.space.shares(point);
            let found = effects(point, &levels, &shares, &posterior);
            analysis.effects.extend(found);
            let pairs = interactions(point, &levels, INTERACTIONS, &posterior);
            analysis.interactions.extend(pairs);
        }
        Ok(analysis)
    }

    fn fits(
        &self,
        trials: &[Trial],
        learnt: &[Learnt<'_>],
        best: &Best,
    ) -> Result<Vec<BenchmarkFit>, StudyError> {
        let mut of_others = Vec::new();
        for (stage, learnt) in learnt.iter().enumerate() {
            of_others.extend(self.said_by_others(stage, learnt, trials)?);
        }
        let mut fits = Vec::new();
        for (i, pays) in best.benchmarks.iter().enumerate() {
            let name = &pays.benchmark.name;
            let surrogates = learnt
                .iter()
                .filter_map(|learnt| learnt.objective.surrogates().nth(i));
            let noises: Vec<f64> = surrogates
                .map(|surrogate| surrogate.noise().max(0.0))
                .collect();
            let run = |trial: &Trial| {
                let Some(Outcome::Told(metrics)) = &trial.outcome else {
                    return None;
                };
                let ahead = trial.predicted.get(name);
                let others = of_others.iter().find(|(number, _)| *number == trial.number);
                let expected = ahead.or_else(|| others?.1.get(name))?;
                Some(Fitted {
                    trial: trial.number,
                    observed: *metrics.get(name)?,
                    expected: Estimate {
                        mean: expected.mean,
                        deviation: expected.deviation,
                    },
                    ahead: ahead.is_some(),
                })
            };
            fits.push(BenchmarkFit {
                benchmark: pays.benchmark.clone(),
                noise: (noises.iter().sum::<f64>() / noises.len().max(1) as f64).sqrt(),
                pays: pays.difference,
                widened: pays.widened,
                runs: trials.iter().filter_map(run).collect(),
            });
        }
        Ok(fits)
    }

    /// What the other runs say of each run of a space of which nothing was said before: a tenth of these is predicted from
    /// all others at a time.
    fn said_by_others(
        &self,
        stage: usize,
        learnt: &Learnt<'_>,
        trials: &[Trial],
    ) -> Result<Vec<Said>, StudyError> {
        let searcher = self.searcher(stage)?;
        let is_said = |number: u32| {
            let trial = trials.iter().find(|trial| trial.number == number);
            trial.is_some_and(|trial| {
                let mut benchmarks = self.benchmarks.iter();
                benchmarks.all(|benchmark| trial.predicted.contains_key(&benchmark.name))
            })
        };
        let open: Vec<usize> = (0..learnt.runs.len())
            .filter(|&i| !is_said(learnt.numbers[i]))
            .collect();
        let mut said = Vec::new();
        for fold in 0..FOLDS.min(open.len()) {
            let left_out: Vec<usize> = open.iter().copied().skip(fold).step_by(FOLDS).collect();
            let others = (0..learnt.runs.len()).filter(|i| !left_out.contains(i));
            let others = SoFar {
                told: others.map(|i| learnt.runs[i].clone()).collect(),
                units: learnt.so_far.units.clone(),
                ..SoFar::default()
            };
            let objective = match searcher.learn(&others) {
                Ok(objective) => objective,
                Err(error) if error.is_too_few() => return Ok(Vec::new()),
                Err(error) => return Err(error.into()),
            };
            said.extend(left_out.into_iter().map(|i| {
                let predicted = objective.predicted(&learnt.runs[i].point);
                (learnt.numbers[i], predicted)
            }));
        }
        Ok(said)
    }
}

/// What was said of a trial, by its number.
type Said = (u32, std::collections::BTreeMap<String, Predicted>);

/// The concepts and tasks that a point of a space has shares of; a share of a cell is one of both.
fn levels(space: &Space, grid: &crate::atlas::Grid) -> Vec<Level> {
    let mut levels = Vec::new();
    let mut start = 0;
    for simplex in space.simplexes() {
        let end = start + simplex.len();
        let mut add = |axis, name: &str, coordinates: Vec<usize>| {
            levels.push(Level {
                axis,
                name: name.to_owned(),
                simplex: (start, end),
                coordinates,
            });
        };
        let own = |axis, add: &mut dyn FnMut(Axis, &str, Vec<usize>)| {
            for (i, name) in simplex.levels.iter().enumerate() {
                add(axis, name, vec![start + i]);
            }
        };
        match simplex.axis {
            Axis::Concept => own(Axis::Concept, &mut add),
            Axis::Task => own(Axis::Task, &mut add),
            Axis::Cell => {
                let of = |is: &dyn Fn(&crate::atlas::Cell) -> bool| {
                    let cells = grid.cells.iter().enumerate();
                    let found = cells.filter(|(_, cell)| is(cell));
                    found.map(|(i, _)| start + i).collect::<Vec<_>>()
                };
                for (i, name) in grid.concepts.iter().enumerate() {
                    add(Axis::Concept, name, of(&|cell| cell.concept == i));
                }
                for (i, name) in grid.tasks.iter().enumerate() {
                    add(Axis::Task, name, of(&|cell| cell.task == i));
                }
            }
        }
        start = end;
    }
    levels.retain(|level| !level.coordinates.is_empty());
    levels
}
