//! Shards made on one device or on several at once.
//!
//! Each device has a thread, a model and a [`Pipeline`] of its own, and takes the next shard from one queue when it has
//! room for it. A shard is made on one device from its first batch to its last, packed as it would be on any other, so
//! neither its bytes nor which shards there are depend on how many devices took part.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, ScopedJoinHandle};

use super::forward::Forward;
use super::gathered::Gathered;
use super::pipeline::{Pipeline, Step};
use super::prepare::Preparer;
use super::progress::Progress;
use super::queue::Queue;
use super::{ExtractError, Outcome};
use crate::store::{Shard, Store};
use crate::vlm::{Layer, Model, TextScope};

/// What one extraction is to do, whatever the devices.
pub struct Job<'a> {
    /// Hidden states to average.
    pub layers: &'a [Layer],
    /// What counts as text.
    pub scope: TextScope,
    /// Prepares the samples.
    pub preparer: &'a Arc<Preparer>,
    /// Tokens that go through a model together.
    pub batch_tokens: usize,
    /// Threads that prepare samples, for all devices together; each has at least one.
    pub workers: usize,
    /// Set from outside to stop after the batches in hand.
    pub stop: &'a AtomicBool,
}

/// A model on its device.
pub struct Placed {
    /// What people call the device.
    pub device: String,
    /// The model.
    pub model: Box<dyn Model>,
}

/// What the devices have in common.
struct Shared<'a, P> {
    job: &'a Job<'a>,
    queue: Arc<Queue>,
    store: &'a Store,
    progress: &'a dyn Progress,
    published: Mutex<P>,
    /// Set when one of them has failed.
    failed: AtomicBool,
}

/// Makes the shards of the queue on all devices and publishes each; `published` hears of one after the other.
///
/// # Panics
/// When there is no model.
///
/// # Errors
/// When a model, a worker or the store fails, or `published` does. The other devices then stop after the batch in hand.
pub fn run<P>(
    job: &Job<'_>,
    models: &mut [Placed],
    queue: Queue,
    store: &Store,
    progress: &dyn Progress,
    published: P,
) -> Result<Outcome, ExtractError>
where
    P: FnMut(&Shard) -> Result<(), ExtractError> + Send,
{
    assert!(!models.is_empty(), "a run has a device");
    let shared = &Shared {
        job,
        queue: Arc::new(queue),
        store,
        progress,
        published: Mutex::new(published),
        failed: AtomicBool::new(false),
    };
    let devices = models.len();
    let share = |i| job.workers / devices + usize::from(i < job.workers % devices);
    let results: Vec<_> = thread::scope(|scope| {
        let mut models = models.iter_mut().zip(0..);
        // The first stays on this thread: glibc keeps freed memory for the tensors of a run on the CPU only here.
        let first = models.next();
        let mut others = Vec::new();
        for (placed, i) in models {
            others.push(scope.spawn(move || shared.work(placed, share(i).max(1))));
        }
        let first = first.map(|(placed, i)| shared.work(placed, share(i).max(1)));
        let end = |thread: ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|panic| resume_unwind(panic))
        };
        first
            .into_iter()
            .chain(others.into_iter().map(end))
            .collect()
    });
    let outcomes: Vec<Outcome> = results.into_iter().collect::<Result<_, _>>()?;
    Ok(if outcomes.contains(&Outcome::Interrupted) {
        Outcome::Interrupted
    } else {
        Outcome::Complete
    })
}

impl<P: FnMut(&Shard) -> Result<(), ExtractError> + Send> Shared<'_, P> {
    /// One device's thread.
    fn work(&self, placed: &mut Placed, workers: usize) -> Result<Outcome, ExtractError> {
        // What a panic leaves half done is dropped here, or locked.
        let result = catch_unwind(AssertUnwindSafe(|| self.make_shards(placed, workers)))
            .unwrap_or_else(|_| Err(panicked(&placed.device)));
        if result.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        result
    }

    fn make_shards(&self, placed: &mut Placed, workers: usize) -> Result<Outcome, ExtractError> {
        let Job {
            layers,
            scope,
            preparer,
            batch_tokens,
            stop,
            ..
        } = *self.job;
        let Placed { device, model } = placed;
        let mut pipeline = Pipeline::start(
            Arc::clone(&self.queue),
            Arc::clone(preparer),
            batch_tokens,
            workers,
        )?;
        let mut forward = Forward::new(model.as_ref(), device, layers, scope);
        let halted = || stop.load(Ordering::Relaxed) || self.failed.load(Ordering::Relaxed);
        loop {
            let mut shard = match pipeline.next_shard(self.progress, &halted)? {
                Step::Next(shard) => shard,
                Step::End => return Ok(Outcome::Complete),
                Step::Halted => return Ok(Outcome::Interrupted),
            };
            let mut gathered = Gathered::new(layers);
            let mut failures = Vec::new();
            loop {
                let batch = match shard.next_batch(&halted)? {
                    Step::Next(batch) => batch,
                    Step::End => break,
                    Step::Halted => return Ok(Outcome::Interrupted),
                };
                let mut not_finite = Vec::new();
                let mut failed = forward
                    .run(&batch, |rows, pooled| {
                        not_finite.extend(gathered.push(rows, pooled));
                    })
                    .map_err(|error| ExtractError::Forward {
                        device: device.clone(),
                        error: Box::new(error),
                    })?;
                let reason = "its vectors are not finite: the checkpoint overflows on it; try model.dtype = \"f32\"";
                failed.extend(not_finite.iter().map(|&row| batch.failure(row, reason)));
                let mut tally = batch.tally();
                tally.failures += failed.len() as u64;
                failures.extend(failed);
                self.progress.advance(&tally);
            }
            let shard = gathered.into_shard(shard.finish(failures));
            if let Some(fault) = preparer.machine_fault() {
                return Err(ExtractError::Machine(fault.to_owned()));
            }
            // The signal may have been for the decoders too, and what they then failed at is sound.
            if !shard.failures.is_empty() && halted() {
                return Ok(Outcome::Interrupted);
            }
            self.publish(&shard, device)?;
        }
    }

    fn publish(&self, shard: &Shard, device: &str) -> Result<(), ExtractError> {
        self.store.publish(shard)?;
        tracing::debug!(
            "made shard {} of {} on {device}: {} samples, {} failed",
            shard.index,
            shard.dataset,
            shard.rows.len(),
            shard.failures.len()
        );
        let mut published = self.published.lock().map_err(|_| panicked(device))?;
        (*published)(shard)
    }
}

fn panicked(device: &str) -> ExtractError {
    ExtractError::Worker(format!("the thread of {device} panicked"))
}

#[cfg(test)]
mod tests;
