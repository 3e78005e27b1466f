//! Making the missing shards of a folder: looking what is there, measuring, and passing the rest through the devices.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::Result;
use crossbeam_channel::bounded;
use rayon::prelude::*;

use super::cached::Cached;
use super::terminal;
use crate::extract::{
    self, DatasetPlan, DatasetWork, FailureLimit, Job, Outcome, Placed, Preparer, Queue, ShardWork,
    Tally, Usage,
};
use crate::store::{Shard, Store, StoreError};
use crate::vlm::{Layer, TextScope};

/// Shards that may wait to be kept in the cache.
const MADE: usize = 4;

/// What makes shards, and what came of it so far.
pub(super) struct Shards<'a> {
    pub store: &'a Store,
    pub preparer: &'a Arc<Preparer>,
    /// Threads that prepare samples.
    pub workers: usize,
    pub layers: &'a [Layer],
    pub scope: TextScope,
    pub stop: &'a AtomicBool,
    /// Whether shards that hold failures are made again.
    pub retry_failed: bool,
    pub cached: Cached,
    pub failures: FailureLimit,
    /// What each of the devices did.
    pub usage: Vec<Usage>,
    pub made_any: bool,
}

/// Models on their devices, and what these have room for. Empty until there is something to make.
#[derive(Default)]
pub(super) struct Loaded {
    pub models: Vec<Placed>,
    pub batch_tokens: usize,
}

impl Shards<'_> {
    /// The shards among `mine` and of these rounds that are not there, nor in the cache; the failures of all that are
    /// there, whoever made them, are added. A damaged shard is set aside first.
    pub(super) fn missing(
        &mut self,
        datasets: &[&DatasetWork],
        mine: &[ShardWork],
        rounds: Range<u32>,
    ) -> Result<Vec<ShardWork>> {
        let of = |dataset: &DatasetWork| rounds.start..rounds.end.min(dataset.shards());
        let mine: Vec<&ShardWork> = mine
            .iter()
            .filter(|shard| rounds.contains(&shard.index))
            .collect();
        if self.retry_failed {
            mine.par_iter()
                .try_for_each(|ShardWork { dataset, index }| {
                    self.store
                        .remove_failed(&dataset.key, &dataset.name, *index)
                })?;
        }
        let looked_at = datasets
            .par_iter()
            .map(|dataset| self.store.missing(&dataset.key, &dataset.name, of(dataset)))
            .collect::<Vec<Result<_, StoreError>>>();
        let mut missing = BTreeSet::new();
        for (dataset, looked_at) in datasets.iter().zip(looked_at) {
            let looked_at = looked_at?;
            for damaged in &looked_at.set_aside {
                tracing::warn!("{damaged}");
            }
            self.failures.add(&dataset.name, &looked_at.failures);
            missing.extend(
                looked_at
                    .indices
                    .into_iter()
                    .map(|index| (&dataset.name, index)),
            );
        }
        let is_missing = |shard: &&ShardWork| missing.contains(&(&shard.dataset.name, shard.index));
        Ok(mine.into_iter().filter(is_missing).cloned().collect())
    }

    /// The shards that the cache does not have either; those that it has are published.
    pub(super) fn without_cached(&mut self, missing: Vec<ShardWork>) -> Result<Vec<ShardWork>> {
        self.cached.take(
            self.store,
            missing,
            self.retry_failed,
            self.stop,
            &mut self.failures,
        )
    }

    /// Makes shards; `load` loads the models if they are not.
    pub(super) fn make(
        &mut self,
        missing: Vec<ShardWork>,
        loaded: &mut Loaded,
        load: impl FnOnce() -> Result<Loaded>,
    ) -> Result<Outcome> {
        if missing.is_empty() {
            self.failures.check()?;
            return Ok(Outcome::Complete);
        }
        self.made_any = true;
        let Some(plans) = measure(&missing, self.preparer, self.stop) else {
            return Ok(Outcome::Interrupted);
        };
        // The signal may have been for ffprobe too, and what it then failed at is sound.
        if self.stop.load(Ordering::Relaxed) {
            return Ok(Outcome::Interrupted);
        }
        // Samples that fail for want of a program would be missing in the shards of every machine.
        if let Some(fault) = self.preparer.machine_fault() {
            return Err(anyhow::anyhow!("{fault}"));
        }
        for (dataset, plan) in &plans {
            self.failures.add(dataset, &plan.failures);
        }
        self.failures.check()?;
        let total: Tally = plans.values().map(|plan| plan.tally).sum();
        if loaded.models.is_empty() {
            *loaded = load()?;
        }
        let Self {
            store,
            cached,
            failures,
            ..
        } = self;
        let job = Job {
            layers: self.layers,
            scope: self.scope,
            preparer: self.preparer,
            batch_tokens: loaded.batch_tokens,
            workers: self.workers,
            stop: self.stop,
        };
        let folder = store.clone();
        let queue = Queue::new(missing, &plans).skipping(move |shard| {
            // Another process has made it meanwhile.
            folder.shard_path(&shard.dataset.name, shard.index).exists()
        });
        let bar = terminal::JobBar::new(total);
        let outcome = thread::scope(|scope| {
            // Keeping a shard reads its pictures again, for which no device should wait.
            let (made, to_keep) = bounded::<Shard>(MADE);
            scope.spawn(move || to_keep.iter().for_each(|shard| cached.keep(&shard)));
            extract::run(&job, &mut loaded.models, queue, store, &bar, |shard| {
                // The other end outlives this one.
                let _ = made.send(shard.clone());
                failures.add(&shard.dataset, &shard.failures);
                failures.check()
            })
        });
        bar.finish();
        let (outcome, used) = outcome?;
        if self.usage.is_empty() {
            self.usage = used;
        } else {
            self.usage
                .iter_mut()
                .zip(&used)
                .for_each(|(all, one)| *all += one);
        }
        Ok(outcome)
    }
}

/// Counts the tokens of all samples, with a bar; `None` if it was stopped.
fn measure(
    work: &[ShardWork],
    preparer: &Preparer,
    stop: &AtomicBool,
) -> Option<BTreeMap<String, DatasetPlan>> {
    let samples = work.iter().map(|shard| shard.samples().len() as u64).sum();
    let bar = terminal::bar("measuring samples", samples, false);
    let plans = extract::plan(work, preparer, stop, &|| bar.inc(1));
    bar.finish_and_clear();
    plans
}
