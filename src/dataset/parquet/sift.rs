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

/// What came of the rows of a group that were looked at so far. Rows are told off as they are decoded: a few bytes of a
/// file may stand for millions of them.
#[derive(Default)]
struct Found {
    /// How many were looked at.
    rows: usize,
    kept: Kept,
    sift: Sift,
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
        let mut found = match self.look(file, before_footer, group, first, &self.light)? {
            Ok((found, tries)) => {
                self.tries = tries;
                found
            }
            Err(reason) => return Ok(Err(reason)),
        };
        // A picture without a path may be one without bytes too, which is none.
        if !self.counted.is_empty()
            && footer::nulls(group, &self.counted) != Some(found.absent)
            && let Ok((again, tries)) = self.look(file, before_footer, group, first, &self.heavy)?
        {
            self.tries = tries;
            found = again;
        }
        kept.append(&found.kept);
        self.sift.add(found.sift);
        Ok(Ok(()))
    }

    /// Reads what a view shows of a row group; also how many tries are left.
    fn look(
        &self,
        file: &Reader,
        before_footer: u64,
        group: &RowGroupMetaData,
        first: u32,
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
            for _ in 0..group.rows {
                found.add(self.sieve, first, Some(&Described::default()));
            }
        } else {
            self.rows(&group, 0..group.rows, first, &mut found, &mut tries)?;
        }
        Ok(Ok((found, tries)))
    }

    fn rows(
        &self,
        group: &Group<'_>,
        rows: Range<usize>,
        first: u32,
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
                found.add(self.sieve, first, described.ok().as_ref());
            }
            Ok(())
        });
        match decoded {
            Ok(()) => Ok(()),
            Err(SampleProblem::Io(kind)) => Err(std::io::Error::from(kind).into()),
            // Rows before the damage were described. Of the rest one half may lie well.
            Err(_) => {
                let left = found.rows.min(rows.end)..rows.end;
                if left.len() > 1 && *tries > 0 {
                    *tries -= 1;
                    let middle = left.start + left.len() / 2;
                    self.rows(group, left.start..middle, first, found, tries)?;
                    return self.rows(group, middle..left.end, first, found, tries);
                }
                for _ in left {
                    found.add(self.sieve, first, None);
                }
                Ok(())
            }
        }
    }
}

impl Found {
    /// Takes the next row of a group whose first row is `first`; nothing of one that does not decode.
    fn add(&mut self, sieve: &Sieve<'_>, first: u32, described: Option<&Described>) {
        let row = first + self.rows as u32;
        self.rows += 1;
        if sieve.keeps(described, &mut self.sift) {
            self.kept.push(row..row + 1);
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
