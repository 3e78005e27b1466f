//! What a dataset's path turns out to name.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::blob::Blob;

/// The endings of data files.
pub(super) const ENDINGS: [&str; 6] = [".json", ".jsonl", ".ndjson", ".parquet", ".tar", ".tgz"];

/// A file of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DataFile {
    /// Its name from the dataset's folder on, the same on every machine.
    pub(super) name: String,
    /// Where it lies.
    pub(super) blob: Blob,
}

/// What a path names.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// In the order of their rows; at least one.
    pub(super) files: Vec<DataFile>,
    /// The names that a pattern gives and no file has.
    pub(super) missing: Vec<String>,
    /// The folder that they lie in: media paths start from it unless the config says otherwise.
    pub(super) folder: PathBuf,
}

impl Listing {
    /// A single file.
    pub(super) fn of_one(path: &Path, folder: PathBuf) -> Self {
        let name = path.file_name().unwrap_or_default();
        Self {
            files: vec![DataFile {
                name: name.to_string_lossy().into_owned(),
                blob: Blob::at(path),
            }],
            missing: Vec::new(),
            folder,
        }
    }
}

/// Whether a name holds what a data file's holds at its end.
pub(super) fn is_data(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_lowercase();
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    ENDINGS.iter().any(|ending| plain.ends_with(ending))
}
