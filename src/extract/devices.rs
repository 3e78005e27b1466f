//! Shards made on one device or on several at once.
//!
//! Each device has a thread, a model and a [`Pipeline`] of its own, and takes the next shard from one queue when it has
//! room for it. A shard is made on one device from its first batch to its last, packed as it would be on any other, so
//! neither its bytes nor which shards there are depend on how many devices took part. (Where a device's memory was full,
//! it packs less together from there on, and its vectors differ by rounding.)

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use candle_core::Device;

use super::batch::Message;
use super::forward::{Delivered, Forward};
use super::gathered::Gathered;
use super::pipeline::{Pipeline, Step};
use super::prepare::Preparer;
use super::progress::Progress;
use super::queue::Queue;
use super::usage::Usage;
use super::{ExtractError, Outcome};
use crate::store::{Failure, Shard, Store};
use crate::vlm::{Layer, Model, TextScope, device};

/// What one extraction is to do, whatever the devices.
pub struct Job<'a> {
    /// Hidden states to average.
    pub layers: &'a [Layer],
    /// What counts as text.
    pub scope: TextScope,
    /// Prepares the samples.
    pub preparer: &'a Arc<Preparer>,
    /// Tokens that go through a model together: the same on all devices.
    pub batch_tokens: usize,
    /// Threads that prepare samples, for all devices together; each has at least one.
    pub workers: usize,
    /// Set from outside to stop after the batches in hand.
    pub stop: &'a AtomicBool,
}

/// A model on its device.
pub struct Placed {
    /// What people call the device.
    pub name: String,
    /// The device.
    pub device: Device,
    /// The model.
    pub model: Box<dyn Model>,
}

/// How soon a stop is heard while nothing comes.
const LOOK_UP: Duration = Duration::from_millis(50);
/// How soon it is seen that a pass is done while no batch comes.
const GLANCE: Duration = Duration::from_millis(1);

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

/// Makes the shards of the queue on all devices and publishes each; `published` hears of one after the other. Tells what
/// each device did, in the order of `models`.
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
) -> Result<(Outcome, Vec<Usage>), ExtractError>
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
    let results: Vec<_> = results.into_iter().collect::<Result<_, _>>()?;
    let (outcomes, usage): (Vec<Outcome>, Vec<Usage>) = results.into_iter().unzip();
    let outcome = if outcomes.contains(&Outcome::Interrupted) {
        Outcome::Interrupted
    } else {
        Outcome::Complete
    };
    Ok((outcome, usage))
}

impl<P: FnMut(&Shard) -> Result<(), ExtractError> + Send> Shared<'_, P> {
    /// One device's thread.
    fn work(&self, placed: &Placed, workers: usize) -> Result<(Outcome, Usage), ExtractError> {
        // What a panic leaves half done is dropped here, or locked.
        let result = catch_unwind(AssertUnwindSafe(|| self.make_shards(placed, workers)))
            .unwrap_or_else(|_| Err(panicked(&placed.name)));
        if result.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        result
    }

    fn make_shards(
        &self,
        placed: &Placed,
        workers: usize,
    ) -> Result<(Outcome, Usage), ExtractError> {
        let Job {
            layers,
            scope,
            preparer,
            batch_tokens,
            ..
        } = *self.job;
        let mut pipeline = Pipeline::start(
            Arc::clone(&self.queue),
            Arc::clone(preparer),
            batch_tokens,
            workers,
            !placed.device.is_cpu(),
        )?;
        let mut usage = Usage::new(&placed.name);
        let started = Instant::now();
        let device = (placed.name.as_str(), &placed.device);
        let mut forward = Forward::new(placed.model.as_ref(), device, layers, scope);
        let mut making = Making::new(self, &mut usage);
        let mut deliver = |delivered| making.take(delivered);
        let mut waited = Duration::ZERO;
        let mut outcome = loop {
            if self.is_halted() {
                forward.finish(&mut deliver)?;
                break Outcome::Interrupted;
            }
            // While the device is at work it is looked at often, for what it has done is to be delivered. Once it has
            // nothing to do, what it waits for is samples.
            let is_idle = !forward.is_in_flight();
            let asked = Instant::now();
            let step = pipeline.next(if is_idle { LOOK_UP } else { GLANCE })?;
            if is_idle {
                waited += asked.elapsed();
            }
            match step {
                Step::Next(Message::Skipped(tally)) => self.progress.skipped(&tally),
                Step::Next(Message::Batch(batch)) => forward.start(batch, &mut deliver)?,
                Step::Next(Message::End(header)) => forward.end(header, &mut deliver)?,
                Step::NotYet => forward.deliver_done(&mut deliver)?,
                Step::End => {
                    forward.finish(&mut deliver)?;
                    break Outcome::Complete;
                }
            }
        };
        if making.is_interrupted() {
            outcome = Outcome::Interrupted;
        }
        usage.elapsed = started.elapsed();
        usage.waited = waited;
        usage.memory = device::peak(&placed.device)
            .zip(device::memory(&placed.device).map(|memory| memory.total));
        Ok((outcome, usage))
    }

    /// Whether nobody wants more: the run is to stop, or has failed elsewhere.
    fn is_halted(&self) -> bool {
        self.job.stop.load(Ordering::Relaxed) || self.failed.load(Ordering::Relaxed)
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

/// The shards of one device as they come off it, in order.
struct Making<'a, P> {
    shared: &'a Shared<'a, P>,
    usage: &'a mut Usage,
    gathered: Gathered<'a>,
    failures: Vec<Failure>,
    /// The samples of the batch at hand whose vectors are not finite.
    not_finite: Vec<u64>,
    /// Set when a shard was not published because the run was to stop. What comes after it is not taken.
    interrupted: bool,
}

impl<'a, P: FnMut(&Shard) -> Result<(), ExtractError> + Send> Making<'a, P> {
    fn new(shared: &'a Shared<'a, P>, usage: &'a mut Usage) -> Self {
        Self {
            shared,
            usage,
            gathered: Gathered::new(shared.job.layers),
            failures: Vec::new(),
            not_finite: Vec::new(),
            interrupted: false,
        }
    }

    fn is_interrupted(&self) -> bool {
        self.interrupted
    }

    fn take(&mut self, delivered: Delivered) -> Result<(), ExtractError> {
        if self.interrupted {
            return Ok(());
        }
        match delivered {
            Delivered::Vectors {
                rows,
                pooled,
                tokens,
            } => {
                self.usage.samples += rows.len() as u64;
                self.usage.tokens += tokens;
                self.not_finite.extend(self.gathered.push(&rows, &pooled));
            }
            Delivered::Batch(batch, mut failed) => {
                let reason = "its vectors are not finite: the checkpoint overflows on it; try model.dtype = \"f32\"";
                let not_finite = self.not_finite.drain(..);
                failed.extend(not_finite.map(|row| batch.failure(row, reason)));
                let mut tally = batch.tally();
                tally.failures += failed.len() as u64;
                self.failures.extend(failed);
                self.shared.progress.advance(&tally);
            }
            Delivered::Shard(mut header) => {
                header.failures.append(&mut self.failures);
                let next = Gathered::new(self.shared.job.layers);
                let gathered = std::mem::replace(&mut self.gathered, next);
                return self.end(&gathered.into_shard(*header));
            }
        }
        Ok(())
    }

    fn end(&mut self, shard: &Shard) -> Result<(), ExtractError> {
        if let Some(fault) = self.shared.job.preparer.machine_fault() {
            return Err(ExtractError::Machine(fault.to_owned()));
        }
        // The signal may have been for the decoders too, and what they then failed at is sound.
        if !shard.failures.is_empty() && self.shared.is_halted() {
            self.interrupted = true;
            return Ok(());
        }
        self.shared.publish(shard, &self.usage.device)
    }
}

fn panicked(device: &str) -> ExtractError {
    ExtractError::Worker(format!("the thread of {device} panicked"))
}

#[cfg(test)]
mod tests;
