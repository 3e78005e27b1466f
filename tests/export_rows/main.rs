//! Exports that hold rows, and the trainers that read Python and Energon's YAML.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod counts;
mod golden;
mod killed;
mod layouts;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use madmix::dataset::DatasetSpec;
use madmix::export::{
    ExportError, Folder, Plan, PlannedDataset, PlannedDomain, TRAINERS, Trainer, Unit,
};
use madmix::mix::Provenance;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Datasets in a folder, and a folder to export into.
struct Project {
    folder: TempDir,
    datasets: Vec<PlannedDataset>,
}

impl Project {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            datasets: Vec::new(),
        }
    }

    /// Adds a dataset of these lines, `count` of which are to be drawn.
    fn add(&mut self, name: &str, lines: &[String], count: u64) -> &mut PlannedDataset {
        let path = self
            .folder
            .path()
            .join(format!("{}.jsonl", self.datasets.len()));
        fs_err::write(&path, lines.join("\n")).unwrap();
        self.datasets.push(PlannedDataset {
            spec: DatasetSpec {
                name: name.into(),
                path,
                ..DatasetSpec::default()
            },
            size: lines.len() as u64,
            weight: 0.0,
            tokens: None,
            count: Some(count),
        });
        self.datasets.last_mut().unwrap()
    }

    fn plan(&self) -> Plan {
        let budget: u64 = self.datasets.iter().filter_map(|d| d.count).sum();
        let mut datasets = self.datasets.clone();
        for dataset in &mut datasets {
            dataset.weight = dataset.count.unwrap() as f64 / budget as f64;
        }
        Plan {
            method: "mad-mix, λ = 10".into(),
            provenance: provenance(),
            budget: Some(budget),
            unit: Unit::Samples,
            seed: 7,
            domains: vec![PlannedDomain {
                name: "General".into(),
                weight: 1.0,
                datasets,
            }],
        }
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn export(&self, trainer: &str) -> Result<String, ExportError> {
        trainer_of(trainer).write(&self.plan(), &mut Folder::new(self.out()))
    }

    /// The rows of the materialised mixture.
    fn mixture(&self) -> Vec<Value> {
        rows_of(&self.out().join("mixture.jsonl"))
    }

    fn names_in_out(&self) -> Vec<String> {
        let mut names: Vec<_> = fs_err::read_dir(self.out())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn provenance() -> Provenance {
    Provenance {
        checkpoint: "models/tiny".into(),
        fingerprint: "0123abcd".into(),
        samples: 1024,
        madmix: "0.1.0".into(),
    }
}

fn trainer_of(name: &str) -> &'static dyn Trainer {
    TRAINERS
        .iter()
        .find(|entry| entry.name == name)
        .unwrap()
        .trainer
}

fn rows_of(path: &Path) -> Vec<Value> {
    let text = fs_err::read_to_string(path).unwrap();
    assert!(text.ends_with('\n'));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn row(id: &str) -> String {
    json!({"id": id, "conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]})
        .to_string()
}

/// Rows `PREFIX0`, `PREFIX1` and so on.
fn plain(prefix: &str, n: usize) -> Vec<String> {
    (0..n).map(|i| row(&format!("{prefix}{i}"))).collect()
}

/// How often each id comes in the rows of a dataset.
fn ids(rows: &[Value], dataset: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for row in rows.iter().filter(|row| row["dataset"] == dataset) {
        *counts
            .entry(row["id"].as_str().unwrap().to_owned())
            .or_default() += 1;
    }
    counts
}
