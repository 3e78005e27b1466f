//! What labelling found, for people and programs: `atlas/labels.json`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::gathered::Labelled;
use super::kmeans::Stability;
use super::merge::{Join, Merged};
use super::tasks::Rule;
use crate::atlas::{Cell, epochs};
use crate::store::read_regular;

/// The version of `labels.json`.
const FORMAT: u32 = 1;
/// Bytes of a `labels.json`.
const MAX_BYTES: u64 = 256 << 20;

/// What labelling found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    format: u32,
    /// Of all that the labels were made from.
    pub fingerprint: String,
    /// Samples with a label.
    pub samples: u64,
    /// Their positions in the model.
    pub tokens: u64,
    /// Samples without one.
    pub failed: u64,
    /// What concepts are named by.
    pub named_by: NamedBy,
    /// How many clusters are stable, where that was asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stability: Vec<Stable>,
    /// The concepts, before small ones are joined.
    pub concepts: Vec<Concept>,
    /// The rules in the order in which they are tried, with what they decided.
    pub rules: Vec<RuleHits>,
    /// What was joined because it was small.
    pub joins: Vec<Join>,
    /// `atlas.search.budget`.
    pub budget: Option<u64>,
    /// The tasks, in the order of their rules.
    pub tasks: Vec<String>,
    /// The cells, by concept and then by task.
    pub cells: Vec<CellSummary>,
}

/// What concepts are named by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NamedBy {
    /// Words whose vectors are near the centres.
    Words,
    /// Words of the conversations.
    Conversations,
}

/// How stable a number of clusters is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stable {
    /// The number.
    pub clusters: usize,
    /// Its adjusted Rand index.
    pub mean: f64,
    /// The standard error.
    pub error: f64,
}

/// A concept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Concept {
    /// Its name.
    pub name: String,
    /// Its samples.
    pub samples: u64,
}

/// A rule, and what it decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleHits {
    /// Its name.
    pub rule: String,
    /// The task that it gives.
    pub task: String,
    /// Samples of which it was the first that fits.
    pub samples: u64,
}

/// A cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellSummary {
    /// Its name.
    pub name: String,
    /// Its concept.
    pub concept: String,
    /// Its task.
    pub task: String,
    /// Its samples.
    pub samples: u64,
    /// Their positions in the model.
    pub tokens: u64,
    /// The share of today's mixture.
    pub today: f64,
    /// How often its samples are seen within the budget at today's share.
    pub epochs_today: Option<f64>,
    /// The same where every cell has the same share.
    pub epochs_uniform: Option<f64>,
}

/// What a summary is made of.
#[derive(Clone, Copy, Debug)]
pub struct Findings<'a> {
    /// Of all that the labels were made from.
    pub fingerprint: &'a str,
    /// The labels.
    pub labelled: &'a [Labelled],
    /// Samples without a label.
    pub failed: u64,
    /// What concepts are named by.
    pub named_by: NamedBy,
    /// What was tried to find how many clusters there are.
    pub stability: &'a [Stability],
    /// The names of the concepts.
    pub concepts: &'a [String],
    /// The rules.
    pub rules: &'a [Rule],
    /// The cells, with today's shares.
    pub merged: &'a Merged,
    /// `atlas.search.budget`.
    pub budget: Option<u64>,
}

impl Summary {
    /// Sums up.
    pub fn new(found: &Findings<'_>) -> Self {
        let mut concepts = vec![0; found.concepts.len()];
        let mut rules = vec![0; found.rules.len()];
        for labels in found.labelled {
            labels
                .concept
                .iter()
                .for_each(|one| concepts[*one as usize] += 1);
            labels.rule.iter().for_each(|one| rules[*one as usize] += 1);
        }
        let grid = &found.merged.grid;
        let cell = |cell: &Cell| CellSummary {
            name: cell.name.clone(),
            concept: grid.concepts[cell.concept].clone(),
            task: grid.tasks[cell.task].clone(),
            samples: cell.samples(),
            tokens: cell.tokens(),
            today: cell.today,
            epochs_today: None,
            epochs_uniform: None,
        };
        let mut summary = Self {
            format: FORMAT,
            fingerprint: found.fingerprint.to_owned(),
            samples: found
                .labelled
                .iter()
                .map(|labels| labels.len() as u64)
                .sum(),
            tokens: grid.cells.iter().map(Cell::tokens).sum(),
            failed: found.failed,
            named_by: found.named_by,
            stability: found
                .stability
                .iter()
                .map(|one| Stable {
                    clusters: one.clusters,
                    mean: one.mean,
                    error: one.error,
                })
                .collect(),
            concepts: found
                .concepts
                .iter()
                .zip(concepts)
                .filter(|(_, samples)| *samples > 0)
                .map(|(name, samples)| Concept {
                    name: name.clone(),
                    samples,
                })
                .collect(),
            rules: found
                .rules
                .iter()
                .zip(rules)
                .map(|(rule, samples)| RuleHits {
                    rule: rule.name.clone(),
                    task: rule.task.clone(),
                    samples,
                })
                .collect(),
            joins: found.merged.joins.clone(),
            budget: None,
            tasks: grid.tasks.clone(),
            cells: grid.cells.iter().map(cell).collect(),
        };
        summary.set_budget(found.budget);
        summary
    }

    /// Says how often samples are seen within a budget, on which nothing else hangs.
    pub fn set_budget(&mut self, budget: Option<u64>) {
        self.budget = budget;
        let uniform = 1.0 / self.cells.len() as f64;
        for cell in &mut self.cells {
            let samples = cell.samples;
            let of = |share| Some(epochs(share, budget?, samples));
            cell.epochs_today = of(cell.today);
            cell.epochs_uniform = of(uniform);
        }
    }

    /// Where the summary of a run lies.
    pub fn path(output: &Path) -> PathBuf {
        output.join("atlas/labels.json")
    }

    /// The summary of a run, if there is one that can be read; it says nothing that labels do not.
    pub fn find(output: &Path) -> Option<Self> {
        let bytes = read_regular(&Self::path(output), MAX_BYTES).ok()??;
        let summary: Self = serde_json::from_slice(&bytes).ok()?;
        (summary.format == FORMAT).then_some(summary)
    }

    /// Its bytes.
    ///
    /// # Errors
    /// When a number has no form in JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}
