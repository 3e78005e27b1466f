//! Reads rows as lines, a batch at a time, on all processors.

use std::io::ErrorKind;
use std::path::Path;

use rayon::prelude::*;

use super::Layout;
use super::media::MediaFiles;

use crate::dataset::{
    self, Dataset, DatasetError, DatasetProblem, DatasetSpec, MediaKind, SampleProblem,
};
use crate::export::ExportError;

/// How many rows are read at once: enough to keep every processor busy, few enough to hold.
pub(super) const BATCH: usize = 1024;

/// A row, written.
pub(super) struct Line {
    /// The row as JSON, with the end of its line.
    pub(super) text: String,
    /// Whether it has a video.
    pub(super) video: bool,
}

/// A dataset whose rows are written.
pub(super) struct Reader<'a> {
    spec: &'a DatasetSpec,
    rows: Box<dyn Dataset>,
    layout: Layout,
    files: MediaFiles,
}

impl<'a> Reader<'a> {
    /// Opens a dataset whose rows go into the export's folder `root`.
    pub(super) fn open(
        spec: &'a DatasetSpec,
        layout: Layout,
        root: &Path,
    ) -> Result<Self, ExportError> {
        Ok(Self {
            files: MediaFiles::new(root, &spec.name),
            spec,
            rows: dataset::open(spec)?,
            layout,
        })
    }

    /// How many rows there are, those that cannot be used among them.
    pub(super) fn len(&self) -> u64 {
        self.rows.len()
    }

    /// The row at `index`; `None` when it cannot be used.
    ///
    /// # Errors
    /// When it is the file that cannot be read: that says nothing about the row.
    pub(super) fn line(&self, index: u64) -> Result<Option<Line>, ExportError> {
        match self.rows.read(index) {
            Ok(sample) => {
                let video = sample.media.iter().any(|m| m.kind == MediaKind::Video);
                match self.layout.line(sample, &self.spec.name, &self.files) {
                    Ok(mut text) => {
                        text.push('\n');
                        Ok(Some(Line { text, video }))
                    }
                    // A frame of a list, or an object of a bucket, that is not there.
                    Err(ExportError::Media { source, .. })
                        if source.kind() == ErrorKind::NotFound =>
                    {
                        Ok(None)
                    }
                    Err(error) => Err(error),
                }
            }
            Err(error) => match error.problem {
                SampleProblem::Io(kind) => Err(ExportError::Dataset(DatasetError {
                    name: self.spec.name.clone(),
                    path: self.spec.path.clone(),
                    problem: DatasetProblem::Io(kind.into()),
                })),
                _ => Ok(None),
            },
        }
    }

    /// The error for a dataset of which no row can be used.
    pub(super) fn nothing_readable(&self) -> ExportError {
        ExportError::NothingReadable {
            name: self.spec.name.clone(),
            path: self.spec.path.clone(),
            rows: self.len(),
        }
    }
}

/// The lines of a batch of rows, in its order.
pub(super) fn batch<T: Sync>(
    rows: &[T],
    line: impl Fn(&T) -> Result<Option<Line>, ExportError> + Send + Sync,
) -> Result<Vec<Option<Line>>, ExportError> {
    rows.par_iter().map(line).collect()
}
