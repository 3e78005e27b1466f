//! The files of a dataset.

use std::path::Path;

use super::DatasetProblem;
use super::remote_files::remote_files;
use crate::blob::{Blob, url_of};

/// A file of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DataFile {
    /// Its name from the dataset's folder on, the same on every machine.
    pub(super) name: String,
    /// Where it lies.
    pub(super) blob: Blob,
}

/// The files that a path names, in the order of their rows: itself, the data files of a folder, or what a pattern
/// matches.
pub(super) fn list(path: &Path) -> Result<Vec<DataFile>, DatasetProblem> {
    if let Some(url) = url_of(path) {
        return remote_files(url);
    }
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let metadata = fs_err::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => DatasetProblem::NoFile,
        _ => error.into(),
    })?;
    if !metadata.is_file() {
        return Err(DatasetProblem::NotAFile);
    }
    let blob = Blob::at(path);
    Ok(vec![DataFile { name, blob }])
}
