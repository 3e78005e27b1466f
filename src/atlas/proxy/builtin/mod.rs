//! The proxy that comes along: a small model on frozen vectors, trained in about a second.
//!
//! It sees a sample's image vector and the words of what the user says, and learns which words the assistant says: a
//! trunk that all tasks share, and a head for each task. Trained for a budget of samples drawn by a mixture's shares and
//! held against held-out samples of every cell, it shows what any model shows: cells compete for a budget, those of a
//! task or of like pictures help each other, and what is drawn too often is learnt by heart.
//!
//! It is a stand-in. Its losses say which cells are hard to guess, near each other or too small to be seen often *for
//! this model*; they know nothing of a language model's abilities, of reading, reasoning or of any benchmark. It
//! is there to try the whole loop on one machine; weights to train a real model by come from real proxy runs.

mod data;
mod model;
mod samples;
mod text;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

pub use data::{DataError, ProxyData, ProxySample};
use model::Stop;
pub use samples::samples;

use super::{Proxy, ProxyError};
use crate::atlas::{Grid, Trial};
use crate::config::{Benchmark, Goal};
use crate::store::publish;

/// The mean over all cells.
const LOSS: &str = "loss";

/// Trains the small model.
pub struct BuiltinProxy<'a> {
    grid: &'a Grid,
    data: ProxyData,
    budget: u64,
}

impl<'a> BuiltinProxy<'a> {
    /// Trains on `budget` samples of the data, which is that of the grid.
    pub fn new(grid: &'a Grid, data: ProxyData, budget: u64) -> Self {
        Self { grid, data, budget }
    }

    /// The mean over the cells that are chosen and have held-out samples.
    fn mean(&self, losses: &[Option<f64>], chosen: impl Fn(usize) -> bool) -> Option<f64> {
        let of_cells = (0..self.grid.cells.len()).filter(|&cell| chosen(cell));
        let found: Vec<f64> = of_cells.filter_map(|cell| losses[cell]).collect();
        (!found.is_empty()).then(|| found.iter().sum::<f64>() / found.len() as f64)
    }

    fn metrics(&self, losses: &[Option<f64>]) -> BTreeMap<String, f64> {
        let Grid {
            concepts,
            tasks,
            cells,
        } = self.grid;
        let tasks = tasks.iter().enumerate().map(|(task, name)| {
            let mean = self.mean(losses, |cell| cells[cell].task == task);
            (format!("{LOSS}/{name}"), mean)
        });
        let concepts = concepts.iter().enumerate().map(|(concept, name)| {
            let mean = self.mean(losses, |cell| cells[cell].concept == concept);
            (format!("{LOSS}/concept/{name}"), mean)
        });
        let all = (LOSS.to_owned(), self.mean(losses, |_| true));
        std::iter::once(all)
            .chain(concepts)
            .chain(tasks)
            .filter_map(|(name, mean)| Some((name, mean?)))
            .collect()
    }
}

/// What a search is for if nothing else is said: the held-out loss of each task that has cells.
pub fn benchmarks(grid: &Grid) -> Vec<Benchmark> {
    let has_cells = |task: usize| grid.cells.iter().any(|cell| cell.task == task);
    let tasks = grid.tasks.iter().enumerate();
    tasks
        .filter(|(task, _)| has_cells(*task))
        .map(|(_, name)| Benchmark {
            name: format!("{LOSS}/{name}"),
            goal: Goal::Min,
            weight: 1.0,
        })
        .collect()
}

impl Proxy for BuiltinProxy<'_> {
    fn run(
        &self,
        trial: &Trial,
        out: &Path,
        _device: Option<&str>,
        stop: &AtomicBool,
    ) -> Result<BTreeMap<String, f64>, ProxyError> {
        let losses = model::train(&self.data, &trial.weights, self.budget, trial.seed, stop);
        let losses = losses.map_err(|error| match error {
            Stop::Asked => ProxyError::Stopped,
            Stop::Nothing => ProxyError::Failed(
                "all of the mixture's weight is on cells that have no sample to train on".into(),
            ),
            Stop::Candle(error) => ProxyError::Unusable(format!("the proxy cannot train: {error}")),
        })?;
        let metrics = self.metrics(&losses);
        if let Some((name, value)) = metrics.iter().find(|(_, value)| !value.is_finite()) {
            return Err(ProxyError::Failed(format!("{name} is {value}")));
        }
        let text = serde_json::to_vec_pretty(&metrics)
            .map_err(|error| ProxyError::Unusable(error.to_string()))?;
        publish(&out.join("metrics.json"), &text)
            .map_err(|error| ProxyError::Unusable(error.to_string()))?;
        Ok(metrics)
    }
}
