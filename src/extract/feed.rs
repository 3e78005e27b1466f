//! One shard on its way to the device: measured, loaded, and sent batch by batch.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::batch::{Batch, Message, batches};
use super::measured::Measured;
use super::work::{Header, ShardWork};
use crate::dataset::Dataset;
use crate::store::{Failure, ShardKey};
use crate::vlm::Input;

/// A shard's samples, from the first that is measured to the last that is sent.
pub(super) struct Feed {
    /// Tells it from the others.
    pub(super) number: u64,
    work: ShardWork,
    /// What measuring gave, until all of it is there.
    measured: Vec<Option<Result<Measured, Failure>>>,
    /// How many are not measured yet.
    unmeasured: usize,
    failures: Vec<Failure>,
    /// How many failed when they were measured, until that is told.
    unusable: usize,
    /// Tokens of the samples that can be used.
    lengths: Vec<usize>,
    /// The samples that are not begun.
    waiting: VecDeque<Measured>,
    /// What loading gave, for those that are not sent: a sample's place less `sent`.
    loaded: VecDeque<Option<Loaded>>,
    sent: usize,
    /// The batches that are not sent.
    batches: VecDeque<Range<usize>>,
}

/// What came of a sample, by its place in the shard or, once measured, among the samples that can be used.
pub(super) enum Came {
    Measured(usize, Result<Measured, Failure>),
    Loaded(usize, u64, String, Result<Vec<Input>, Failure>),
}

/// A sample's row and id, and what it gives the model.
type Loaded = (u64, String, Result<Vec<Input>, Failure>);

impl Feed {
    /// A shard of which nothing is measured.
    pub(super) fn new(number: u64, work: ShardWork) -> Self {
        let unmeasured = work.samples().len();
        Self {
            number,
            work,
            measured: (0..unmeasured).map(|_| None).collect(),
            unmeasured,
            failures: Vec::new(),
            unusable: 0,
            lengths: Vec::new(),
            waiting: VecDeque::new(),
            loaded: VecDeque::new(),
            sent: 0,
            batches: VecDeque::new(),
        }
    }

    /// The dataset that its samples are of.
    pub(super) fn dataset(&self) -> Arc<dyn Dataset> {
        Arc::clone(&self.work.dataset.dataset)
    }

    /// Whether loading has begun, or there is nothing to load.
    pub(super) fn is_begun(&self) -> bool {
        self.unmeasured == 0 && (self.waiting.is_empty() || self.begun() > 0)
    }

    /// Whether no sample is left to begin with.
    pub(super) fn is_all_begun(&self) -> bool {
        self.unmeasured == 0 && self.waiting.is_empty()
    }

    fn begun(&self) -> usize {
        self.sent + self.loaded.len()
    }

    /// Tokens of the next sample to be loaded.
    pub(super) fn next_tokens(&self) -> Option<usize> {
        self.waiting.front()?;
        self.lengths.get(self.begun()).copied()
    }

    /// The next sample to be loaded, with its place.
    pub(super) fn begin(&mut self) -> Option<(usize, Measured)> {
        let place = self.begun();
        let sample = self.waiting.pop_front()?;
        self.loaded.push_back(None);
        Some((place, sample))
    }

    /// Takes what came of a sample; batches are to have at most `budget` tokens.
    pub(super) fn came(&mut self, came: Came, budget: usize) {
        match came {
            Came::Measured(place, result) => {
                self.measured[place] = Some(result);
                self.unmeasured -= 1;
                if self.unmeasured == 0 {
                    self.pack(budget);
                }
            }
            Came::Loaded(place, row, id, result) => {
                self.loaded[place - self.sent] = Some((row, id, result));
            }
        }
    }

    /// Puts the samples into batches, all of them being measured.
    fn pack(&mut self, budget: usize) {
        for result in std::mem::take(&mut self.measured).into_iter().flatten() {
            match result {
                Ok(sample) => self.waiting.push_back(sample),
                Err(failure) => self.failures.push(failure),
            }
        }
        self.unusable = self.failures.len();
        self.lengths = self.waiting.iter().map(Measured::tokens).collect();
        self.batches = batches(&self.lengths, budget).into();
    }

    /// What is to be sent next, if it is there: how many samples are unusable, the batches, and the end.
    pub(super) fn next_message(&mut self) -> Option<Message> {
        if self.unmeasured > 0 {
            return None;
        }
        let failed = std::mem::take(&mut self.unusable);
        if failed > 0 {
            return Some(Message::Batch(Batch {
                failed,
                ..Batch::default()
            }));
        }
        let Some(range) = self.batches.front() else {
            return Some(Message::End(Box::new(self.header())));
        };
        let there = |sample: &Option<Loaded>| sample.is_some();
        if self.loaded.len() < range.len() || !self.loaded.range(..range.len()).all(there) {
            return None;
        }
        let mut batch = Batch {
            tokens: self.lengths[range.clone()].iter().sum::<usize>() as u64,
            loaded: range.len(),
            ..Batch::default()
        };
        for (row, id, result) in self.loaded.drain(..range.len()).flatten() {
            match result {
                Ok(inputs) => batch.push(row, id, inputs),
                Err(failure) => {
                    batch.failed += 1;
                    self.failures.push(failure);
                }
            }
        }
        self.sent = range.end;
        self.batches.pop_front();
        Some(Message::Batch(batch))
    }

    fn header(&mut self) -> Header {
        Header {
            key: ShardKey::clone(&self.work.dataset.key),
            dataset: self.work.dataset.name.clone(),
            index: self.work.index,
            failures: std::mem::take(&mut self.failures),
        }
    }
}
