//! Parquet as Hugging Face `datasets` and others write it: LLaVA-OneVision-Data, The
//! Cauldron, `FineVision`, and messages.
//!
//! ```text
//! id: string, image: struct<bytes: binary, path: string>, conversations: list<struct<from: string, value: string>>, data_source: string
//! ```
//!
//! Columns stand for the keys that a row of JSON would have; `columns` says which are read. Opening reads the footer
//! alone (and, for a filter, the columns that it asks for), and reading a row decodes only the pages that hold it, so
//! that a file may be far larger than memory. Files are not kept open: a dataset may have thousands.
//!
//! A file's fingerprint is of its footer, its length, and the first and the last 64 KiB before the footer, so that opening
//! does not read what may be a terabyte. A file that is rewritten in place with the same footer and the same length is
//! taken for the same, unless what has changed lies there: whoever changes pictures or texts in the middle of a large file
//! and neither their sizes nor their statistics should give the file another name, or clear the cache.
//!
//! Nothing that a file claims about sizes is believed before it is checked, and a panic of the parquet crate is a
//! failure of the row that it was decoding.

mod cache;
mod chunk;
mod columns;
pub(super) mod error;
mod footer;
mod group;
mod header;
mod index;
mod kept;
mod levels;
mod media;
mod pages;
mod places;
mod rows;
mod sift;
mod texts;
mod thrift;
mod value;

use std::sync::Arc;

pub use error::ParquetProblem;

use super::filter::Sift;
use super::format::{Format, Opened, Opening};
use super::{DatasetProblem, Fault};
use cache::CachedFile;
use chunk::Chunk;
use columns::{Columns, View};
use kept::Kept;
use rows::{ParquetRows, Place};
use sift::Sifter;

pub(super) const FORMAT: Format = Format {
    name: "parquet",
    title: "parquet",
    // The second is of encrypted files, which are refused with their reason.
    recognises: |head| head.starts_with(b"PAR1") || head.starts_with(b"PARE"),
    open,
};

/// The most rows of a file, as of one of JSON.
const MAX_ROWS: u64 = 1 << 28;

fn open(opening: &Opening<'_>) -> Result<Opened, DatasetProblem> {
    let file = opening.blob.open()?;
    let footer = footer::read(&file)?;
    let columns = Columns::new(Arc::clone(&footer.schema))?;
    let view = columns.of_rows()?;
    let mut sifter = opening
        .sieve
        .map(|sieve| Sifter::new(sieve, &columns))
        .transpose()?;
    let counted = sifter.as_ref().map_or(&[][..], Sifter::counted);
    let metadata = footer.metadata(counted)?;
    let mut lost = Lost::default();
    let (mut groups, mut kept, mut total) = (Vec::new(), Kept::default(), 0_u64);
    let row_groups = metadata.row_groups();
    for (number, group) in row_groups.iter().enumerate() {
        let first = total;
        let rows = u64::try_from(group.num_rows()).unwrap_or(u64::MAX);
        total = first.saturating_add(rows);
        if total > MAX_ROWS {
            return Err(DatasetProblem::TooManyRows { max: MAX_ROWS });
        }
        let chunks = match footer::chunks(group, &view.columns, footer.start) {
            Ok(chunks) => chunks,
            Err(reason) => {
                lost.add(number, reason, rows);
                continue;
            }
        };
        check_codecs(&view, &chunks)?;
        match &mut sifter {
            None => kept.push(first as u32..total as u32),
            Some(sifter) => {
                if let Err(reason) =
                    sifter.group(&file, footer.start, group, first as u32, &mut kept)?
                {
                    lost.add(number, reason, rows);
                    continue;
                }
                let done = file.len() * (number as u64 + 1) / row_groups.len() as u64;
                (opening.progress)(done, file.len());
            }
        }
        groups.push(Place {
            first,
            rows: rows as usize,
            chunks,
        });
    }
    (opening.progress)(file.len(), file.len());
    let faults = lost.faults(groups.is_empty())?;
    let rows = ParquetRows {
        blob: opening.blob.clone(),
        view,
        groups,
        kept,
        total,
        fingerprint: footer.fingerprint,
        media: Arc::clone(opening.media),
        cached: Arc::new(CachedFile::new()),
    };
    Ok(Opened {
        rows: Box::new(rows),
        sift: sifter.map_or_else(Sift::default, |sifter| sifter.sift),
        faults,
    })
}

fn check_codecs(view: &View, chunks: &[Chunk]) -> Result<(), ParquetProblem> {
    for (column, chunk) in view.columns.iter().zip(chunks) {
        if let Some(codec) = footer::unread(chunk.codec) {
            return Err(ParquetProblem::Codec {
                column: view.schema.column(*column).path().string(),
                codec,
            });
        }
    }
    Ok(())
}

/// Row groups that cannot be read.
#[derive(Default)]
struct Lost {
    first: Option<ParquetProblem>,
    groups: u64,
    rows: u64,
}

impl Lost {
    fn add(&mut self, group: usize, reason: String, rows: u64) {
        self.first
            .get_or_insert(ParquetProblem::Group { group, reason });
        self.groups += 1;
        self.rows += rows;
    }

    /// One fault for all of them; an error when there is nothing else in the file.
    fn faults(self, all: bool) -> Result<Vec<Fault>, ParquetProblem> {
        match self.first {
            None => Ok(Vec::new()),
            Some(first) if all => Err(first),
            Some(first) => {
                let more = match self.groups - 1 {
                    0 => String::new(),
                    more => format!(" (and {more} more)"),
                };
                Ok(vec![Fault::new(format!("{first}{more}"), self.rows)])
            }
        }
    }
}
