//! What is lost of a dataset before any row is read.

use std::fmt;

/// A file of a dataset, or an end of one, that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file, by its name in the dataset's folder.
    pub file: String,
    /// What is wrong with it.
    pub reason: String,
    /// How many rows are lost by it, as far as can be told: at least one.
    pub rows: u64,
}

impl Fault {
    /// Takes part of the rows that are lost, at least one.
    pub(super) fn scale(&mut self, part: u64, whole: u64) {
        let rows = u128::from(self.rows) * u128::from(part) / u128::from(whole.max(1));
        self.rows = u64::try_from(rows).unwrap_or(u64::MAX).max(1);
    }

    /// A fault of a file that its reader names.
    pub(super) fn new(reason: String, rows: u64) -> Self {
        Self {
            file: String::new(),
            reason,
            rows: rows.max(1),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, reason, rows } = self;
        let s = if *rows == 1 { "" } else { "s" };
        write!(f, "{file}: {reason} (about {rows} row{s} lost)")
    }
}
