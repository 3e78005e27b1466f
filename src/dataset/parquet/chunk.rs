//! One column of one row group: where it lies, and how its pages are read and unpacked.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use flate2::read::MultiGzDecoder;
use parquet::basic::{Compression, Encoding};
use parquet::column::page::{Page, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, SerializedPageReader};
use parquet::schema::types::ColumnDescPtr;

use super::cache::{self, CachedFile};
use super::header::Header;
use super::places::Index;
use super::texts;
use crate::blob::Reader;

/// Where a column of a row group lies: all that is kept of what the footer says about it.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) start: u64,
    pub(super) bytes: u64,
    /// Values in all of its pages, with those that are null.
    pub(super) values: u64,
    pub(super) codec: Compression,
    /// Where the file's own index of its pages lies.
    pub(super) offset_index: Option<Range<u64>>,
    /// Its pages, once they were looked for.
    pub(super) index: OnceLock<Index>,
}

/// Remembers that the file could not be read, which is something else than a file that is damaged: the parquet crate
/// makes text of both.
pub(super) type Unread = Arc<OnceLock<io::ErrorKind>>;

/// A column of a row group of an open file.
pub(super) struct OpenChunk {
    pub(super) file: Reader,
    pub(super) chunks: Arc<[Chunk]>,
    /// Which of them it is.
    pub(super) at: usize,
    pub(super) column: ColumnDescPtr,
    /// Rows of the row group.
    pub(super) rows: usize,
    /// Where its pages are kept, if they are.
    pub(super) cached: Option<Arc<CachedFile>>,
    pub(super) unread: Unread,
}

impl OpenChunk {
    pub(super) fn chunk(&self) -> &Chunk {
        &self.chunks[self.at]
    }

    pub(super) fn bytes(&self, range: Range<u64>) -> Result<Vec<u8>> {
        let mut bytes = vec![0; (range.end - range.start) as usize];
        self.file
            .read_exact_at(&mut bytes, range.start)
            .map_err(|error| {
                // The first one is the reason of all that follow.
                let _ = self.unread.set(error.kind());
                ParquetError::from(error)
            })?;
        Ok(bytes)
    }

    /// A page, unpacked.
    pub(super) fn page(&self, at: Range<u64>) -> Result<Page> {
        let key = self.cached.as_ref().map(|file| file.key(at.start));
        if let Some(page) = key.and_then(cache::get) {
            return Ok(page);
        }
        let page = self.read(at)?;
        if let Some(key) = key {
            cache::put(key, &page);
        }
        Ok(page)
    }

    /// Reads and unpacks a page whose sizes are possible.
    fn read(&self, at: Range<u64>) -> Result<Page> {
        let damaged = |what: &str| ParquetError::General(what.to_owned());
        let bytes = self.bytes(at)?;
        let header = Header::parse(&bytes)?.ok_or_else(|| damaged("a page's header has no end"))?;
        let packed = &bytes[header.own_bytes..];
        if header.packed_bytes != packed.len() {
            return Err(damaged("the index of pages does not fit the pages"));
        }
        if header.values as u64 > self.chunk().values && !header.is_dictionary() {
            return Err(damaged("more values than the footer says"));
        }
        // The crate unpacks all of a gzip stream, whatever the header says.
        if matches!(self.chunk().codec, Compression::GZIP(_)) {
            let limit = header.unpacked_bytes as u64;
            let mut unpacked = MultiGzDecoder::new(packed).take(limit + 1);
            if io::copy(&mut unpacked, &mut io::sink()).is_ok_and(|bytes| bytes > limit) {
                return Err(damaged("a page unpacks to more than its header says"));
            }
        }
        let page = self.unpack(bytes)?;
        texts::check(&page, &self.column)?;
        Ok(page)
    }

    /// Unpacks a page as if it were the only one of a file.
    fn unpack(&self, bytes: Vec<u8>) -> Result<Page> {
        let chunk = ColumnChunkMetaData::builder(Arc::clone(&self.column))
            .set_compression(self.chunk().codec)
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
