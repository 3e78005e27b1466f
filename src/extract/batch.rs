//! Which samples of a shard go through the model together, and how they come to the device's thread.

use std::ops::Range;

use super::progress::Tally;
use super::work::Header;
use crate::store::Failure;
use crate::vlm::Input;

/// Samples that go through the model together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub rows: Vec<u64>,
    pub ids: Vec<String>,
    pub inputs: Vec<Input>,
    /// How many of the inputs are of each row.
    pub passes: Vec<usize>,
    /// How many more failed before they came here.
    pub failed: usize,
    /// How many were loaded for it, with or without success.
    pub loaded: usize,
    /// As measured, so that the sum over all batches is what was planned.
    pub tokens: u64,
}

impl Batch {
    pub(super) fn push(&mut self, row: u64, id: String, inputs: Vec<Input>) {
        self.rows.push(row);
        self.ids.push(id);
        self.passes.push(inputs.len());
        self.inputs.extend(inputs);
    }

    /// The failure of one of its samples.
    pub(super) fn failure(&self, row: u64, reason: &str) -> Failure {
        let found = self.rows.iter().position(|&other| other == row);
        let id = found.map_or_else(|| row.to_string(), |i| self.ids[i].clone());
        Failure::new(row, &id, reason)
    }

    pub(super) fn tally(&self) -> Tally {
        Tally {
            samples: (self.rows.len() + self.failed) as u64,
            tokens: self.tokens,
            failures: self.failed as u64,
        }
    }
}

/// What a pipeline says. All of a shard comes before anything of the next.
#[derive(Debug)]
pub(super) enum Message {
    /// What need not be made any more.
    Skipped(Tally),
    /// Samples of the shard at hand.
    Batch(Batch),
    /// The shard at hand, whose batches have all come, with the samples that failed before they were in one.
    End(Box<Header>),
}

/// Cuts samples of the given lengths, in order, into batches of at most `budget` tokens; one that is
/// longer goes alone.
pub(super) fn batches(lengths: &[usize], budget: usize) -> Vec<Range<usize>> {
    let mut batches = Vec::new();
    let (mut start, mut tokens) = (0, 0);
    for (i, length) in lengths.iter().enumerate() {
        if i > start && tokens + length > budget {
            batches.push(start..i);
            (start, tokens) = (i, 0);
        }
        tokens += length;
    }
    if start < lengths.len() {
        batches.push(start..lengths.len());
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_long_sample_goes_alone() {
        assert_eq!(batches(&[3, 4, 20, 5, 5, 1], 10), [0..2, 2..3, 3..5, 5..6]);
        assert!(batches(&[], 10).is_empty());
    }

    proptest! {
        #[test]
        fn batches_are_a_partition_within_the_budget(
            lengths in prop::collection::vec(1_usize..50, 0..40),
            budget in 1_usize..100,
        ) {
            let batches = batches(&lengths, budget);
            let mut next = 0;
            for batch in &batches {
                prop_assert_eq!(batch.start, next);
                next = batch.end;
                let tokens: usize = lengths[batch.clone()].iter().sum();
                prop_assert!(tokens <= budget || batch.len() == 1);
            }
            prop_assert_eq!(next, lengths.len());
        }
    }
}
