//! The end of a parquet file, which says where everything in it lies.

use std::sync::{Arc, OnceLock};

use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, FooterTail, ParquetMetaData, ParquetMetaDataOptions,
    ParquetMetaDataReader, ParquetStatisticsPolicy, RowGroupMetaData,
};
use parquet::schema::types::SchemaDescriptor;

use super::chunk::Chunk;
use super::error::ParquetProblem;
use super::thrift::{self, Stop};
use crate::blob::Reader;
use crate::dataset::DatasetProblem;
use crate::wall;

const TAIL_BYTES: usize = 8;

/// A footer lists every column of every row group; a file of a terabyte has tens of megabytes of it.
const MAX_FOOTER_BYTES: usize = 512 << 20;

/// Structs in structs; deeper is no dataset.
const MAX_DEPTH: usize = 64;

/// The most values of a column in a row group. A hostile page may claim so many in a few bytes.
const MAX_CHUNK_VALUES: u64 = 1 << 27;

/// How much of a file's start and of what lies before the footer goes into the fingerprint.
const SAMPLED_BYTES: u64 = 64 << 10;

/// A file's end.
pub(super) struct Footer {
    bytes: Vec<u8>,
    /// BLAKE3 in hexadecimal of the footer's bytes, the file's length, and the first and the last [`SAMPLED_BYTES`] before
    /// the footer.
    pub(super) fingerprint: String,
    pub(super) schema: Arc<SchemaDescriptor>,
    /// Where it starts: everything else lies before it.
    pub(super) start: u64,
}

impl Footer {
    /// Where everything lies, and of the statistics those of some columns, by their numbers.
    pub(super) fn metadata(&self, counted: &[usize]) -> Result<ParquetMetaData, ParquetProblem> {
        let statistics = match counted {
            [] => ParquetStatisticsPolicy::SkipAll,
            counted => ParquetStatisticsPolicy::skip_except(counted),
        };
        let options = ParquetMetaDataOptions::new()
            .with_schema(Arc::clone(&self.schema))
            .with_column_stats_policy(statistics)
            .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
            .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
        decoded(|| ParquetMetaDataReader::decode_metadata_with_options(&self.bytes, Some(&options)))
    }
}

fn decoded<T>(decode: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetProblem> {
    wall::behind(|| decode().map_err(|error| error.to_string()))
        .flatten()
        .map_err(|reason| broken(&reason))
}

/// Reads the footer.
pub(super) fn read(file: &Reader) -> Result<Footer, DatasetProblem> {
    let mut tail = [0; TAIL_BYTES];
    let before_tail = file
        .len()
        .checked_sub(TAIL_BYTES as u64)
        .ok_or(ParquetProblem::NoFooter)?;
    file.read_exact_at(&mut tail, before_tail)?;
    let tail = FooterTail::try_new(&tail).map_err(|_| ParquetProblem::NoFooter)?;
    if tail.is_encrypted_footer() {
        return Err(ParquetProblem::Encrypted.into());
    }
    let bytes = tail.metadata_length();
    let start = before_tail
        .checked_sub(bytes as u64)
        .ok_or_else(|| broken("it claims to be longer than the file"))?;
    if bytes > MAX_FOOTER_BYTES {
        return Err(broken(&format!("{bytes} bytes long, more than {MAX_FOOTER_BYTES}")).into());
    }
    // With what lies before it, which takes another request where the file is far away.
    let sampled = start.min(SAMPLED_BYTES) as usize;
    let mut last = vec![0; sampled + bytes];
    file.read_exact_at(&mut last, start - sampled as u64)?;
    let footer = last.split_off(sampled);
    let mut content = blake3::Hasher::new();
    content.update(&footer);
    content.update(&file.len().to_le_bytes());
    content.update(&last);
    if start > SAMPLED_BYTES {
        let mut head = vec![0; sampled];
        file.read_exact_at(&mut head, 0)?;
        content.update(&head);
    }
    let depth = thrift::schema_depth(&footer).map_err(|stop| match stop {
        Stop::More => broken("it breaks off"),
        Stop::Bad(reason) => broken(reason),
    })?;
    if depth > MAX_DEPTH {
        return Err(broken(&format!("columns in columns, {depth} deep")).into());
    }
    let schema = decoded(|| ParquetMetaDataReader::decode_schema(&footer))?;
    Ok(Footer {
        bytes: footer,
        fingerprint: content.finalize().to_hex().to_string(),
        schema,
        start,
    })
}

fn broken(reason: &str) -> ParquetProblem {
    ParquetProblem::Footer(reason.to_owned())
}

/// Where the columns with these numbers lie in a row group, if they can lie there.
pub(super) fn chunks(
    group: &RowGroupMetaData,
    columns: &[usize],
    before_footer: u64,
) -> Result<Arc<[Chunk]>, String> {
    let of = |&column: &usize| {
        let column = group.columns().get(column);
        let chunk = chunk(column.ok_or("lacks a column")?, before_footer)?;
        // Each row has a value in each column, be it that there is none.
        let rows = u64::try_from(group.num_rows()).unwrap_or(u64::MAX);
        if rows > chunk.values {
            return Err(format!(
                "claims {rows} rows, but one of its columns has {} values",
                chunk.values
            ));
        }
        Ok(chunk)
    };
    columns.iter().map(of).collect()
}

fn chunk(column: &ColumnChunkMetaData, before_footer: u64) -> Result<Chunk, String> {
    if column.file_path().is_some() {
        return Err("lies in another file".to_owned());
    }
    // Some writers put 0 where there is no dictionary.
    let data = column.data_page_offset();
    let start = column
        .dictionary_page_offset()
        .filter(|&dictionary| dictionary > 0 && dictionary < data)
        .unwrap_or(data);
    let start = u64::try_from(start).map_err(|_| "starts before the file")?;
    let bytes = u64::try_from(column.compressed_size()).map_err(|_| "has a negative size")?;
    let end = start.checked_add(bytes);
    if end.is_none_or(|end| end > before_footer) {
        return Err(format!(
            "lies at bytes {start} to {} of a file whose data ends at {before_footer}: the file is cut off",
            end.unwrap_or(u64::MAX)
        ));
    }
    let values = u64::try_from(column.num_values()).unwrap_or(u64::MAX);
    if values > MAX_CHUNK_VALUES {
        return Err(format!(
            "claims {} values of one column, more than {MAX_CHUNK_VALUES}",
            column.num_values()
        ));
    }
    let offset_index = column
        .offset_index_range()
        .filter(|index| index.end <= before_footer);
    Ok(Chunk {
        start,
        bytes,
        values,
        codec: column.compression(),
        offset_index,
        index: OnceLock::new(),
    })
}

/// How many values of these columns are null in a row group, if the footer says so.
pub(super) fn nulls(group: &RowGroupMetaData, columns: &[usize]) -> Option<u64> {
    let of = |&column: &usize| group.columns().get(column)?.statistics()?.null_count_opt();
    columns.iter().map(of).sum()
}

/// What a codec is called, if it is not read here.
pub(super) fn unread(codec: Compression) -> Option<&'static str> {
    match codec {
        Compression::BROTLI(_) => Some("brotli"),
        Compression::LZO => Some("LZO"),
        _ => None,
    }
}
