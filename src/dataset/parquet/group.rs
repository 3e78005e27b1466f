//! One row group, decoded in part.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use parquet::arrow::arrow_reader::{
    ParquetRecordBatchReader, RowGroups, RowSelection, RowSelector,
};
use parquet::column::page::{PageIterator, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

use super::cache::CachedFile;
use super::chunk::{Chunk, OpenChunk, Unread};
use super::columns::View;
use super::pages::Pages;
use crate::blob::Reader;
use crate::dataset::SampleProblem;
use crate::wall;

/// A row group of an open file.
pub(super) struct Group<'a> {
    pub(super) file: &'a Reader,
    pub(super) view: &'a View,
    /// Where the view's columns lie.
    pub(super) chunks: &'a Arc<[Chunk]>,
    /// How many rows it has.
    pub(super) rows: usize,
    /// Where its pages are kept, if they are to be.
    pub(super) cached: Option<&'a Arc<CachedFile>>,
}

impl Group<'_> {
    /// Decodes some rows, at most `at_once` at a time, and hands them to `each`. A damaged file is an error, and so is a
    /// panic of the parquet crate.
    pub(super) fn decode(
        &self,
        rows: Range<usize>,
        at_once: usize,
        mut each: impl FnMut(&RecordBatch) -> std::result::Result<(), SampleProblem>,
    ) -> std::result::Result<(), SampleProblem> {
        let unread = Unread::default();
        let decoded = wall::behind(|| self.decode_unguarded(rows, at_once, &unread, &mut each));
        decoded
            .unwrap_or_else(|panic| Err(SampleProblem::Damaged(panic)))
            .map_err(|problem| match unread.get() {
                Some(std::io::ErrorKind::UnexpectedEof) | None => problem,
                Some(kind) => SampleProblem::Io(*kind),
            })
    }

    fn decode_unguarded(
        &self,
        rows: Range<usize>,
        at_once: usize,
        unread: &Unread,
        each: &mut dyn FnMut(&RecordBatch) -> std::result::Result<(), SampleProblem>,
    ) -> std::result::Result<(), SampleProblem> {
        let damaged = |reason: String| SampleProblem::Damaged(reason);
        let selection = RowSelection::from(vec![
            RowSelector::skip(rows.start),
            RowSelector::select(rows.len()),
        ]);
        let source = Source {
            group: self,
            unread,
        };
        let batches = ParquetRecordBatchReader::try_new_with_row_groups(
            &self.view.levels,
            &source,
            at_once.min(rows.len()),
            Some(selection),
        )
        .map_err(|error| damaged(error.to_string()))?;
        let mut missing = rows.len();
        for batch in batches {
            let batch = batch.map_err(|error| damaged(error.to_string()))?;
            missing = missing.saturating_sub(batch.num_rows());
            each(&batch)?;
        }
        if missing > 0 {
            return Err(damaged("the row group ends before its last row".to_owned()));
        }
        Ok(())
    }
}

/// What the parquet crate reads from.
struct Source<'a> {
    group: &'a Group<'a>,
    unread: &'a Unread,
}

impl RowGroups for Source<'_> {
    fn num_rows(&self) -> usize {
        self.group.rows
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>> {
        let group = self.group;
        let at = group.view.columns.binary_search(&column);
        let at =
            at.map_err(|_| ParquetError::General("a column that was not asked for".to_owned()))?;
        let pages = Pages::new(OpenChunk {
            file: group.file.clone(),
            chunks: Arc::clone(group.chunks),
            at,
            column: group.view.schema.column(column),
            rows: group.rows,
            cached: group.cached.map(Arc::clone),
            unread: Arc::clone(self.unread),
        })?;
        Ok(Box::new(One(Some(pages))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(std::iter::empty())
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.group.view.footer
    }
}

/// The column of a single row group.
struct One(Option<Pages>);

impl Iterator for One {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(|pages| Ok(Box::new(pages) as _))
    }
}

impl PageIterator for One {}
