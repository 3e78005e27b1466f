//! Preparing samples on worker threads, in order, a bounded number of tokens ahead of the device.
//!
//! No worker waits for another while there is room: samples are begun one by one, in order, over the ends of batches and
//! shards, and put in order again as they come back. The next shard is measured while this one is loaded.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::batch::Message;
use super::feed::{Came, Feed};
use super::prepare::Preparer;
use super::progress::Tally;
use super::queue::{Next, Queue};
use crate::store::SHARD_ROWS;

/// Batches' worth of tokens that are loaded, or being loaded, and not yet sent: one to be sent next, and one behind it
/// so that all workers have something to do while the slowest sample of the first is loaded. A batch is of one shard,
/// and so has no more samples than that.
const LOADING: usize = 2;

/// The other end of a pipeline.
pub(super) struct Feeder {
    queue: Arc<Queue>,
    preparer: Arc<Preparer>,
    pool: rayon::ThreadPool,
    budget: usize,
    /// The most tokens that are loaded, or being loaded, and not yet sent.
    room: usize,
    sender: Sender<Message>,
    stopped: Arc<AtomicBool>,
    /// What workers send, and where they send it.
    back: (Sender<Back>, Receiver<Back>),
    /// What is to be sent, in order.
    line: VecDeque<Entry>,
    /// Shards taken so far.
    taken: u64,
    queue_is_empty: bool,
    /// Samples, and their tokens, that were begun to be loaded and are not yet sent.
    samples: usize,
    tokens: usize,
}

enum Entry {
    Skipped(Tally),
    Shard(Box<Feed>),
}

/// What comes back from a worker: the shard's number, and what came of its sample, unless the run was stopped.
struct Back(u64, Option<thread::Result<Came>>);

/// The other end has hung up.
pub(super) struct HungUp;

impl Feeder {
    /// Batches are to have at most `budget` tokens; `for_worker` is how many may in any case be loaded ahead for each
    /// worker.
    pub(super) fn new(
        queue: Arc<Queue>,
        preparer: Arc<Preparer>,
        pool: rayon::ThreadPool,
        [budget, for_worker]: [usize; 2],
        sender: Sender<Message>,
        stopped: Arc<AtomicBool>,
    ) -> Self {
        let room = LOADING.saturating_mul(budget);
        Self {
            room: room.max(for_worker * pool.current_num_threads()),
            queue,
            preparer,
            pool,
            budget,
            sender,
            stopped,
            back: unbounded(),
            line: VecDeque::new(),
            taken: 0,
            queue_is_empty: false,
            samples: 0,
            tokens: 0,
        }
    }

    /// Sends all of the queue.
    pub(super) fn run(mut self) -> Result<(), HungUp> {
        loop {
            self.take();
            self.begin();
            if self.send()? {
                continue;
            }
            if self.line.is_empty() {
                return Ok(());
            }
            let Back(number, came) = self.back.1.recv().map_err(|_| HungUp)?;
            let came = came.ok_or(HungUp)?.unwrap_or_else(|p| resume_unwind(p));
            let feed = self.line.iter_mut().find_map(|entry| match entry {
                Entry::Shard(feed) if feed.number == number => Some(feed),
                _ => None,
            });
            if let Some(feed) = feed {
                feed.came(came, self.budget);
            }
        }
    }

    /// Takes shards until one is not yet being loaded.
    fn take(&mut self) {
        let begun = |entry: &Entry| match entry {
            Entry::Skipped(_) => true,
            Entry::Shard(feed) => feed.is_begun(),
        };
        while !self.queue_is_empty && self.line.back().is_none_or(begun) {
            match self.queue.next() {
                None => self.queue_is_empty = true,
                Some(Next::Skipped(tally)) => self.line.push_back(Entry::Skipped(tally)),
                Some(Next::Shard(work)) => {
                    let number = self.taken;
                    self.taken += 1;
                    for (place, &row) in work.samples().iter().enumerate() {
                        let dataset = Arc::clone(&work.dataset.dataset);
                        self.spawn(number, move |preparer| {
                            Came::Measured(place, preparer.measure(dataset.as_ref(), row))
                        });
                    }
                    self.line
                        .push_back(Entry::Shard(Box::new(Feed::new(number, *work))));
                }
            }
        }
    }

    /// Begins to load samples while there is room.
    fn begin(&mut self) {
        let workers = self.pool.current_num_threads();
        let mut begun = Vec::new();
        for entry in &mut self.line {
            let Entry::Shard(feed) = entry else { continue };
            while let Some(tokens) = feed.next_tokens() {
                let is_full =
                    self.tokens + tokens > self.room || self.samples >= LOADING * SHARD_ROWS;
                if is_full && self.samples >= workers {
                    break;
                }
                self.samples += 1;
                self.tokens += tokens;
                let dataset = feed.dataset();
                begun.extend(
                    feed.begin()
                        .map(|(place, sample)| (feed.number, dataset, place, sample)),
                );
            }
            if !feed.is_all_begun() {
                break;
            }
        }
        for (number, dataset, place, sample) in begun {
            self.spawn(number, move |preparer| {
                let loaded = preparer.load(&sample, dataset.as_ref());
                Came::Loaded(place, sample.row, sample.id, loaded)
            });
        }
    }

    /// Sends what comes next, if it is there.
    fn send(&mut self) -> Result<bool, HungUp> {
        let message = match self.line.front_mut() {
            None => None,
            Some(Entry::Skipped(tally)) => Some(Message::Skipped(*tally)),
            Some(Entry::Shard(feed)) => feed.next_message(),
        };
        let Some(message) = message else {
            return Ok(false);
        };
        let (samples, tokens) = match &message {
            Message::Batch(batch) => (batch.loaded, batch.tokens as usize),
            Message::Skipped(_) | Message::End(_) => {
                self.line.pop_front();
                (0, 0)
            }
        };
        self.sender.send(message).map_err(|_| HungUp)?;
        self.samples -= samples;
        self.tokens -= tokens;
        Ok(true)
    }

    /// Has a worker do something for a shard.
    fn spawn(&self, number: u64, job: impl FnOnce(&Preparer) -> Came + Send + 'static) {
        let (preparer, stopped) = (Arc::clone(&self.preparer), Arc::clone(&self.stopped));
        let back = self.back.0.clone();
        self.pool.spawn_fifo(move || {
            // What a panic leaves half done is dropped with the feeder, which it ends.
            let wanted = !stopped.load(Ordering::Relaxed);
            let came = wanted.then(|| catch_unwind(AssertUnwindSafe(|| job(&preparer))));
            // A feeder that is gone waits for nothing.
            let _ = back.send(Back(number, came));
        });
    }
}
