//! Why a parquet file cannot be read as a dataset.

use thiserror::Error;

/// What is wrong with a parquet file as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ParquetProblem {
    /// The last bytes are not those of a parquet file.
    #[error(
        "it does not end as a parquet file does, with a footer and `PAR1`: it is cut off or still being written; \
         copy or write it again"
    )]
    NoFooter,
    /// The footer is not what it should be.
    #[error("its footer cannot be read ({0}); copy or write the file again")]
    Footer(String),
    /// Encrypted with Parquet's own encryption.
    #[error("it is encrypted; write it again without encryption")]
    Encrypted,
    /// Compressed in a way that is not read here.
    #[error(
        "column `{column}` is compressed with {codec}, which is not read here; write it again with zstd, snappy, gzip, \
         lz4 or none"
    )]
    Codec {
        /// The column.
        column: String,
        /// The codec.
        codec: &'static str,
    },
    /// None of the columns holds conversations.
    #[error("no column is called {wanted}; its columns are {columns}")]
    NoTurns {
        /// The names that are known.
        wanted: String,
        /// Those that are there.
        columns: String,
    },
    /// Row groups that lie where the file is not.
    #[error("row group {group} {reason}; copy or write the file again")]
    Group {
        /// Which, from 0.
        group: usize,
        /// What is wrong with it.
        reason: String,
    },
}
