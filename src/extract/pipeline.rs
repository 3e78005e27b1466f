//! What the device's thread hears of the samples that are prepared for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use super::ExtractError;
use super::batch::Message;
use super::feeder::Feeder;
use super::prepare::Preparer;
use super::queue::Queue;

/// Batches that wait for the device, to go on with at once. More are in the making.
const AHEAD: usize = 1;

/// Tokens that are loaded ahead for each worker where the device is faster than they are: two to four pictures. While
/// one worker has the next sample that is wanted, the others then go on.
pub(super) const FOR_WORKER: usize = 12_288;

/// The samples of the shards that one device makes, prepared in order.
pub(super) struct Pipeline {
    messages: Option<Receiver<Message>>,
    feeder: Option<JoinHandle<()>>,
    /// Set when nobody waits for more.
    stopped: Arc<AtomicBool>,
}

/// What came of waiting for the next message.
pub(super) enum Step {
    Next(Message),
    /// Nothing within the time.
    NotYet,
    /// That was the last.
    End,
}

impl Pipeline {
    /// Starts preparing shards of the queue on `workers` threads, in batches of at most `budget` tokens. A shard is
    /// taken once the one before it is measured and being loaded, so a faster device takes more of them. For a `fast`
    /// device, more is loaded ahead where batches alone would leave workers without anything to do.
    ///
    /// # Errors
    /// When no threads can be started.
    pub(super) fn start(
        queue: Arc<Queue>,
        preparer: Arc<Preparer>,
        budget: usize,
        workers: usize,
        fast: bool,
    ) -> Result<Self, ExtractError> {
        let failed = |error: String| ExtractError::Worker(error);
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(workers)
            .thread_name(|i| format!("prepare-{i}"))
            .build()
            .map_err(|error| failed(error.to_string()))?;
        let (sender, receiver) = bounded(AHEAD);
        let stopped = Arc::new(AtomicBool::new(false));
        let budgets = [budget, if fast { FOR_WORKER } else { 0 }];
        let feeder = Feeder::new(queue, preparer, pool, budgets, sender, Arc::clone(&stopped));
        let feeder = std::thread::Builder::new()
            .name("feeder".into())
            // The other end hangs up when the run stops early.
            .spawn(move || drop(feeder.run()))
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self {
            messages: Some(receiver),
            feeder: Some(feeder),
            stopped,
        })
    }

    /// Waits so long for the next message, which a slow clip may hold up.
    pub(super) fn next(&mut self, patience: Duration) -> Result<Step, ExtractError> {
        let Some(messages) = &self.messages else {
            return Ok(Step::End);
        };
        match messages.recv_timeout(patience) {
            Ok(message) => Ok(Step::Next(message)),
            Err(RecvTimeoutError::Timeout) => Ok(Step::NotYet),
            Err(RecvTimeoutError::Disconnected) => {
                self.messages.take();
                let feeder = self.feeder.take();
                if feeder.is_some_and(|feeder| feeder.join().is_err()) {
                    return Err(ExtractError::Worker("a worker thread panicked".into()));
                }
                Ok(Step::End)
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
