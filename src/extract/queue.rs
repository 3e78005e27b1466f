//! The shards to be made, handed out one by one to whichever device is free.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::vec;

use super::plan::DatasetPlan;
use super::progress::Tally;
use super::work::ShardWork;

/// The shards that no device has taken yet.
pub struct Queue {
    left: Mutex<vec::IntoIter<(ShardWork, Tally)>>,
    skip: Box<dyn Fn(&ShardWork) -> bool + Send + Sync>,
}

/// What comes next in a queue.
pub(super) enum Next {
    Shard(Box<ShardWork>),
    /// A shard that need not be made any more, as it was planned.
    Skipped(Tally),
}

impl Queue {
    /// All of `work` in order. `plans` say what leaving a shard out means for the progress.
    pub fn new(work: Vec<ShardWork>, plans: &BTreeMap<String, DatasetPlan>) -> Self {
        let planned = |shard: &ShardWork| {
            let plan = plans.get(&shard.dataset.name)?;
            plan.shards.get(&shard.index).copied()
        };
        let work: Vec<_> = work
            .into_iter()
            .map(|shard| {
                let tally = planned(&shard).unwrap_or_default();
                (shard, tally)
            })
            .collect();
        Self {
            left: Mutex::new(work.into_iter()),
            skip: Box::new(|_| false),
        }
    }

    /// The same, leaving out the shards for which `skip` says so when their turn has come: those that another process
    /// has published meanwhile. It is asked from several threads.
    #[must_use]
    pub fn skipping(mut self, skip: impl Fn(&ShardWork) -> bool + Send + Sync + 'static) -> Self {
        self.skip = Box::new(skip);
        self
    }

    pub(super) fn next(&self) -> Option<Next> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let (shard, tally) = left.next()?;
        drop(left);
        Some(if (self.skip)(&shard) {
            Next::Skipped(tally)
        } else {
            Next::Shard(Box::new(shard))
        })
    }
}
