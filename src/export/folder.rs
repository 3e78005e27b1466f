//! The folder that an export goes into.

use std::path::{Path, PathBuf};

use super::ExportError;
use crate::store::publish;

/// A folder of one export: every file is there whole or not at all.
pub struct Folder {
    root: PathBuf,
    written: Vec<PathBuf>,
}

impl Folder {
    /// The folder `root`, which is made when something is written.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            written: Vec::new(),
        }
    }

    /// Where it lies.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Writes a file, replacing one of that name, and returns its path.
    ///
    /// # Errors
    /// As [`publish()`].
    pub fn write(&mut self, name: &str, text: &str) -> Result<PathBuf, ExportError> {
        let path = self.root.join(name);
        publish(&path, text.as_bytes())?;
        self.written.push(path.clone());
        Ok(path)
    }

    /// The files written so far.
    pub fn written(&self) -> &[PathBuf] {
        &self.written
    }
}
