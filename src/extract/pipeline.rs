//! Preparing samples on worker threads, a bounded number of batches ahead of the device.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use rayon::prelude::*;

use super::ExtractError;
use super::batch::{Batch, batches};
use super::measured::Measured;
use super::prepare::Preparer;
use super::progress::{Progress, Tally};
use super::queue::{Next, Queue};
use super::work::{Header, ShardWork};
use crate::store::{Failure, ShardKey};

/// Batches that wait for the device: one to go on with at once and one in the making.
const AHEAD: usize = 2;
/// How soon a stop is heard while nothing comes.
const LOOK_UP: Duration = Duration::from_millis(50);

/// The samples of the shards that one device makes, prepared in order.
pub(super) struct Pipeline {
    messages: Option<Receiver<Message>>,
    feeder: Option<JoinHandle<()>>,
    /// Set when nobody waits for more.
    stopped: Arc<AtomicBool>,
}

/// The other end of a pipeline.
struct Feeder {
    preparer: Arc<Preparer>,
    budget: usize,
    pool: rayon::ThreadPool,
    sender: Sender<Message>,
    stopped: Arc<AtomicBool>,
}

/// What comes of waiting for the next one.
pub(super) enum Step<T> {
    Next(T),
    /// That was the last.
    End,
    /// The run is to stop.
    Halted,
}

enum Message {
    /// What need not be made any more.
    Skipped(Tally),
    Shard(Box<ShardWork>),
    Batch(Batch),
    /// The failures of the shard, whose batches are all sent.
    End(Vec<Failure>),
}

/// One shard's share of the pipeline.
pub(super) struct ShardInput<'a> {
    pipeline: &'a Pipeline,
    work: Box<ShardWork>,
    failures: Vec<Failure>,
}

impl Pipeline {
    /// Starts preparing shards of the queue on `workers` threads, in batches of at most `budget` tokens. A shard is
    /// taken once all batches of the one before it are on their way, so a faster device takes more of them.
    ///
    /// # Errors
    /// When no threads can be started.
    pub(super) fn start(
        queue: Arc<Queue>,
        preparer: Arc<Preparer>,
        budget: usize,
        workers: usize,
    ) -> Result<Self, ExtractError> {
        let failed = |error: String| ExtractError::Worker(error);
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(workers)
            .thread_name(|i| format!("prepare-{i}"))
            .build()
            .map_err(|error| failed(error.to_string()))?;
        let (sender, receiver) = bounded(AHEAD);
        let stopped = Arc::new(AtomicBool::new(false));
        let feeder = Feeder {
            preparer,
            budget,
            pool,
            sender,
            stopped: Arc::clone(&stopped),
        };
        let feeder = std::thread::Builder::new()
            .name("feeder".into())
            .spawn(move || {
                // The other end hangs up when the run stops early.
                while let Some(next) = queue.next()
                    && feeder.take(next).is_ok()
                {}
            })
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self {
            messages: Some(receiver),
            feeder: Some(feeder),
            stopped,
        })
    }

    /// The next shard; `progress` hears of those that need not be made any more.
    pub(super) fn next_shard(
        &mut self,
        progress: &dyn Progress,
        halted: &dyn Fn() -> bool,
    ) -> Result<Step<ShardInput<'_>>, ExtractError> {
        loop {
            match self.receive(halted) {
                Step::Halted => return Ok(Step::Halted),
                Step::Next(Message::Skipped(tally)) => progress.skipped(&tally),
                Step::Next(Message::Shard(work)) => {
                    return Ok(Step::Next(ShardInput {
                        pipeline: self,
                        work,
                        failures: Vec::new(),
                    }));
                }
                Step::Next(_) => {
                    return Err(ExtractError::Worker("a shard was left unfinished".into()));
                }
                Step::End => {
                    let feeder = self.feeder.take();
                    if feeder.is_some_and(|feeder| feeder.join().is_err()) {
                        return Err(ExtractError::Worker("a worker thread panicked".into()));
                    }
                    return Ok(Step::End);
                }
            }
        }
    }

    /// Waits for a message, which a slow clip may hold up, and looks now and then whether it is still wanted.
    fn receive(&self, halted: &dyn Fn() -> bool) -> Step<Message> {
        let Some(messages) = &self.messages else {
            return Step::End;
        };
        loop {
            if halted() {
                return Step::Halted;
            }
            match messages.recv_timeout(LOOK_UP) {
                Ok(message) => return Step::Next(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Step::End,
            }
        }
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        // Hanging up lets a feeder that waits for room end. One at work ends after the samples in hand, which nobody
        // waits for: a clip may take longer than a batch system leaves between its warning and the end.
        self.stopped.store(true, Ordering::Relaxed);
        self.messages.take();
    }
}

impl ShardInput<'_> {
    pub(super) fn next_batch(
        &mut self,
        halted: &dyn Fn() -> bool,
    ) -> Result<Step<Batch>, ExtractError> {
        match self.pipeline.receive(halted) {
            Step::Halted => Ok(Step::Halted),
            Step::Next(Message::Batch(batch)) => Ok(Step::Next(batch)),
            Step::Next(Message::End(failures)) => {
                self.failures = failures;
                Ok(Step::End)
            }
            Step::Next(Message::Shard(_) | Message::Skipped(_)) | Step::End => {
                Err(ExtractError::Worker("a worker thread panicked".into()))
            }
        }
    }

    /// What the shard is, once all its batches are taken; `failures` are of samples that failed after that.
    pub(super) fn finish(mut self, failures: Vec<Failure>) -> Header {
        self.failures.extend(failures);
        Header {
            key: ShardKey::clone(&self.work.dataset.key),
            dataset: self.work.dataset.name.clone(),
            index: self.work.index,
            failures: self.failures,
        }
    }
}

/// The other end has hung up.
struct HungUp;

impl Feeder {
    fn send(&self, message: Message) -> Result<(), HungUp> {
        self.sender.send(message).map_err(|_| HungUp)
    }

    /// Applies `f` to all items, several at a time.
    fn each<T: Sync, R: Send>(
        &self,
        items: &[T],
        f: impl Fn(&T) -> R + Sync,
    ) -> Result<Vec<R>, HungUp> {
        let unless_stopped = |item: &T| (!self.stopped.load(Ordering::Relaxed)).then(|| f(item));
        let all = || items.par_iter().map(unless_stopped).collect::<Option<_>>();
        self.pool.install(all).ok_or(HungUp)
    }

    fn take(&self, next: Next) -> Result<(), HungUp> {
        match next {
            Next::Skipped(tally) => self.send(Message::Skipped(tally)),
            Next::Shard(shard) => self.feed(&shard),
        }
    }

    fn feed(&self, shard: &ShardWork) -> Result<(), HungUp> {
        let dataset = shard.dataset.dataset.as_ref();
        let measured = self.each(shard.samples(), |&row| self.preparer.measure(dataset, row))?;
        self.send(Message::Shard(Box::new(shard.clone())))?;
        let mut failures = Vec::new();
        let mut usable = Vec::new();
        for result in measured {
            match result {
                Ok(sample) => usable.push(sample),
                Err(failure) => failures.push(failure),
            }
        }
        if !failures.is_empty() {
            let failed = failures.len();
            self.send(Message::Batch(Batch {
                failed,
                ..Batch::default()
            }))?;
        }
        let lengths: Vec<usize> = usable.iter().map(Measured::tokens).collect();
        let batches = batches(&lengths, self.budget);
        for window in windows(&batches, self.pool.current_num_threads()) {
            let samples = &usable[window[0].start..window[window.len() - 1].end];
            let loaded = self.each(samples, |sample| self.preparer.load(sample))?;
            let mut loaded = samples.iter().zip(loaded);
            for range in window {
                let mut batch = Batch {
                    tokens: lengths[range.clone()].iter().sum::<usize>() as u64,
                    ..Batch::default()
                };
                for (sample, result) in loaded.by_ref().take(range.len()) {
                    match result {
                        Ok(inputs) => {
                            batch.push(sample.row, sample.id.clone(), inputs);
                        }
                        Err(failure) => {
                            batch.failed += 1;
                            failures.push(failure);
                        }
                    }
                }
                self.send(Message::Batch(batch))?;
            }
        }
        self.send(Message::End(failures))
    }
}

/// Batches that are loaded together: of long samples, such as clips, a batch alone would not keep all workers busy.
fn windows(batches: &[Range<usize>], workers: usize) -> Vec<&[Range<usize>]> {
    let mut windows = Vec::new();
    let mut rest = batches;
    while let Some(first) = rest.first() {
        let begun = |batch: &&Range<usize>| batch.end - first.start <= workers;
        let count = rest.iter().take_while(begun).count().max(1);
        let (window, after) = rest.split_at(count);
        windows.push(window);
        rest = after;
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_batches_are_loaded_together_and_large_ones_alone() {
        let batches = [0..1, 1..2, 2..3, 3..9, 9..10];
        let found = windows(&batches, 2);
        assert_eq!(
            found,
            [&batches[..2], &batches[2..3], &batches[3..4], &batches[4..]]
        );
        assert!(windows(&[], 2).is_empty());
    }
}
