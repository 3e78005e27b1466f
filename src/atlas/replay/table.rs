//! Tables of finished runs: CSV files of mixtures and of metrics, whose rows are matched by their first column.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::ReplayError;

/// How far the shares of a row may sum from 1: published tables are rounded to three decimals.
const TOLERANCE: f64 = 0.02;

/// Why a table cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// A file cannot be read.
    #[error("cannot read the table")]
    Read(#[from] io::Error),
    /// A file is no table of numbers.
    #[error("{}{}: {problem}", path.display(), line.map_or_else(String::new, |line| format!(", line {line}")))]
    Content {
        /// The file.
        path: PathBuf,
        /// The line, from 1, if it is one line's fault.
        line: Option<usize>,
        /// What is wrong.
        problem: String,
    },
}

/// Finished runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// What the shares are of.
    pub names: Vec<String>,
    /// The mixtures `[n][d]`; each sums to 1.
    pub points: Vec<Vec<f64>>,
    /// The values of each metric `[n]`.
    pub metrics: BTreeMap<String, Vec<f64>>,
}

/// A file: its column names without the first, and its rows by what stands in their first column.
struct Csv {
    path: PathBuf,
    names: Vec<String>,
    rows: Vec<(String, usize, Vec<f64>)>,
}

impl Table {
    /// Reads a file of mixtures and one of metrics. Rows that only one of them has are left out, as runs without a result.
    ///
    /// # Errors
    /// When a file cannot be read, is no table of finite numbers, or shares are none; see [`TableError`].
    pub fn read(mixtures: &Path, metrics: &Path) -> Result<Self, TableError> {
        let (mixtures, metrics) = (Csv::read(mixtures)?, Csv::read(metrics)?);
        let results: BTreeMap<&str, &Vec<f64>> = metrics
            .rows
            .iter()
            .map(|(key, _, values)| (key.as_str(), values))
            .collect();
        let mut table = Self {
            names: mixtures.names.clone(),
            ..Self::default()
        };
        let mut columns = vec![Vec::new(); metrics.names.len()];
        for (key, line, shares) in &mixtures.rows {
            let Some(results) = results.get(key.as_str()) else {
                continue;
            };
            table.points.push(mixtures.normalised(*line, shares)?);
            for (column, value) in columns.iter_mut().zip(*results) {
                column.push(*value);
            }
        }
        if table.points.is_empty() {
            let problem = format!("no row has a result in {}", metrics.path.display());
            return Err(mixtures.fault(None, problem));
        }
        table.metrics = metrics.names.into_iter().zip(columns).collect();
        Ok(table)
    }

    /// Adds the runs of another table of the same columns.
    ///
    /// # Errors
    /// In words, when its columns are others.
    pub fn extend(&mut self, other: Self) -> Result<(), String> {
        if self.names != other.names || !self.metrics.keys().eq(other.metrics.keys()) {
            return Err("the tables have different columns".into());
        }
        self.points.extend(other.points);
        for (own, more) in self.metrics.values_mut().zip(other.metrics.into_values()) {
            own.extend(more);
        }
        Ok(())
    }

    /// The values of a metric `[n]`. Its name may be given without what all names have in front of and behind it, as long
    /// as it is the only one.
    ///
    /// # Errors
    /// When there is none of that name, or more than one.
    pub fn metric(&self, name: &str) -> Result<&[f64], ReplayError> {
        if let Some(values) = self.metrics.get(name) {
            return Ok(values);
        }
        let mut holding = self
            .metrics
            .iter()
            .filter(|(known, _)| known.contains(name));
        match (holding.next(), holding.next()) {
            (Some((_, values)), None) => Ok(values),
            _ => Err(ReplayError::NoMetric {
                name: name.to_owned(),
                known: self.metrics.keys().cloned().collect(),
            }),
        }
    }
}

impl Csv {
    fn read(path: &Path) -> Result<Self, TableError> {
        let text = fs_err::read_to_string(path)?;
        let mut csv = Self {
            path: path.to_owned(),
            names: Vec::new(),
            rows: Vec::new(),
        };
        let mut lines = (1..)
            .zip(text.trim_start_matches('\u{feff}').lines())
            .filter(|(_, line)| !line.trim().is_empty());
        let (_, head) = lines
            .next()
            .ok_or_else(|| csv.fault(None, "it is empty".into()))?;
        csv.names = fields(head).skip(1).map(str::to_owned).collect();
        if csv.names.is_empty() {
            let problem = "its first line has to name the columns, the first of which says which run a row is";
            return Err(csv.fault(Some(1), problem.into()));
        }
        for (line, row) in lines {
            let mut fields = fields(row);
            let key = fields.next().unwrap_or_default().to_owned();
            let values = fields
                .map(|field| match field.parse::<f64>() {
                    Ok(value) if value.is_finite() => Ok(value),
                    _ => Err(csv.fault(Some(line), format!("`{field}` is no finite number"))),
                })
                .collect::<Result<Vec<f64>, _>>()?;
            if values.len() != csv.names.len() {
                let problem = format!(
                    "it has {} values, and there are {} columns",
                    values.len(),
                    csv.names.len()
                );
                return Err(csv.fault(Some(line), problem));
            }
            if csv.rows.iter().any(|(other, ..)| *other == key) {
                return Err(csv.fault(Some(line), format!("run `{key}` is there twice")));
            }
            csv.rows.push((key, line, values));
        }
        Ok(csv)
    }

    fn normalised(&self, line: usize, shares: &[f64]) -> Result<Vec<f64>, TableError> {
        let sum: f64 = shares.iter().sum();
        if shares.iter().any(|share| *share < 0.0) || (sum - 1.0).abs() > TOLERANCE {
            let problem =
                format!("shares have to be at least 0 and to sum to 1, and these sum to {sum:.4}");
            return Err(self.fault(Some(line), problem));
        }
        Ok(shares.iter().map(|share| share / sum).collect())
    }

    fn fault(&self, line: Option<usize>, problem: String) -> TableError {
        TableError::Content {
            path: self.path.clone(),
            line,
            problem,
        }
    }
}

/// The fields of a line; numbers and names, so quotes only stand around whole fields.
fn fields(line: &str) -> impl Iterator<Item = &str> {
    line.split(',')
        .map(|field| field.trim().trim_matches('"').trim())
}
