//! What stands in for rows that cannot be used.

use std::collections::HashSet;

use super::reader::{Line, Reader};
use crate::dataset::order;
use crate::export::ExportError;

/// The rows of a dataset in the order in which they are drawn, round and round, from where the drawn ones end.
///
/// Taking a readable row from there for every unreadable one gives just the rows that drawing would have given had the
/// unreadable ones not been there.
pub(super) struct Spares {
    seed: u64,
    next: u64,
    /// Only made when it is needed: most datasets are in order.
    order: Option<Vec<u64>>,
    unreadable: HashSet<u64>,
}

impl Spares {
    /// The rows that follow the first `drawn` of the order that `seed` gives.
    pub(super) fn after(drawn: u64, seed: u64) -> Self {
        Self {
            seed,
            next: drawn,
            order: None,
            unreadable: HashSet::new(),
        }
    }

    /// How many rows are known to be unreadable.
    pub(super) fn unreadable(&self) -> u64 {
        self.unreadable.len() as u64
    }

    /// A readable row instead of the unreadable one at `index`.
    ///
    /// # Errors
    /// When no row is readable, or the file cannot be read.
    pub(super) fn instead(&mut self, reader: &Reader<'_>, index: u64) -> Result<Line, ExportError> {
        let mut failed = index;
        loop {
            self.unreadable.insert(failed);
            if self.unreadable() == reader.len() {
                return Err(reader.nothing_readable());
            }
            failed = self.next(reader.len());
            if let Some(line) = reader.line(failed)? {
                return Ok(line);
            }
        }
    }

    /// The next row that is not known to be unreadable, of which there must be one.
    fn next(&mut self, rows: u64) -> u64 {
        let seed = self.seed;
        let order = self.order.get_or_insert_with(|| order(rows, seed, rows));
        loop {
            let row = order[(self.next % rows) as usize];
            self.next += 1;
            if !self.unreadable.contains(&row) {
                return row;
            }
        }
    }
}
