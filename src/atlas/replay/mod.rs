//! A search over runs that are finished already: how many it would have needed to find a good one.
//!
//! A strategy starts from random rows of a table, and then chooses among the rows that it has not seen. All strategies of a
//! seed start from the same rows.

mod table;

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::Serialize;

use super::chance::Chance;
use super::search::{Rule, Run, SearchError, Searcher, SoFar};
use super::space::{Space, SpaceError};
use super::surrogate::SurrogateEntry;
use crate::config::{Benchmark, Combine, Goal};

pub use table::{Table, TableError};

/// Why a table cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// There is no such metric.
    #[error("there is no metric \"{name}\"; there are {}", known.join(", "))]
    NoMetric {
        /// As asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The table has fewer rows than a search starts from.
    #[error(
        "the table has {rows} runs, too few to start from {starts} and to choose among the rest"
    )]
    TooFew {
        /// Its rows.
        rows: usize,
        /// How many a search starts from.
        starts: usize,
    },
    /// The names of the shares cannot be a space.
    #[error(transparent)]
    Space(#[from] SpaceError),
    /// The search failed.
    #[error(transparent)]
    Search(#[from] SearchError),
}

/// How a row is chosen.
#[derive(Clone, Copy)]
pub struct Strategy {
    /// What learns; nothing for what is drawn at random.
    pub surrogate: Option<&'static SurrogateEntry>,
    /// What chooses.
    pub rule: Rule,
}

/// What is replayed.
#[derive(Clone, Debug)]
pub struct Replay {
    /// The metric.
    pub metric: String,
    /// Which way it is better.
    pub goal: Goal,
    /// Random rows to start from.
    pub starts: usize,
    /// Runs at most.
    pub runs: usize,
    /// How many searches are made, each from other rows.
    pub seeds: u64,
    /// How near the best run's value is near enough, as a part of it.
    pub within: f64,
}

/// How a strategy fared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Replayed {
    /// By seed: the rows of the table in the order in which they were seen, those to start from first.
    pub seen: Vec<Vec<usize>>,
    /// By seed: the runs until one was near enough; `None` where none was.
    pub needed: Vec<Option<usize>>,
    /// By number of runs, from 1: the best value so far against the best of all, in units of the metric, 0 being the best;
    /// the quartiles over seeds.
    pub regret: Vec<[f64; 3]>,
}

impl Replayed {
    /// The first quartile, the median and the third of the runs that were needed; `None` where too few searches got there.
    pub fn quartiles(&self) -> [Option<usize>; 3] {
        let mut needed: Vec<usize> = self
            .needed
            .iter()
            .map(|needed| needed.unwrap_or(usize::MAX))
            .collect();
        needed.sort_unstable();
        [0.25, 0.5, 0.75].map(|part| {
            let at = (part * (needed.len() as f64 - 1.0)).ceil() as usize;
            needed.get(at).copied().filter(|found| *found < usize::MAX)
        })
    }
}

impl Replay {
    /// Replays a strategy.
    ///
    /// # Errors
    /// When there is no such metric, there are too few runs, or nothing can be learnt of them.
    pub fn run(&self, table: &Table, strategy: Strategy) -> Result<Replayed, ReplayError> {
        let values = table.metric(&self.metric)?;
        if table.points.len() <= self.starts.max(1) {
            return Err(ReplayError::TooFew {
                rows: table.points.len(),
                starts: self.starts,
            });
        }
        let space = Space::plain(table.names.clone())?;
        let losses: Vec<f64> = values
            .iter()
            .map(|value| -self.goal.sign() * value)
            .collect();
        let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
        let seen = (0..self.seeds)
            .into_par_iter()
            .map(|seed| self.search(table, values, &space, strategy, seed))
            .collect::<Vec<_>>();
        let seen = seen.into_iter().collect::<Result<Vec<_>, _>>()?;
        let curve = |seen: &Vec<usize>| so_far(seen.iter().map(|&row| losses[row] - best));
        let curves: Vec<Vec<f64>> = seen.iter().map(curve).collect();
        let enough = self.within * best.abs();
        let needed = curves.iter().map(|curve| {
            let at = curve.iter().position(|regret| *regret <= enough);
            at.map(|at| at + 1)
        });
        Ok(Replayed {
            needed: needed.collect(),
            regret: quartiles(&curves),
            seen,
        })
    }

    /// The rows that a search sees, in their order.
    fn search(
        &self,
        table: &Table,
        values: &[f64],
        space: &Space,
        strategy: Strategy,
        seed: u64,
    ) -> Result<Vec<usize>, ReplayError> {
        let mut unseen: Vec<usize> = (0..table.points.len()).collect();
        Chance::of(seed, "replay", 0).shuffle(&mut unseen);
        let runs = self.runs.min(unseen.len());
        // Rows are in random order, so those that are drawn are simply the next.
        let Some(entry) = strategy.surrogate else {
            unseen.truncate(runs);
            return Ok(unseen);
        };
        let benchmarks = [Benchmark {
            name: self.metric.clone(),
            goal: self.goal,
            weight: 1.0,
        }];
        let searcher = Searcher {
            space,
            benchmarks: &benchmarks,
            combine: Combine::Weighted,
            fit: entry.fit,
            rule: strategy.rule,
            initial: self.starts,
            distance_penalty: 0.0,
            seed,
        };
        let mut seen: Vec<usize> = unseen.drain(..self.starts.max(1).min(runs)).collect();
        let mut so_far = SoFar::default();
        let run = |row: usize| Run {
            point: table.points[row].clone(),
            metrics: BTreeMap::from([(self.metric.clone(), values[row])]),
        };
        so_far.told.extend(seen.iter().map(|&row| run(row)));
        while seen.len() < runs {
            let next = match searcher.learn(&so_far) {
                Ok(objective) => {
                    let points: Vec<Vec<f64>> = unseen
                        .iter()
                        .map(|&row| table.points[row].clone())
                        .collect();
                    let worth = searcher.worth(&objective, &so_far.told, &points);
                    first_largest(&worth)
                }
                Err(error) if error.is_too_few() => 0,
                Err(error) => return Err(error.into()),
            };
            let row = unseen.remove(next);
            so_far.told.push(run(row));
            seen.push(row);
        }
        Ok(seen)
    }
}

fn first_largest(values: &[f64]) -> usize {
    let mut best = 0;
    for (i, value) in values.iter().enumerate() {
        if value.total_cmp(&values[best]).is_gt() {
            best = i;
        }
    }
    best
}

/// The least so far.
fn so_far(values: impl Iterator<Item = f64>) -> Vec<f64> {
    values
        .scan(f64::INFINITY, |least, value| {
            *least = least.min(value);
            Some(*least)
        })
        .collect()
}

fn quartiles(curves: &[Vec<f64>]) -> Vec<[f64; 3]> {
    let runs = curves.iter().map(Vec::len).min().unwrap_or(0);
    let at = |run: usize| {
        let mut values: Vec<f64> = curves.iter().map(|curve| curve[run]).collect();
        values.sort_by(f64::total_cmp);
        let last = values.len() as f64 - 1.0;
        [0.25, 0.5, 0.75].map(|part| values[(part * last).ceil() as usize])
    };
    (0..runs).map(at).collect()
}

#[cfg(test)]
mod tests;
