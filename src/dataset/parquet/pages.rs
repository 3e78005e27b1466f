//! The pages of one column in one row group, read from anywhere and only when they are needed.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use flate2::read::MultiGzDecoder;
use parquet::basic::{Compression, Encoding};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::page_index::index_reader::decode_offset_index;
use parquet::file::reader::{ChunkReader, SerializedPageReader};
use parquet::schema::types::ColumnDescPtr;

use super::header::{Header, Kind};
use crate::blob::Reader;

/// The largest index of a column's pages.
const MAX_INDEX_BYTES: u64 = 64 << 20;

/// Where a column of a row group lies: all that is kept of what the footer says about it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Chunk {
    pub(super) start: u64,
    pub(super) bytes: u64,
    /// Values in all of its pages, with those that are null.
    pub(super) values: u64,
    pub(super) codec: Compression,
    /// Where the index of its pages lies.
    pub(super) index: Option<Range<u64>>,
}

/// Remembers that the file could not be read, which is something else than a file that is damaged: the parquet crate
/// makes text of both.
pub(super) type Unread = Arc<OnceLock<io::ErrorKind>>;

/// The pages of a column, in their order.
pub(super) struct Pages {
    file: Reader,
    chunk: Chunk,
    column: ColumnDescPtr,
    place: Place,
    /// Looked at, not taken.
    ahead: Option<Found>,
    /// A dictionary that was passed over, in case that it is needed after all.
    passed: Option<Found>,
    values: u64,
    unread: Unread,
}

enum Place {
    /// From header to header.
    Walk(Range<u64>),
    /// As the index says.
    Index {
        dictionary: Option<Range<u64>>,
        pages: VecDeque<Found>,
    },
}

/// Where a page lies, with its header.
#[derive(Clone, Debug)]
struct Found {
    at: Range<u64>,
    dictionary: bool,
    /// Where that is known without its values.
    rows: Option<usize>,
    values: Option<usize>,
}

impl Pages {
    /// Of a row group with so many rows.
    pub(super) fn new(
        file: Reader,
        chunk: Chunk,
        column: ColumnDescPtr,
        rows: usize,
        unread: Unread,
    ) -> Self {
        let mut pages = Self {
            place: Place::Walk(chunk.start..chunk.start + chunk.bytes),
            file,
            chunk,
            column,
            ahead: None,
            passed: None,
            values: 0,
            unread,
        };
        if let Some(index) = pages.index(rows) {
            pages.place = index;
        }
        pages
    }

    /// The index, if there is one that makes sense. Without it the pages are found all the same.
    fn index(&self, rows: usize) -> Option<Place> {
        let range = self.chunk.index.clone()?;
        if range.is_empty() || range.end - range.start > MAX_INDEX_BYTES {
            return None;
        }
        let bytes = self.bytes(range).ok()?;
        let index = decode_offset_index(&bytes).ok()?;
        let locations = index.page_locations();
        let mut pages = VecDeque::with_capacity(locations.len());
        let mut after = self.chunk.start;
        for (i, page) in locations.iter().enumerate() {
            let start = u64::try_from(page.offset).ok()?;
            let end = start.checked_add(u64::try_from(page.compressed_page_size).ok()?)?;
            let first = usize::try_from(page.first_row_index).ok()?;
            let next = match locations.get(i + 1) {
                Some(next) => usize::try_from(next.first_row_index).ok()?,
                None => rows,
            };
            if start < after || end > self.chunk.start + self.chunk.bytes {
                return None;
            }
            after = end;
            pages.push_back(Found {
                at: start..end,
                dictionary: false,
                rows: Some(next.checked_sub(first)?),
                values: None,
            });
        }
        let first = locations.first()?;
        if first.first_row_index != 0 {
            return None;
        }
        let dictionary = self.chunk.start..first.offset as u64;
        Some(Place::Index {
            dictionary: (!dictionary.is_empty()).then_some(dictionary),
            pages,
        })
    }

    fn bytes(&self, range: Range<u64>) -> Result<Vec<u8>> {
        let mut bytes = vec![0; (range.end - range.start) as usize];
        self.file
            .read_exact_at(&mut bytes, range.start)
            .map_err(|error| {
                let _ = self.unread.set(error.kind());
                ParquetError::from(error)
            })?;
        Ok(bytes)
    }

    fn find(&mut self) -> Result<Option<Found>> {
        if let Place::Index { dictionary, pages } = &mut self.place {
            let dictionary = dictionary.take().map(|at| Found {
                at,
                dictionary: true,
                rows: None,
                values: None,
            });
            return Ok(dictionary.or_else(|| pages.pop_front()));
        }
        loop {
            let Place::Walk(left) = &self.place else {
                return Ok(None);
            };
            if left.is_empty() {
                return Ok(None);
            }
            let left = left.clone();
            let header = self.header(left.clone())?;
            let bytes = (header.header_bytes + header.packed_bytes) as u64;
            if bytes > left.end - left.start {
                return Err(ParquetError::General(
                    "a page is longer than its column".to_owned(),
                ));
            }
            let at = left.start..left.start + bytes;
            self.place = Place::Walk(at.end..left.end);
            if header.kind != Kind::Other {
                return Ok(Some(Found {
                    at,
                    dictionary: header.kind == Kind::Dictionary,
                    rows: header.rows,
                    values: Some(header.values),
                }));
            }
        }
    }

    fn header(&self, left: Range<u64>) -> Result<Header> {
        let mut tried = None;
        while let Some(bytes) = Header::next_try(tried) {
            let end = left.end.min(left.start + bytes as u64);
            if let Some(header) = Header::parse(&self.bytes(left.start..end)?)? {
                return Ok(header);
            }
            if end == left.end {
                break;
            }
            tried = Some(bytes);
        }
        Err(ParquetError::General("a page's header has no end".into()))
    }

    /// Reads and unpacks a page whose sizes are possible.
    fn load(&mut self, found: &Found) -> Result<Page> {
        let bytes = self.bytes(found.at.clone())?;
        let damaged = |what: &str| ParquetError::General(what.to_owned());
        let header = Header::parse(&bytes)?.ok_or_else(|| damaged("a page's header has no end"))?;
        let packed = &bytes[header.header_bytes..];
        if header.packed_bytes != packed.len() {
            return Err(damaged("the index of pages does not fit the pages"));
        }
        if header.kind == Kind::Data {
            self.values += header.values as u64;
            if self.values > self.chunk.values {
                return Err(damaged("more values than the footer says"));
            }
        }
        // The crate unpacks all of a gzip stream, whatever the header says.
        if matches!(self.chunk.codec, Compression::GZIP(_)) {
            let limit = header.unpacked_bytes as u64;
            let mut unpacked = MultiGzDecoder::new(packed).take(limit + 1);
            if io::copy(&mut unpacked, &mut io::sink()).is_ok_and(|bytes| bytes > limit) {
                return Err(damaged("a page unpacks to more than its header says"));
            }
        }
        self.unpack(bytes)
    }

    /// Unpacks a page as if it were the only one of a file.
    fn unpack(&self, bytes: Vec<u8>) -> Result<Page> {
        let chunk = ColumnChunkMetaData::builder(Arc::clone(&self.column))
            .set_compression(self.chunk.codec)
            .set_total_compressed_size(bytes.len() as i64)
            .set_data_page_offset(0)
            .build()?;
        let file = Arc::new(in_memory(bytes));
        SerializedPageReader::new(file, &chunk, 0, None)?
            .get_next_page()?
            .ok_or_else(|| ParquetError::General("a page without content".to_owned()))
    }
}

/// Bytes as the parquet crate holds them. It has a type for them that it does not name, so that one of its own values
/// has to give it.
fn in_memory(bytes: Vec<u8>) -> impl ChunkReader {
    let page = Page::DictionaryPage {
        buf: bytes.into(),
        num_values: 0,
        encoding: Encoding::PLAIN,
        is_sorted: false,
    };
    page.buffer().clone()
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let found = match self.ahead.take() {
            Some(found) => Some(found),
            None => self.find()?,
        };
        found.map(|found| self.load(&found)).transpose()
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        if self.ahead.is_none() {
            self.ahead = self.find()?;
        }
        Ok(self.ahead.as_ref().map(|found| PageMetadata {
            num_rows: found.rows,
            num_levels: found.values,
            is_dict: found.dictionary,
        }))
    }

    fn skip_next_page(&mut self) -> Result<()> {
        let found = match self.ahead.take() {
            Some(found) => Some(found),
            None => self.find()?,
        };
        if found.as_ref().is_some_and(|found| found.dictionary) {
            self.passed = found;
        }
        Ok(())
    }

    fn supports_deferred_dictionary(&self) -> bool {
        true
    }

    fn take_deferred_dictionary(&mut self) -> Result<Option<Page>> {
        let passed = self.passed.take();
        passed.map(|found| self.load(&found)).transpose()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        if let Place::Index { .. } = self.place {
            return Ok(true);
        }
        let next = self.peek_next_page()?;
        Ok(next.is_none_or(|next| next.num_rows.is_some()))
    }
}
