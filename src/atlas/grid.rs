//! The corpus as a table of concept × task.

use serde::{Deserialize, Serialize};

/// What labelling found: the cells of a corpus, small ones joined to others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Grid {
    /// The concepts, by their names.
    pub concepts: Vec<String>,
    /// The tasks, by their names.
    pub tasks: Vec<String>,
    /// The cells that have samples, by concept and then by task.
    pub cells: Vec<Cell>,
}

/// The samples of one concept and one task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Its name, `CONCEPT × TASK`.
    pub name: String,
    /// Which of the concepts.
    pub concept: usize,
    /// Which of the tasks.
    pub task: usize,
    /// The share of today's mixture, by the `human` of the domains where all have one and else by size; all sum to 1.
    pub today: f64,
    /// Its samples by dataset, in the order of the config; only those that have some.
    pub datasets: Vec<CellDataset>,
}

/// What a dataset gives to a cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellDataset {
    /// The dataset's name in the config.
    pub name: String,
    /// Its samples in the cell.
    pub samples: u64,
    /// Their positions in the model that is to be trained, all together.
    pub tokens: u64,
}

impl Cell {
    /// Its samples.
    pub fn samples(&self) -> u64 {
        self.datasets.iter().map(|dataset| dataset.samples).sum()
    }

    /// Its positions in the model.
    pub fn tokens(&self) -> u64 {
        self.datasets.iter().map(|dataset| dataset.tokens).sum()
    }

    /// How often its samples are seen on average, when so many samples are drawn and `share` of them here.
    pub fn epochs(&self, share: f64, budget: u64) -> f64 {
        share * budget as f64 / self.samples().max(1) as f64
    }
}
