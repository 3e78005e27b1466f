//! Preparing samples on worker threads, a bounded number of batches ahead of the device.

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};
use rayon::prelude::*;

use super::ExtractError;
use super::batch::batches;
use super::prepare::{Measured, Preparer};
use super::progress::Tally;
use super::work::{Header, ShardWork};
use crate::store::Failure;
use crate::vlm::Input;

/// Batches that wait for the device: one to go on with at once and one in the making.
const AHEAD: usize = 2;

/// The samples of all shards to be made, prepared in order.
pub struct Pipeline {
    messages: Option<Receiver<Message>>,
    feeder: Option<JoinHandle<()>>,
}

enum Message {
    Shard(Box<ShardWork>),
    Batch(Batch),
    /// The failures of the shard, whose batches are all sent.
    End(Vec<Failure>),
}

/// Samples that go through the model together.
pub(super) struct Batch {
    pub rows: Vec<u64>,
    pub inputs: Vec<Input>,
    /// How many of the inputs are of each row.
    pub passes: Vec<usize>,
    failed: usize,
    /// As measured, so that the sum over all batches is what was planned.
    tokens: u64,
}

/// One shard's share of the pipeline.
pub(super) struct ShardInput<'a> {
    pipeline: &'a Pipeline,
    work: Box<ShardWork>,
    failures: Vec<Failure>,
}

impl Batch {
    pub(super) fn tally(&self) -> Tally {
        Tally {
            samples: (self.rows.len() + self.failed) as u64,
            tokens: self.tokens,
            failures: self.failed as u64,
        }
    }
}

impl Pipeline {
    /// Starts preparing `work` in order on `workers` threads, in batches of at most `budget` tokens.
    ///
    /// # Errors
    /// When no threads can be started.
    pub fn start(
        work: Vec<ShardWork>,
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
        let feeder = std::thread::Builder::new()
            .name("feeder".into())
            .spawn(move || {
                for shard in work {
                    // The other end hangs up when the run stops early.
                    if feed(&shard, &preparer, budget, &pool, &sender).is_err() {
                        return;
                    }
                }
            })
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self {
            messages: Some(receiver),
            feeder: Some(feeder),
        })
    }

    /// The next shard, or `None` after the last.
    pub(super) fn next_shard(&mut self) -> Result<Option<ShardInput<'_>>, ExtractError> {
        match self.receive() {
            Some(Message::Shard(work)) => Ok(Some(ShardInput {
                pipeline: self,
                work,
                failures: Vec::new(),
            })),
            Some(_) => Err(ExtractError::Worker("a shard was left unfinished".into())),
            None => {
                let crashed = self
                    .feeder
                    .take()
                    .is_some_and(|feeder| feeder.join().is_err());
                if crashed {
                    return Err(ExtractError::Worker("a worker thread panicked".into()));
                }
                Ok(None)
            }
        }
    }

    fn receive(&self) -> Option<Message> {
        self.messages
            .as_ref()
            .and_then(|messages| messages.recv().ok())
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        // Hanging up first lets a feeder that waits for room end.
        self.messages.take();
        if let Some(feeder) = self.feeder.take() {
            let _ = feeder.join();
        }
    }
}

impl ShardInput<'_> {
    pub(super) fn next_batch(&mut self) -> Result<Option<Batch>, ExtractError> {
        match self.pipeline.receive() {
            Some(Message::Batch(batch)) => Ok(Some(batch)),
            Some(Message::End(failures)) => {
                self.failures = failures;
                Ok(None)
            }
            Some(Message::Shard(_)) | None => {
                Err(ExtractError::Worker("a worker thread panicked".into()))
            }
        }
    }

    pub(super) fn finish(self) -> Header {
        Header {
            key: self.work.dataset.key.clone(),
            dataset: self.work.dataset.name.clone(),
            index: self.work.index,
            failures: self.failures,
        }
    }
}

/// The other end has hung up.
struct HungUp;

fn feed(
    shard: &ShardWork,
    preparer: &Preparer,
    budget: usize,
    pool: &rayon::ThreadPool,
    sender: &Sender<Message>,
) -> Result<(), HungUp> {
    let send = |message| sender.send(message).map_err(|_| HungUp);
    let dataset = &shard.dataset.dataset;
    let measured: Vec<Result<Measured, Failure>> = pool.install(|| {
        shard
            .samples()
            .par_iter()
            .map(|&row| preparer.measure(dataset.as_ref(), row))
            .collect()
    });
    send(Message::Shard(Box::new(shard.clone())))?;
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
        send(Message::Batch(Batch {
            rows: Vec::new(),
            inputs: Vec::new(),
            passes: Vec::new(),
            failed,
            tokens: 0,
        }))?;
    }
    let lengths: Vec<usize> = usable.iter().map(Measured::tokens).collect();
    for range in batches(&lengths, budget) {
        let tokens = lengths[range.clone()].iter().sum::<usize>() as u64;
        let samples = &usable[range];
        let loaded: Vec<Result<Vec<Input>, Failure>> = pool.install(|| {
            samples
                .par_iter()
                .map(|sample| preparer.load(sample))
                .collect()
        });
        let mut batch = Batch {
            rows: Vec::new(),
            inputs: Vec::new(),
            passes: Vec::new(),
            failed: 0,
            tokens,
        };
        for (sample, result) in samples.iter().zip(loaded) {
            match result {
                Ok(inputs) => {
                    batch.rows.push(sample.row);
                    batch.passes.push(inputs.len());
                    batch.inputs.extend(inputs);
                }
                Err(failure) => {
                    batch.failed += 1;
                    failures.push(failure);
                }
            }
        }
        send(Message::Batch(batch))?;
    }
    send(Message::End(failures))
}
