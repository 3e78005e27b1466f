//! Rows of a dataset that are in one cell. The many cells of a dataset share what was opened of it: its files are read
//! and indexed once, however many of its cells are open.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rayon::prelude::*;

use super::labels::{CellRows, LabelsProblem};
use super::{Dataset, DatasetProblem, DatasetSpec, Labels, Progress, joined, sampling};

/// A dataset with its labels.
struct Whole {
    rows: Arc<dyn Dataset>,
    cells: CellRows,
}

/// What tells datasets with labels apart: all of a spec but its name and its cell.
#[derive(PartialEq, Eq)]
struct Key {
    spec: DatasetSpec,
    labels: PathBuf,
}

impl Key {
    fn of(spec: &DatasetSpec, labels: &Labels) -> Self {
        Self {
            spec: DatasetSpec {
                name: String::new(),
                labels: None,
                ..spec.clone()
            },
            labels: labels.path.clone(),
        }
    }
}

/// The datasets that something holds.
static OPEN: Mutex<Vec<(Key, Weak<Whole>)>> = Mutex::new(Vec::new());

/// Datasets that are kept open, for those who open cells of them one after the other.
pub struct Shared {
    _open: Vec<Arc<Whole>>,
}

/// Opens each dataset of which cells are asked for, once, and keeps it open. What cannot be opened is left for [`open`]
/// to tell of.
///
/// [`open`]: super::open
pub fn share<'a>(specs: impl IntoIterator<Item = &'a DatasetSpec>) -> Shared {
    let mut distinct: Vec<(Key, &DatasetSpec, &Labels)> = Vec::new();
    for spec in specs {
        let Some(labels) = &spec.labels else { continue };
        let key = Key::of(spec, labels);
        if distinct.iter().all(|(known, ..)| *known != key) {
            distinct.push((key, spec, labels));
        }
    }
    let open = distinct
        .into_par_iter()
        .filter_map(|(_, spec, labels)| whole(spec, labels, &|_, _| {}).ok());
    Shared {
        _open: open.collect(),
    }
}

/// The rows that labels put into a cell.
pub(super) fn open(
    spec: &DatasetSpec,
    labels: &Labels,
    progress: Progress<'_>,
) -> Result<Box<dyn Dataset>, DatasetProblem> {
    let whole = whole(spec, labels, progress)?;
    if let Some(grid) = &labels.grid {
        whole.cells.check_grid(grid)?;
    }
    let rows = whole.cells.rows(&labels.cell)?;
    let mut hash = blake3::Hasher::new();
    hash.update(whole.rows.fingerprint().as_bytes());
    hash.update(b"\nrows\n");
    for row in rows.iter() {
        hash.update(&row.to_le_bytes());
    }
    let fingerprint = hash.finalize().to_hex().to_string();
    let inner: Arc<dyn Dataset> = Arc::new(Held(whole));
    Ok(sampling::these(inner, rows, fingerprint))
}

/// A dataset with its labels, which may be open already. No lock is held while it is opened: that takes all threads, and
/// one that waits for a lock may be the one that is waited for. So two may open it at once, and one of them is dropped.
fn whole(
    spec: &DatasetSpec,
    labels: &Labels,
    progress: Progress<'_>,
) -> Result<Arc<Whole>, DatasetProblem> {
    let key = Key::of(spec, labels);
    if let Some(open) = find(&key) {
        return Ok(open);
    }
    let rows = joined::open(&key.spec, progress)?;
    let rows: Arc<dyn Dataset> = sampling::sampled(rows, key.spec.sampling_strategy).into();
    let cells = CellRows::read(&labels.path, rows.fingerprint(), rows.len())?;
    let opened = Arc::new(Whole { rows, cells });
    if let Some(other) = find(&key) {
        return Ok(other);
    }
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    open.retain(|(_, whole)| whole.strong_count() > 0);
    open.push((key, Arc::downgrade(&opened)));
    Ok(opened)
}

fn find(key: &Key) -> Option<Arc<Whole>> {
    let open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let (_, whole) = open
        .iter()
        .find(|(known, whole)| known == key && whole.strong_count() > 0)?;
    whole.upgrade()
}

/// The rows of a dataset, which stays open with its labels.
struct Held(Arc<Whole>);

impl Dataset for Held {
    fn len(&self) -> u64 {
        self.0.rows.len()
    }

    fn read(&self, index: u64) -> Result<super::Sample, super::SampleError> {
        self.0.rows.read(index)
    }

    fn fingerprint(&self) -> &str {
        self.0.rows.fingerprint()
    }

    fn format(&self) -> &str {
        self.0.rows.format()
    }

    fn files(&self) -> usize {
        self.0.rows.files()
    }

    fn faults(&self) -> &[super::Fault] {
        self.0.rows.faults()
    }
}

impl From<LabelsProblem> for DatasetProblem {
    fn from(problem: LabelsProblem) -> Self {
        Self::Labels(Box::new(problem))
    }
}
