//! What a trainer is to do, before any trainer's words for it.

use std::path::PathBuf;

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
    /// Seeds what a trainer's file has to leave to chance.
    pub seed: u64,
    /// The domains, in the order of the config; those of weight 0 too.
    pub domains: Vec<PlannedDomain>,
}

/// A domain of a [`Plan`].
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedDomain {
    /// Its name.
    pub name: String,
    /// Its share of the samples, after caps; all sum to 1.
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
    /// Its share of the samples; all of all domains sum to 1.
    pub weight: f64,
    /// Mean tokens of a sample, where they are known.
    pub tokens: Option<f64>,
    /// How many samples are drawn of it; known with a budget, and all sum to it.
    pub count: Option<u64>,
}

impl PlannedDataset {
    /// How often each of its rows is seen on average; known with a budget.
    pub fn epochs(&self) -> Option<f64> {
        self.count.map(|count| count as f64 / self.size as f64)
    }

    /// The folder that its media paths start from.
    pub fn media_root(&self) -> PathBuf {
        self.spec.media_root.clone().unwrap_or_else(|| {
            let parent = self.spec.path.parent();
            parent.map_or_else(PathBuf::new, PathBuf::from)
        })
    }
}

impl Plan {
    /// All datasets, with their domains.
    pub fn datasets(&self) -> impl Iterator<Item = (&PlannedDomain, &PlannedDataset)> {
        self.domains
            .iter()
            .flat_map(|domain| domain.datasets.iter().map(move |dataset| (domain, dataset)))
    }
}
