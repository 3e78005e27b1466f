//! What a trainer is to do, before any trainer's words for it.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{ExportError, quote};
use crate::dataset::DatasetSpec;
use crate::mix::Provenance;

/// A mixture laid out over datasets that lie somewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The method that found the weights, with its parameters, in a few words.
    pub method: String,
    /// What the weights were made from.
    pub provenance: Provenance,
    /// How many samples are to be drawn in all; without one only shares are known.
    pub budget: Option<u64>,
    /// What the weights are shares of.
    pub unit: Unit,
    /// Seeds what a trainer's file has to leave to chance.
    pub seed: u64,
    /// The domains, in the order of the config; those of weight 0 too.
    pub domains: Vec<PlannedDomain>,
}

/// What a trainer draws by its weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// Samples, which is what weights are found for.
    #[default]
    Samples,
    /// Tokens, or sequences that are packed full of them: a dataset's share then grows with the length of its samples.
    Tokens,
}

impl Unit {
    /// The name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Samples => "samples",
            Self::Tokens => "tokens",
        }
    }
}

/// A domain of a [`Plan`].
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedDomain {
    /// Its name.
    pub name: String,
    /// Its share of the plan's unit, after caps; all sum to 1.
    pub weight: f64,
    /// Its datasets.
    pub datasets: Vec<PlannedDataset>,
}

/// A dataset of a [`PlannedDomain`].
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedDataset {
    /// Its name, where its files lie, and which of their rows count.
    pub spec: DatasetSpec,
    /// How many rows count.
    pub size: u64,
    /// Its share of the plan's unit; all of all domains sum to 1.
    pub weight: f64,
    /// Mean tokens of a sample, where they are known.
    pub tokens: Option<f64>,
    /// How many samples are drawn of it; known with a budget, and all sum to it.
    pub count: Option<u64>,
}

impl PlannedDataset {
    /// How often each of its rows is seen on average; known with a budget.
    pub fn epochs(&self) -> Option<f64> {
        // Of no rows none are drawn.
        self.count
            .map(|count| count as f64 / self.size.max(1) as f64)
    }

    /// The folder that its media paths start from.
    pub fn media_root(&self) -> PathBuf {
        self.spec.media_folder()
    }
}

impl Plan {
    /// The datasets that something is drawn of, with their domains.
    pub fn used(&self) -> impl Iterator<Item = (&PlannedDomain, &PlannedDataset)> {
        self.datasets()
            .filter(|(_, dataset)| dataset.weight > 0.0 && dataset.count != Some(0))
    }

    /// The folder of media, for trainers that take one for all datasets: [`prepare()`](super::prepare()) sees to it that
    /// there is one.
    pub(crate) fn media_root(&self) -> Result<String, ExportError> {
        let root = self.used().next().map(|(_, dataset)| dataset.media_root());
        Ok(quote::path(&root.unwrap_or_default())?.to_owned())
    }

    /// What every file says of where it comes from, a line each, fit for a comment.
    pub fn provenance_lines(&self) -> Vec<String> {
        let Provenance {
            checkpoint,
            fingerprint,
            samples,
            madmix,
        } = &self.provenance;
        let mut lines = vec![
            format!("written by madmix {}", env!("CARGO_PKG_VERSION")),
            format!(
                "method: {}, over {samples} samples, solved by madmix {madmix}",
                self.method
            ),
            format!("checkpoint: {checkpoint}"),
            format!("fingerprint: {fingerprint}"),
        ];
        lines.push(match self.budget {
            Some(budget) => format!("budget: {budget} samples"),
            None => "budget: none, so shares only".to_owned(),
        });
        if self.unit == Unit::Tokens {
            lines.push("weights: shares of tokens, not of samples".to_owned());
        }
        lines.iter().map(|line| quote::comment(line)).collect()
    }

    /// The plan as JSON, for programs.
    pub fn to_json(&self) -> Value {
        let dataset = |dataset: &PlannedDataset| {
            json!({
                "name": dataset.spec.name,
                "path": dataset.spec.path,
                "media_root": dataset.media_root(),
                "size": dataset.size,
                "weight": dataset.weight,
                "tokens": dataset.tokens,
                "count": dataset.count,
                "epochs": dataset.epochs(),
            })
        };
        let domain = |domain: &PlannedDomain| {
            json!({
                "name": domain.name,
                "weight": domain.weight,
                "datasets": domain.datasets.iter().map(dataset).collect::<Vec<_>>(),
            })
        };
        json!({
            "method": self.method,
            "provenance": self.provenance,
            "budget": self.budget,
            "by": self.unit.as_str(),
            "seed": self.seed,
            "domains": self.domains.iter().map(domain).collect::<Vec<_>>(),
        })
    }

    /// All datasets, with their domains.
    pub fn datasets(&self) -> impl Iterator<Item = (&PlannedDomain, &PlannedDataset)> {
        self.domains
            .iter()
            .flat_map(|domain| domain.datasets.iter().map(move |dataset| (domain, dataset)))
    }
}
