//! Finds the rows that a filter keeps, without reading what it does not ask for.

use std::ops::Range;

use arrow_array::RecordBatch;

use parquet::file::metadata::RowGroupMetaData;

use super::columns::{Columns, DATA_SOURCE, MEDIA, MESSAGES, View};
use super::error::ParquetProblem;
use super::group::Group;
use super::kept::Kept;
use super::media::{absent, shown};
use super::rows::unpack;
use super::value::{Budget, bytes, utf8, value};
use super::{check_codecs, footer};
use crate::blob::Reader;
use crate::dataset::filter::{Described, Sieve, Sift};
use crate::dataset::row;
use crate::dataset::{DatasetProblem, SampleProblem};

/// Rows at a time.
const AT_ONCE: usize = 1024;
/// The same where the bytes of pictures have to be read, which may stand in messages too.
const HEAVY_AT_ONCE: usize = 16;

/// How often rows of a damaged row group are tried again, so that those that lie well are found.
const MAX_TRIES: usize = 4096;

/// A filter at work on a file.
pub(super) struct Sifter<'a> {
    sieve: &'a Sieve<'a>,
    /// What is read at first.
    light: View,
    /// What is read where paths do not tell pictures from their absence.
    heavy: View,
    /// The columns of which it has to be known how many values are null.
    counted: Vec<usize>,
    tries: usize,
    pub(super) sift: Sift,
}

/// What was found out about the rows of a group, the first ones first; nothing of one that does not decode.
#[derive(Default)]
struct Found {
    rows: Vec<Option<Described>>,
    /// How many pictures' bytes are null because there is no picture.
    absent: u64,
}

impl<'a> Sifter<'a> {
    pub(super) fn new(sieve: &'a Sieve<'a>, columns: &Columns) -> Result<Self, ParquetProblem> {
        let counted = if sieve.wants_media() {
            columns.beside_paths()
        } else {
            Vec::new()
        };
        Ok(Self {
            sieve,
            light: columns.of_filter(sieve, false)?,
            heavy: columns.of_filter(sieve, true)?,
            counted,
            tries: MAX_TRIES,
            sift: Sift::default(),
        })
    }

    /// The columns whose statistics it wants.
    pub(super) fn counted(&self) -> &[usize] {
        &self.counted
    }

    /// Keeps what the filter keeps of a row group whose first row is `first`; or says why it cannot lie where it should.
    pub(super) fn group(
        &mut self,
        file: &Reader,
        before_footer: u64,
        group: &RowGroupMetaData,
        first: u32,
        kept: &mut Kept,
    ) -> Result<Result<(), String>, DatasetProblem> {
        let mut found = match self.look(file, before_footer, group, &self.light)? {
            Ok((found, tries)) => {
                self.tries = tries;
                found
            }
            Err(reason) => return Ok(Err(reason)),
        };
        // A picture without a path may be one without bytes too, which is none.
        if !self.counted.is_empty()
            && footer::nulls(group, &self.counted) != Some(found.absent)
            && let Ok((again, tries)) = self.look(file, before_footer, group, &self.heavy)?
        {
            self.tries = tries;
            found = again;
        }
        for (row, described) in (first..).zip(found.rows) {
            if self.sieve.keeps(described.as_ref(), &mut self.sift) {
                kept.push(row..row + 1);
            }
        }
        Ok(Ok(()))
    }

    /// Reads what a view shows of a row group; also how many tries are left.
    fn look(
        &self,
        file: &Reader,
        before_footer: u64,
        group: &RowGroupMetaData,
        view: &View,
    ) -> Result<Result<(Found, usize), String>, DatasetProblem> {
        let chunks = match footer::chunks(group, &view.columns, before_footer) {
            Ok(chunks) => chunks,
            Err(reason) => return Ok(Err(reason)),
        };
        check_codecs(view, &chunks)?;
        let group = Group {
            file,
            view,
            chunks: &chunks,
            rows: group.num_rows() as usize,
            // Each page is read once.
            cached: None,
        };
        let mut found = Found::default();
        let mut tries = self.tries;
        if view.columns.is_empty() {
            // Nothing to tell rows apart by.
            found.rows = vec![Some(Described::default()); group.rows];
        } else {
            self.rows(&group, 0..group.rows, &mut found, &mut tries)?;
        }
        Ok(Ok((found, tries)))
    }

    fn rows(
        &self,
        group: &Group<'_>,
        rows: Range<usize>,
        found: &mut Found,
        tries: &mut usize,
    ) -> Result<(), DatasetProblem> {
        let at_once = if group.view.heavy || group.view.has(MESSAGES) {
            HEAVY_AT_ONCE
        } else {
            AT_ONCE
        };
        let decoded = group.decode(rows.clone(), at_once, |batch| {
            for at in 0..batch.num_rows() {
                let described = described(batch, at, group.view, self.sieve, &mut found.absent);
                found.rows.push(described.ok());
            }
            Ok(())
        });
        match decoded {
            Ok(()) => Ok(()),
            Err(SampleProblem::Io(kind)) => Err(std::io::Error::from(kind).into()),
            // Rows before the damage were described. Of the rest one half may lie well.
            Err(_) => {
                let left = found.rows.len().min(rows.end)..rows.end;
                if left.len() > 1 && *tries > 0 {
                    *tries -= 1;
                    let middle = left.start + left.len() / 2;
                    self.rows(group, left.start..middle, found, tries)?;
                    return self.rows(group, middle..left.end, found, tries);
                }
                found.rows.resize(rows.end, None);
                Ok(())
            }
        }
    }
}

/// What a filter asks about a row.
fn described(
    batch: &RecordBatch,
    at: usize,
    view: &View,
    sieve: &Sieve<'_>,
    missing: &mut u64,
) -> Result<Described, SampleProblem> {
    let mut described = Described::default();
    if let Some(cells) = batch.column_by_name(DATA_SOURCE)
        && let Some(text) = bytes(cells, at)
    {
        described.data_source = Some(utf8(DATA_SOURCE, text)?.to_owned());
    }
    if sieve.wants_media() {
        for (kind, keys) in MEDIA {
            let found = described.media_mut(kind);
            for key in keys {
                let Some(cells) = batch.column_by_name(key) else {
                    continue;
                };
                if view.is_written(key) {
                    let written = value(key, cells, at, &mut Budget::default())?;
                    row::named(&written, found);
                } else {
                    *missing += absent(cells, at);
                    shown(key, cells, at, &mut |media| {
                        let is_there = media.bytes.is_some() || !media.path.is_empty();
                        if is_there || !view.heavy {
                            found.push(media.path.to_owned());
                        }
                        Ok(())
                    })?;
                }
            }
        }
        if let Some(cells) = batch.column_by_name(MESSAGES) {
            let mut messages = value(MESSAGES, cells, at, &mut Budget::default())?;
            unpack(&mut messages)?;
            row::shown_in(&messages, &mut described);
        }
    }
    Ok(described)
}
