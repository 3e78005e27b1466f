//! The corpus as a table of concept × task.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::config::{Atlas, Config};
use crate::store::{PublishError, publish, read_regular};

/// The version of `grid.json`.
const FORMAT: u32 = 1;
/// Bytes of a `grid.json`; one of a thousand cells with a hundred datasets each has ten million.
const MAX_BYTES: u64 = 256 << 20;
/// What the shares may sum to besides 1.
const ROUNDING: f64 = 1e-6;

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

/// A grid that was written down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredGrid {
    format: u32,
    /// Of all that it was made from: rows, settings, checkpoints.
    pub fingerprint: String,
    /// A digest of what the config says that labels hang on; none for a grid that was made by other means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    config: Option<String>,
    /// The grid.
    #[serde(flatten)]
    pub grid: Grid,
}

/// A grid that cannot be read or written.
#[derive(Debug, Error)]
pub enum GridError {
    /// It cannot be read.
    #[error("reading {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no grid.
    #[error("{} is no grid that this madmix can use: {reason}. `madmix atlas label CONFIG` makes it anew", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// It was made of what another config says.
    #[error(
        "the labels are older than the config: {} was made with other datasets, domains or settings of [atlas]. Run `madmix atlas label CONFIG`",
        path.display()
    )]
    OtherConfig {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be written.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

impl StoredGrid {
    /// A grid, and what it was made from.
    pub fn new(grid: Grid, fingerprint: String) -> Self {
        Self {
            format: FORMAT,
            fingerprint,
            config: None,
            grid,
        }
    }

    /// The same, made as a config says.
    #[must_use]
    pub fn of_config(mut self, config: &Config) -> Self {
        self.config = Some(labelled_of(config));
        self
    }

    /// Refuses a config that says other things than the grid was made of. What lies in files is not looked at: that the
    /// rows are the same is seen where they are opened, and that pictures are is not.
    ///
    /// # Errors
    /// [`GridError::OtherConfig`].
    pub fn check_config(&self, config: &Config) -> Result<(), GridError> {
        match &self.config {
            Some(digest) if *digest != labelled_of(config) => Err(GridError::OtherConfig {
                path: Self::path(&config.output),
            }),
            _ => Ok(()),
        }
    }

    /// Where the grid of a run lies.
    pub fn path(output: &Path) -> PathBuf {
        output.join("atlas/grid.json")
    }

    /// The grid of a run; `None` when there is none yet.
    ///
    /// # Errors
    /// When there is a file that cannot be read or is no sound grid.
    pub fn find(output: &Path) -> Result<Option<Self>, GridError> {
        let path = Self::path(output);
        let unusable = |reason: String| GridError::Unusable {
            path: path.clone(),
            reason,
        };
        let bytes = match read_regular(&path, MAX_BYTES) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(GridError::Read { path, source }),
            Ok(None) => return Err(unusable("it is no file of reasonable size".into())),
            Ok(Some(bytes)) => bytes,
        };
        let stored: Self =
            serde_json::from_slice(&bytes).map_err(|error| unusable(error.to_string()))?;
        if stored.format != FORMAT {
            return Err(unusable(format!("it is of format {}", stored.format)));
        }
        stored.grid.check().map_err(unusable)?;
        Ok(Some(stored))
    }

    /// Writes the grid of a run.
    ///
    /// # Errors
    /// When it is no sound grid, or the file system refuses.
    pub fn publish(&self, output: &Path) -> Result<(), GridError> {
        let unusable = |reason: String| GridError::Unusable {
            path: Self::path(output),
            reason,
        };
        self.grid.check().map_err(unusable)?;
        let mut bytes =
            serde_json::to_vec_pretty(self).map_err(|error| unusable(error.to_string()))?;
        bytes.push(b'\n');
        publish(&Self::path(output), &bytes)?;
        Ok(())
    }
}

/// A digest of all that a config says and labels hang on. Paths count as they lie to the folder of the run, so that all
/// may be moved together.
fn labelled_of(config: &Config) -> String {
    let default = Atlas::default();
    let atlas = config.atlas.as_ref().unwrap_or(&default);
    let domains: Vec<_> = config
        .domains
        .iter()
        .map(|domain| (domain.human, &domain.datasets))
        .collect();
    let text = serde_json::json!([
        atlas.concepts,
        atlas.tasks,
        atlas.min_cell,
        atlas.seed,
        domains
    ])
    .to_string();
    let text = match config.output.parent().and_then(Path::to_str) {
        Some(base) if base.len() > 1 => text.replace(&format!("\"{base}/"), "\""),
        _ => text,
    };
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

impl Grid {
    /// Fills in today's shares: those of the datasets, each divided over its cells by samples. Datasets without samples
    /// have no share; of datasets that have none at all, all shares go by samples.
    pub fn set_today(&mut self, share: impl Fn(&str) -> f64) {
        let mut sizes = BTreeMap::<&str, u64>::new();
        for dataset in self.cells.iter().flat_map(|cell| &cell.datasets) {
            *sizes.entry(&dataset.name).or_default() += dataset.samples;
        }
        let shares: BTreeMap<&str, f64> = sizes.keys().map(|name| (*name, share(name))).collect();
        let total: f64 = shares.values().sum();
        let samples: u64 = sizes.values().sum();
        let today: Vec<f64> = self
            .cells
            .iter()
            .map(|cell| {
                let parts = cell.datasets.iter().map(|dataset| {
                    if total > 0.0 {
                        let name = dataset.name.as_str();
                        shares[name] / total * dataset.samples as f64 / sizes[name] as f64
                    } else {
                        dataset.samples as f64 / samples as f64
                    }
                });
                parts.sum()
            })
            .collect();
        for (cell, today) in self.cells.iter_mut().zip(today) {
            cell.today = today;
        }
    }

    /// Tells grids apart: of concepts, tasks and cells with their samples, and not of today's shares.
    pub fn digest(&self) -> String {
        let cells: Vec<_> = self
            .cells
            .iter()
            .map(|cell| (&cell.name, cell.concept, cell.task, &cell.datasets))
            .collect();
        let text = serde_json::json!([self.concepts, self.tasks, cells]).to_string();
        blake3::hash(text.as_bytes()).to_hex().to_string()
    }

    /// Says what is wrong with it.
    ///
    /// # Errors
    /// What is wrong, for a person.
    pub fn check(&self) -> Result<(), String> {
        if self.cells.is_empty() {
            return Err("it has no cells".into());
        }
        let mut names = BTreeSet::new();
        for cell in &self.cells {
            let name = &cell.name;
            if !names.insert(name) {
                return Err(format!("two cells are named \"{name}\""));
            }
            if cell.concept >= self.concepts.len() || cell.task >= self.tasks.len() {
                return Err(format!("cell \"{name}\" is of no concept or task"));
            }
            if !(cell.today.is_finite() && cell.today >= 0.0) {
                return Err(format!("cell \"{name}\" has no share: {}", cell.today));
            }
            if cell.datasets.is_empty() {
                return Err(format!("cell \"{name}\" has no samples"));
            }
        }
        let sum: f64 = self.cells.iter().map(|cell| cell.today).sum();
        if (sum - 1.0).abs() > ROUNDING {
            return Err(format!("today's shares sum to {sum}"));
        }
        Ok(())
    }
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
        epochs(share, budget, self.samples())
    }
}

/// How often so many samples are seen on average, when `share` of a budget is drawn of them.
pub(crate) fn epochs(share: f64, budget: u64, samples: u64) -> f64 {
    share * budget as f64 / samples.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Grid {
        let cell = |name: &str, task, datasets: &[(&str, u64)]| Cell {
            name: name.into(),
            concept: 0,
            task,
            today: 0.0,
            datasets: datasets
                .iter()
                .map(|(name, samples)| CellDataset {
                    name: (*name).into(),
                    samples: *samples,
                    tokens: 10 * samples,
                })
                .collect(),
        };
        Grid {
            concepts: vec!["chart".into()],
            tasks: vec!["vqa".into(), "ocr".into()],
            cells: vec![
                cell("chart × vqa", 0, &[("a", 30), ("b", 10)]),
                cell("chart × ocr", 1, &[("a", 10)]),
            ],
        }
    }

    fn today(grid: &Grid) -> Vec<f64> {
        grid.cells.iter().map(|cell| cell.today).collect()
    }

    #[test]
    fn a_datasets_share_goes_to_its_cells_by_samples() {
        let mut grid = grid();
        grid.set_today(|name| if name == "a" { 8.0 } else { 2.0 });
        assert_eq!(today(&grid), [0.8 * 0.75 + 0.2, 0.2]);
        grid.set_today(|_| 0.0);
        assert_eq!(today(&grid), [0.8, 0.2]);
    }

    #[test]
    fn a_grid_is_read_as_it_was_written_and_an_unsound_one_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(StoredGrid::find(folder.path()).unwrap(), None);
        let mut grid = grid();
        grid.set_today(|_| 1.0);
        let stored = StoredGrid::new(grid, "f".into());
        stored.publish(folder.path()).unwrap();
        assert_eq!(StoredGrid::find(folder.path()).unwrap(), Some(stored));
        let path = StoredGrid::path(folder.path());
        let text = fs_err::read_to_string(&path).unwrap();
        for (from, to, word) in [
            ("\"format\": 1", "\"format\": 2", "format 2"),
            ("\"task\": 1", "\"task\": 2", "no concept or task"),
            ("chart × ocr", "chart × vqa", "two cells"),
            ("\"today\": 0.", "\"today\": 1.", "sum to"),
            ("{", "[", "no grid"),
        ] {
            assert!(text.contains(from), "{text}");
            fs_err::write(&path, text.replacen(from, to, 1)).unwrap();
            let error = StoredGrid::find(folder.path()).unwrap_err().to_string();
            assert!(
                error.contains(word) && error.contains("atlas label"),
                "{error}"
            );
        }
    }
}
