//! What a format is, and what it gives of a file.

use std::sync::Arc;

use super::filter::{Sieve, Sift};
use super::media_root::MediaRoot;
use super::{DatasetProblem, Fault, Progress, Sample, SampleError};
use crate::blob::Blob;

/// How a format is told and opened.
pub(super) struct Format {
    /// What `format` in a config calls it.
    pub(super) name: &'static str,
    /// What messages call it.
    pub(super) title: &'static str,
    /// Whether a file that starts so is of this format. Of several the first in the list has it.
    pub(super) recognises: fn(head: &[u8]) -> bool,
    /// Opens one file. A file without rows is no error here.
    pub(super) open: fn(&Opening<'_>) -> Result<Opened, DatasetProblem>,
}

/// How much of a file's start is shown to the formats: enough for the keys of most first rows.
pub(super) const HEAD_BYTES: u64 = 64 << 10;

/// One file of a dataset that is to be opened.
pub(super) struct Opening<'a> {
    /// The file. Not packed: what is compressed as a whole was unpacked before.
    pub(super) blob: &'a Blob,
    /// Whether it is the only one: of several none should stay open.
    pub(super) alone: bool,
    /// Which rows to keep.
    pub(super) sieve: Option<&'a Sieve<'a>>,
    /// What written media paths start from.
    pub(super) media: &'a Arc<MediaRoot>,
    /// Hears of the bytes of this file.
    pub(super) progress: Progress<'a>,
}

/// One file of a dataset, opened.
pub(super) struct Opened {
    /// Its rows.
    pub(super) rows: Box<dyn Rows>,
    /// What the filter met; nothing without one.
    pub(super) sift: Sift,
    /// What of the file is lost; `file` is filled in by the caller.
    pub(super) faults: Vec<Fault>,
}

/// The rows of one file.
pub(super) trait Rows: Send + Sync {
    /// How many rows the filter keeps.
    fn len(&self) -> u64;

    /// How many rows there are.
    fn total(&self) -> u64;

    /// Reads the row at `index` of the kept rows; its number is that in this file.
    fn read(&self, index: u64) -> Result<Sample, SampleError>;

    /// BLAKE3 in hexadecimal of the content, without the filter.
    fn fingerprint(&self) -> &str;
}
