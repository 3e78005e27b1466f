//! What lies in a checkpoint's folder.

use std::path::Path;

use super::CheckpointError;

/// Names of the files (and links to files) in `folder`, sorted.
pub(super) fn file_names(folder: &Path) -> Result<Vec<String>, CheckpointError> {
    let mut names = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        if !entry.path().is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}
