//! Where the pages of a column lie and how many rows each holds, so that a row's page is read and no other.
//!
//! Many files say so themselves. Of the others the headers are read, and for columns of lists, whose headers do not
//! count rows, once the pages themselves.

use std::ops::Range;

use parquet::basic::Encoding;
use parquet::column::page::Page;
use parquet::errors::{ParquetError, Result};
use parquet::file::page_index::index_reader::decode_offset_index;
use parquet::file::page_index::offset_index::PageLocation;

use super::chunk::OpenChunk;
use super::header::{Header, Kind};
use super::levels::{self, Starts};
use super::places::{Index, Place};

/// The largest index of a column's pages.
const MAX_INDEX_BYTES: u64 = 64 << 20;

impl Index {
    /// The index of a column: the file's own if it makes sense, or one that is made.
    pub(super) fn of(column: &OpenChunk) -> Result<Self> {
        match Self::own(column) {
            Some(index) => Ok(index),
            None => Self::made(column),
        }
    }

    fn own(column: &OpenChunk) -> Option<Self> {
        let chunk = column.chunk();
        let range = chunk.offset_index.clone()?;
        if range.is_empty() || range.end - range.start > MAX_INDEX_BYTES {
            return None;
        }
        let index = decode_offset_index(&column.bytes(range).ok()?).ok()?;
        let locations = index.page_locations();
        let first = locations.first().filter(|page| page.first_row_index == 0)?;
        let dictionary = chunk.start..u64::try_from(first.offset).ok()?;
        let mut after = chunk.start;
        let place = |(i, page): (usize, &PageLocation)| {
            let start = u64::try_from(page.offset).ok()?;
            let end = start.checked_add(u64::try_from(page.compressed_page_size).ok()?)?;
            let next = match locations.get(i + 1) {
                Some(next) => usize::try_from(next.first_row_index).ok()?,
                None => column.rows,
            };
            if start < after || end > chunk.start + chunk.bytes {
                return None;
            }
            after = end;
            let rows = next.checked_sub(usize::try_from(page.first_row_index).ok()?)?;
            Some(Place {
                at: start..end,
                rows: Some(rows),
            })
        };
        Some(Self {
            pages: locations
                .iter()
                .enumerate()
                .map(place)
                .collect::<Option<_>>()?,
            dictionary: (!dictionary.is_empty()).then_some(dictionary),
            broken: None,
        })
    }

    fn made(column: &OpenChunk) -> Result<Self> {
        let chunk = column.chunk();
        let highest = column.column.max_rep_level();
        let (mut index, mut pages) = (Self::default(), Vec::new());
        // Of pages that do not count their rows; the row of the last one ends with the column.
        let mut starts: Vec<Option<Starts>> = Vec::new();
        let mut left = chunk.start..chunk.start + chunk.bytes;
        let mut values = 0;
        while !left.is_empty() {
            let (header, at) = match header(column, left.clone()) {
                Ok(found) => found,
                Err(error) if column.unread.get().is_some() => return Err(error),
                Err(error) => {
                    index.broken = Some(error.to_string());
                    break;
                }
            };
            left.start = at.end;
            match header.kind {
                Kind::Other => continue,
                Kind::Dictionary => {
                    index.dictionary = Some(at);
                    continue;
                }
                Kind::Data => values += header.values as u64,
            }
            if values > chunk.values {
                index.broken = Some("more values than the footer says".to_owned());
                break;
            }
            let counted = if highest == 0 {
                Some(header.values)
            } else {
                header.rows
            };
            starts.push(match counted {
                Some(rows) => Some(Starts {
                    rows,
                    at_first: true,
                }),
                None => learned(column, at.clone(), highest)?,
            });
            pages.push(Place { at, rows: None });
        }
        for (i, page) in pages.iter_mut().enumerate() {
            let goes_on = match starts.get(i + 1) {
                Some(next) => next.is_none_or(|next| !next.at_first),
                None => index.broken.is_some(),
            };
            page.rows = starts[i]
                .filter(|starts| starts.at_first && !goes_on)
                .map(|starts| starts.rows);
        }
        index.pages = pages.into();
        Ok(index)
    }
}

/// Where rows start in a page, from the page itself; nothing if it is damaged.
fn learned(column: &OpenChunk, at: Range<u64>, highest: i16) -> Result<Option<Starts>> {
    match column.page(at) {
        Ok(Page::DataPage {
            buf,
            num_values,
            rep_level_encoding: Encoding::RLE,
            ..
        }) => Ok(levels::starts(&buf, num_values as usize, highest)),
        Err(error) if column.unread.get().is_some() => Err(error),
        _ => Ok(None),
    }
}

/// The header at the start of what is left of a column, and where its page lies.
fn header(column: &OpenChunk, left: Range<u64>) -> Result<(Header, Range<u64>)> {
    let damaged = |what: &str| ParquetError::General(what.to_owned());
    let mut tried = None;
    while let Some(bytes) = Header::next_try(tried) {
        let end = left.end.min(left.start + bytes as u64);
        if let Some(header) = Header::parse(&column.bytes(left.start..end)?)? {
            let bytes = (header.own_bytes + header.packed_bytes) as u64;
            if bytes > left.end - left.start {
                return Err(damaged("a page is longer than its column"));
            }
            return Ok((header, left.start..left.start + bytes));
        }
        if end == left.end {
            break;
        }
        tried = Some(bytes);
    }
    Err(damaged("a page's header has no end"))
}
