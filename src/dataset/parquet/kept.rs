//! Which rows of a file are kept.

use std::ops::Range;

/// Row numbers in ascending order, held as runs: a file that is kept whole takes one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    runs: Vec<Run>,
    len: u32,
}

#[derive(Debug, PartialEq, Eq)]
struct Run {
    /// How many are kept before it.
    before: u32,
    /// Its first row.
    start: u32,
}

impl Kept {
    /// Keeps rows that come after all that are kept so far.
    pub(super) fn push(&mut self, rows: Range<u32>) {
        if rows.is_empty() {
            return;
        }
        let goes_on = self
            .runs
            .last()
            .is_some_and(|run| run.start + (self.len - run.before) == rows.start);
        if !goes_on {
            self.runs.push(Run {
                before: self.len,
                start: rows.start,
            });
        }
        self.len += rows.len() as u32;
    }

    /// Keeps what another keeps, whose rows come after all that are kept so far.
    pub(super) fn append(&mut self, other: &Self) {
        let ends = other.runs.iter().skip(1).map(|run| run.before);
        for (run, end) in other.runs.iter().zip(ends.chain([other.len])) {
            self.push(run.start..run.start + (end - run.before));
        }
    }

    /// How many are kept.
    pub(super) fn len(&self) -> u64 {
        self.len.into()
    }

    /// The row that is kept at `index`.
    pub(super) fn row(&self, index: u64) -> Option<u64> {
        let index = u32::try_from(index)
            .ok()
            .filter(|index| *index < self.len)?;
        let after = self.runs.partition_point(|run| run.before <= index);
        let run = &self.runs[after - 1];
        Some(u64::from(run.start + (index - run.before)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_joined_and_found_again() {
        let mut kept = Kept::default();
        for rows in [0..2, 2..5, 7..8, 8..8, 10..12, 12..13] {
            kept.push(rows);
        }
        assert_eq!((kept.runs.len(), kept.len()), (3, 9));
        let rows: Vec<_> = (0..10).map_while(|index| kept.row(index)).collect();
        assert_eq!(rows, [0, 1, 2, 3, 4, 7, 10, 11, 12]);
        assert_eq!(Kept::default().row(0), None);
        let mut both = Kept::default();
        both.push(0..2);
        let mut rest = Kept::default();
        for rows in [2..5, 7..8, 10..13] {
            rest.push(rows);
        }
        both.append(&rest);
        both.append(&Kept::default());
        assert_eq!(both, kept);
    }
}
