//! Measuring samples without a model: how many tokens there are, and which samples cannot be used.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::measured::Measured;
use super::prepare::Preparer;
use super::progress::Tally;
use super::work::ShardWork;
use crate::store::Failure;

/// What a dataset's shards hold.
#[derive(Clone, Debug, Default)]
pub struct DatasetPlan {
    /// Samples and tokens.
    pub tally: Tally,
    /// The same of each shard.
    pub shards: BTreeMap<u32, Tally>,
    /// The longest sample, in tokens.
    pub longest: u64,
    /// Samples that cannot be used, as far as can be told without decoding pictures.
    pub failures: Vec<Failure>,
}

impl DatasetPlan {
    fn add(&mut self, shard: u32, measured: Result<Measured, Failure>) {
        let mut tally = Tally {
            samples: 1,
            ..Tally::default()
        };
        match measured {
            Ok(sample) => {
                tally.tokens = sample.tokens() as u64;
                self.longest = self.longest.max(tally.tokens);
            }
            Err(failure) => {
                tally.failures = 1;
                self.failures.push(failure);
            }
        }
        self.tally += tally;
        *self.shards.entry(shard).or_default() += tally;
    }

    /// Adds what comes after this.
    fn append(&mut self, other: Self) {
        self.tally += other.tally;
        for (shard, tally) in other.shards {
            *self.shards.entry(shard).or_default() += tally;
        }
        self.longest = self.longest.max(other.longest);
        self.failures.extend(other.failures);
    }
}

/// Measures shards, several samples at a time; `advance` hears of each sample. The result is by dataset name, or
/// `None` once `stop` is set.
pub fn plan(
    work: &[ShardWork],
    preparer: &Preparer,
    stop: &AtomicBool,
    advance: &(dyn Fn() + Sync),
) -> Option<BTreeMap<String, DatasetPlan>> {
    type Plans = BTreeMap<String, DatasetPlan>;
    let samples = work.par_iter().flat_map(|shard| {
        let indices = shard.samples().par_iter();
        indices.map(move |&index| (shard, index))
    });
    // Only sums are held, and failures, which stay in order.
    samples
        .try_fold(Plans::new, |mut plans, (shard, index)| {
            if stop.load(Ordering::Relaxed) {
                return None;
            }
            let dataset = &shard.dataset;
            let measured = preparer.measure(dataset.dataset.as_ref(), index);
            advance();
            let plan = plans.entry(dataset.name.clone()).or_default();
            plan.add(shard.index, measured);
            Some(plans)
        })
        .try_reduce(Plans::new, |mut plans, others| {
            for (dataset, other) in others {
                plans.entry(dataset).or_default().append(other);
            }
            Some(plans)
        })
}
