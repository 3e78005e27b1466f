//! The file of labels that `madmix atlas label` writes for a dataset, as far as rows are chosen by it: which of the kept
//! rows are in which cell, and of which rows that was said.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{Array, RecordBatch};
use fs_err::File;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::wall;

/// The version of the format. It goes up with every change that makes old readers misread new files.
pub(crate) const FORMAT: &str = "1";
/// The keys of a file's metadata: the format, and the fingerprint of the dataset that is labelled.
pub(crate) const FORMAT_KEY: &str = "madmix.labels";
pub(crate) const DATASET_KEY: &str = "madmix.dataset";
/// The keys of what else is said there: the grid that the cells are of, and the samples whose pictures should have been
/// embedded and could not be, as a list of their places among the kept rows.
pub(crate) const GRID_KEY: &str = "madmix.grid";
pub(crate) const UNEMBEDDED_KEY: &str = "madmix.unembedded";
/// The columns by which rows are chosen: the place among the kept rows, and the cell.
pub(crate) const INDEX: &str = "index";
pub(crate) const CELL: &str = "cell";

/// Rows of a dataset, chosen by their label: `labels = { path = "…", cell = "…" }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    /// The dataset's file of labels.
    pub path: PathBuf,
    /// The cell whose rows are kept.
    pub cell: String,
    /// The [digest](crate::atlas::Grid::digest) of the grid that the labels have to be of, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grid: Option<String>,
}

/// Why labels cannot be used.
#[derive(Debug, Error)]
pub enum LabelsProblem {
    /// There is no file.
    #[error("there are no labels at {}: `madmix atlas label CONFIG` makes them", path.display())]
    Missing {
        /// Where they were looked for.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("the labels cannot be read: {0}")]
    Io(io::Error),
    /// The file is of another kind, or damaged.
    #[error(
        "{} holds no labels that this madmix can use: {reason}. `madmix atlas label CONFIG` makes them anew",
        path.display()
    )]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Rows have changed, or others are kept.
    #[error(
        "the labels in {} are older than the data, or of other rows of it: run `madmix atlas label CONFIG`",
        path.display()
    )]
    Stale {
        /// The file.
        path: PathBuf,
    },
    /// They belong to another grid.
    #[error(
        "the labels in {} are of another grid than the one beside them: run `madmix atlas label CONFIG`",
        path.display()
    )]
    OtherGrid {
        /// The file.
        path: PathBuf,
    },
    /// No row is in the cell.
    #[error(
        "the labels in {} put no row into the cell \"{cell}\"; its cells are \"{}\"",
        path.display(),
        known.join("\", \"")
    )]
    NoCell {
        /// The file.
        path: PathBuf,
        /// The cell that was asked for.
        cell: String,
        /// Those that have rows.
        known: Vec<String>,
    },
}

/// The rows of all cells of a dataset.
#[derive(Debug)]
pub struct CellRows {
    path: PathBuf,
    cells: BTreeMap<String, Arc<[u64]>>,
    grid: Option<String>,
    unembedded: Vec<u64>,
}

impl CellRows {
    /// Reads the labels of a dataset of so many kept rows, with that fingerprint.
    ///
    /// # Errors
    /// When there are no labels, they cannot be used, or are of other rows.
    pub fn read(path: &Path, fingerprint: &str, len: u64) -> Result<Self, LabelsProblem> {
        // The library panics at some files that are damaged.
        wall::behind(|| Self::read_file(path, fingerprint, len)).unwrap_or_else(|reason| {
            Err(LabelsProblem::Unusable {
                path: path.to_owned(),
                reason,
            })
        })
    }

    fn read_file(path: &Path, fingerprint: &str, len: u64) -> Result<Self, LabelsProblem> {
        let unusable = |reason: String| LabelsProblem::Unusable {
            path: path.to_owned(),
            reason,
        };
        let broken = |error: ParquetError| unusable(error.to_string());
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(LabelsProblem::Missing {
                    path: path.to_owned(),
                });
            }
            file => file.map_err(LabelsProblem::Io)?,
        };
        let reader = ParquetRecordBatchReaderBuilder::try_new(file.into_file()).map_err(broken)?;
        let metadata = reader.metadata().file_metadata().key_value_metadata();
        let value = |key: &str| {
            let mut entries = metadata.into_iter().flatten();
            let entry = entries.find(|entry| entry.key == key)?;
            entry.value.clone()
        };
        match value(FORMAT_KEY) {
            Some(format) if format == FORMAT => {}
            Some(other) => return Err(unusable(format!("they are of format {other}"))),
            None => return Err(unusable("it is another file".into())),
        }
        if value(DATASET_KEY).as_deref() != Some(fingerprint) {
            return Err(LabelsProblem::Stale {
                path: path.to_owned(),
            });
        }
        let grid = value(GRID_KEY);
        let unembedded: Vec<u64> = value(UNEMBEDDED_KEY)
            .map_or(Ok(Vec::new()), |list| serde_json::from_str(&list))
            .map_err(|error| unusable(error.to_string()))?;
        if unembedded.iter().any(|index| *index >= len) {
            return Err(unusable(format!("`{UNEMBEDDED_KEY}` has other rows")));
        }
        let mask = ProjectionMask::columns(reader.parquet_schema(), [INDEX, CELL]);
        let batches = reader.with_projection(mask).build().map_err(broken)?;
        let mut cells = BTreeMap::<String, Vec<u64>>::new();
        let mut next = 0;
        for batch in batches {
            let batch = batch.map_err(|error| unusable(error.to_string()))?;
            add(&batch, &mut cells, &mut next, len).map_err(unusable)?;
        }
        let cells = cells.into_iter().map(|(cell, rows)| (cell, rows.into()));
        Ok(Self {
            path: path.to_owned(),
            cells: cells.collect(),
            grid,
            unembedded,
        })
    }

    /// The samples that have pictures or clips and no label, because these could not be embedded: places among the kept
    /// rows.
    pub fn unembedded(&self) -> &[u64] {
        &self.unembedded
    }

    /// Refuses labels that were not written with the grid of that digest.
    ///
    /// # Errors
    /// When they are of another grid, or do not say of which.
    pub fn check_grid(&self, digest: &str) -> Result<(), LabelsProblem> {
        if self.grid.as_deref() == Some(digest) {
            return Ok(());
        }
        Err(LabelsProblem::OtherGrid {
            path: self.path.clone(),
        })
    }

    /// The cells that have rows, by name, with their rows: places among the kept rows, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u64])> {
        self.cells
            .iter()
            .map(|(cell, rows)| (cell.as_str(), rows.as_ref()))
    }

    /// The kept rows that are in a cell, in ascending order.
    pub(super) fn rows(&self, cell: &str) -> Result<Arc<[u64]>, LabelsProblem> {
        let no_cell = || LabelsProblem::NoCell {
            path: self.path.clone(),
            cell: cell.to_owned(),
            known: self.cells.keys().cloned().collect(),
        };
        self.cells.get(cell).cloned().ok_or_else(no_cell)
    }
}

/// Adds a batch, whose rows follow those that were added: each row of the dataset is labelled once at most.
fn add(
    batch: &RecordBatch,
    cells: &mut BTreeMap<String, Vec<u64>>,
    next: &mut u64,
    len: u64,
) -> Result<(), String> {
    let column = |name: &str| {
        let column = batch.column_by_name(name);
        column.ok_or_else(|| format!("there is no column `{name}`"))
    };
    let index = column(INDEX)?
        .as_primitive_opt::<UInt64Type>()
        .ok_or("`index` is of another type")?;
    let cell = column(CELL)?
        .as_string_opt::<i32>()
        .ok_or("`cell` is of another type")?;
    if index.null_count() + cell.null_count() > 0 {
        return Err("a row has no index or no cell".into());
    }
    for (index, cell) in index.values().iter().zip(cell.iter().flatten()) {
        if *index < *next || *index >= len {
            return Err(format!(
                "row {index} is there twice, out of order, or not of this dataset"
            ));
        }
        *next = index + 1;
        match cells.get_mut(cell) {
            Some(rows) => rows.push(*index),
            None => {
                cells.insert(cell.to_owned(), vec![*index]);
            }
        }
    }
    Ok(())
}
