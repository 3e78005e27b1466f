//! The file of a dataset's labels: parquet with a row for each sample that could be read.
//!
//! | column | type | |
//! |---|---|---|
//! | `index` | u64 | place among the rows that filter and sampling strategy keep |
//! | `row` | u64 | row of the file, or of all files one after the other |
//! | `id` | text | |
//! | `concept` | text | before small concepts were joined |
//! | `task`, `rule` | text | the task, and the rule that gave it |
//! | `cell` | text | after joining |
//! | `similarity` | f32 | product with the concept's centre; null without pictures |
//! | `tokens` | u32 | positions in the model |
//!
//! Metadata: the format, the fingerprint of the dataset, the digest of the grid, the samples whose pictures could not be
//! embedded, and the settings that labels were made with.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, RecordBatch, StringArray, UInt32Array, UInt64Array};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use serde_json::json;

use super::gathered::Labelled;
use super::merge::Merged;
use super::tasks::Rule;
use crate::atlas::Grid;
use crate::dataset::labels::{
    CELL, DATASET_KEY, FORMAT, FORMAT_KEY, GRID_KEY, INDEX, UNEMBEDDED_KEY,
};
use crate::dataset::{CellRows, Dataset, LabelsProblem};
use crate::store::{Output, PublishError, folder_name, publish_with};

/// The key of the settings in the metadata.
const SETTINGS_KEY: &str = "madmix.settings";
/// Samples that are written together; a row group.
const TOGETHER: usize = 1 << 16;

/// Labels could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file cannot be published.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The columns cannot be encoded.
    #[error("labels of dataset \"{dataset}\" cannot be written: {reason}")]
    Encode {
        /// The dataset.
        dataset: String,
        /// Why.
        reason: String,
    },
}

/// What numbers of labels mean.
#[derive(Clone, Copy, Debug)]
pub struct Meaning<'a> {
    /// The names of the concepts.
    pub concepts: &'a [String],
    /// The rules.
    pub rules: &'a [Rule],
    /// The cells.
    pub merged: &'a Merged,
}

/// Where the labels of a dataset lie in the folder of a run.
pub fn labels_path(output: &Path, dataset: &str) -> PathBuf {
    let name = format!("{}.parquet", folder_name(dataset));
    output.join("atlas/labels").join(name)
}

/// Reads back which rows of a dataset are in which cell of a grid, which the labels must have been written with.
///
/// # Errors
/// When there are no labels, they cannot be used, or are of other rows or of another grid.
pub fn read(
    output: &Path,
    name: &str,
    dataset: &dyn Dataset,
    grid: &Grid,
) -> Result<CellRows, LabelsProblem> {
    let path = labels_path(output, name);
    let rows = CellRows::read(&path, dataset.fingerprint(), dataset.len())?;
    rows.check_grid(&grid.digest())?;
    let mut found: Vec<(&str, u64)> = rows
        .iter()
        .map(|(cell, rows)| (cell, rows.len() as u64))
        .collect();
    let mut expected: Vec<(&str, u64)> = Vec::new();
    for cell in &grid.cells {
        let of_dataset = cell.datasets.iter().filter(|one| one.name == name);
        expected.extend(of_dataset.map(|one| (cell.name.as_str(), one.samples)));
    }
    found.sort_unstable();
    expected.sort_unstable();
    if found == expected {
        Ok(rows)
    } else {
        Err(LabelsProblem::OtherGrid { path })
    }
}

/// Writes the labels of a dataset, atomically and piece by piece.
///
/// # Errors
/// When the file cannot be written.
pub fn write(
    path: &Path,
    labels: &Labelled,
    meaning: Meaning<'_>,
    settings: &str,
) -> Result<(), WriteError> {
    let encode = |reason: String| WriteError::Encode {
        dataset: labels.dataset.clone(),
        reason,
    };
    publish_with(path, |output| {
        let mut sink = Sink {
            output,
            failed: None,
        };
        match encoded(&mut sink, labels, meaning, settings) {
            Ok(()) => Ok(()),
            Err(reason) => Err(match sink.failed {
                Some(error) => WriteError::Publish(error),
                None => encode(reason),
            }),
        }
    })
}

fn encoded(
    sink: &mut Sink<'_, '_>,
    labels: &Labelled,
    meaning: Meaning<'_>,
    settings: &str,
) -> Result<(), String> {
    let pair = |key: &str, value: &str| KeyValue::new(key.to_owned(), value.to_owned());
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_created_by("madmix".into())
        .set_max_row_group_row_count(Some(TOGETHER))
        .set_key_value_metadata(Some(vec![
            pair(FORMAT_KEY, FORMAT),
            pair(DATASET_KEY, &labels.fingerprint),
            pair(GRID_KEY, &meaning.merged.grid.digest()),
            pair(UNEMBEDDED_KEY, &json!(labels.unembedded).to_string()),
            pair(SETTINGS_KEY, settings),
        ]))
        .build();
    let schema = schema();
    let failed = |error: ParquetError| error.to_string();
    let mut writer =
        ArrowWriter::try_new(sink, Arc::clone(&schema), Some(properties)).map_err(failed)?;
    for start in (0..labels.len()).step_by(TOGETHER) {
        let end = labels.len().min(start + TOGETHER);
        let batch = batch(&schema, labels, start..end, meaning).map_err(|e| e.to_string())?;
        writer.write(&batch).map_err(failed)?;
    }
    writer.close().map_err(failed)?;
    Ok(())
}

fn schema() -> Arc<Schema> {
    let field = |name: &str, kind: DataType| Field::new(name, kind, false);
    Arc::new(Schema::new(vec![
        field(INDEX, DataType::UInt64),
        field("row", DataType::UInt64),
        field("id", DataType::Utf8),
        field("concept", DataType::Utf8),
        field("task", DataType::Utf8),
        field("rule", DataType::Utf8),
        field(CELL, DataType::Utf8),
        Field::new("similarity", DataType::Float32, true),
        field("tokens", DataType::UInt32),
    ]))
}

fn batch(
    schema: &Arc<Schema>,
    labels: &Labelled,
    places: std::ops::Range<usize>,
    meaning: Meaning<'_>,
) -> Result<RecordBatch, ArrowError> {
    let each = || places.clone().map(|place| labels.get(place));
    let rule = |rule: u32| &meaning.rules[rule as usize];
    let texts = |texts: StringArray| -> ArrayRef { Arc::new(texts) };
    let cell = |concept: u32, rule: u32| {
        let cell = meaning.merged.cell(concept, rule);
        cell.expect("the grid was made of these labels")
            .name
            .as_str()
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt64Array::from_iter_values(each().map(|l| l.index))),
        Arc::new(UInt64Array::from_iter_values(each().map(|l| l.row))),
        texts(StringArray::from_iter_values(each().map(|l| l.id))),
        texts(StringArray::from_iter_values(
            each().map(|l| &meaning.concepts[l.concept as usize]),
        )),
        texts(StringArray::from_iter_values(
            each().map(|l| &rule(l.rule).task),
        )),
        texts(StringArray::from_iter_values(
            each().map(|l| &rule(l.rule).name),
        )),
        texts(StringArray::from_iter_values(
            each().map(|l| cell(l.concept, l.rule)),
        )),
        Arc::new(
            each()
                .map(|l| (!l.similarity.is_nan()).then_some(l.similarity))
                .collect::<Float32Array>(),
        ),
        Arc::new(UInt32Array::from_iter_values(each().map(|l| l.tokens))),
    ];
    RecordBatch::try_new(Arc::clone(schema), columns)
}

/// Lets the encoder write into a file that is being published, and keeps what went wrong with it.
struct Sink<'a, 'b> {
    output: &'a mut Output<'b>,
    failed: Option<PublishError>,
}

impl io::Write for Sink<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.output.write(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(error) => {
                let shown = io::Error::other(error.to_string());
                self.failed.get_or_insert(error);
                Err(shown)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
