//! The folder that an export goes into.

use std::path::{Path, PathBuf};

use super::ExportError;
use crate::store::{Output, PublishError, clean_stale_temporaries, publish, publish_with};

/// Hears how many rows of a file are written and how many there will be.
pub type Progress = Box<dyn Fn(u64, u64)>;

/// A folder of one export: every file is there whole or not at all.
pub struct Folder {
    root: PathBuf,
    written: Vec<PathBuf>,
    /// What may not be replaced.
    inputs: Vec<PathBuf>,
    progress: Progress,
}

impl Folder {
    /// The folder `root`, which is made when something is written.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self::with_progress(root, Box::new(|_, _| {}))
    }

    /// As [`Folder::new`], telling how far a file of rows is: it may take minutes.
    pub fn with_progress(root: impl Into<PathBuf>, progress: Progress) -> Self {
        Self {
            root: root.into(),
            written: Vec::new(),
            inputs: Vec::new(),
            progress,
        }
    }

    /// Where it lies.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Keeps files that the export is made from: none of them is ever replaced.
    pub(super) fn keep<'a>(&mut self, inputs: impl Iterator<Item = &'a Path>) {
        let there = inputs.filter_map(|path| fs_err::canonicalize(path).ok());
        self.inputs.extend(there);
    }

    /// The path of a file that may be written.
    fn target(&self, name: &str) -> Result<PathBuf, ExportError> {
        let root = &self.root;
        if root.exists() && !root.is_dir() {
            return Err(ExportError::NotAFolder { path: root.clone() });
        }
        let path = root.join(name);
        match fs_err::canonicalize(&path) {
            Ok(found) if self.inputs.contains(&found) => Err(ExportError::Input { path }),
            _ => Ok(path),
        }
    }

    /// Writes a file, replacing one of that name, and returns its path.
    ///
    /// # Errors
    /// When the file is one of the export's datasets; and as [`publish()`].
    pub fn write(&mut self, name: &str, text: &str) -> Result<PathBuf, ExportError> {
        let path = self.target(name)?;
        publish(&path, text.as_bytes())?;
        self.written.push(path.clone());
        Ok(path)
    }

    /// Writes a file that is too large to be held, replacing one of that name, and returns its path and what `write`
    /// returned. `write` also gets whom to tell of its progress.
    ///
    /// # Errors
    /// As [`Folder::write`].
    pub(super) fn write_with<T>(
        &mut self,
        name: &str,
        mut write: impl FnMut(&mut Output<'_>, &Progress) -> Result<T, ExportError>,
    ) -> Result<(PathBuf, T), ExportError> {
        let path = self.target(name)?;
        // What an export that was killed has left here may be as large as the file itself.
        let parent = path.parent().unwrap_or(&self.root);
        clean_stale_temporaries(parent).map_err(|source| PublishError {
            path: path.clone(),
            step: "removing what a killed export left",
            source,
        })?;
        let result = publish_with(&path, |output| write(output, &self.progress))?;
        self.written.push(path.clone());
        Ok((path, result))
    }

    /// The files written so far.
    pub fn written(&self) -> &[PathBuf] {
        &self.written
    }
}
