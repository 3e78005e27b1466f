//! Batches through one device's model, one ahead of the one that is waited for, in parts where they do not fit into its
//! memory.
//!
//! # Running ahead
//! A pass is started before the one before it is waited for, so that a device with a queue always has the next one in it
//! while the vectors of the last are fetched, put together and published. All that was started stands in one line, with
//! marks between the passes where a batch or a shard ends, and is delivered from its front: so the order is that in
//! which it went in, and a shard is at its end once its mark is delivered. At most one pass is in flight beyond the one
//! that was started last. Where a pass is done when it is started, as on the CPU, it is delivered at once.
//!
//! # Back-off
//! How much memory a batch needs is not known before: it hangs on tiles, tokens and kernels. So a batch is tried, and
//! where the device's memory is full while another pass is in flight, it is tried again once that one has given back
//! what it holds. Where it is full then, the batch is cut in two at about half of its tokens. What then goes together is
//! remembered, so that the batches after it are cut before they are tried: over a whole run there are about as many
//! attempts in vain as the batch can be halved, twice that where passes run ahead, and one or two for each sample that
//! does not even fit alone.
//!
//! Memory is taken when a pass is started. That it is full, or anything else, where a pass is waited for is an error
//! that ends the run: the pass may have failed at any point, and its pixels are gone.
//!
//! The vectors of the parts are those of the whole batch up to the order of additions, about 1e-6 relative in f32. So on
//! a device whose memory was full, bytes hang on what went before; that is said when it happens, with the size of
//! batches that spares it.

use std::collections::VecDeque;

use candle_core::Device;

use super::ExtractError;
use super::batch::{Batch, batches};
use super::work::Header;
use crate::media::video::RETRY;
use crate::store::Failure;
use crate::vlm::{Input, Layer, Model, Pass, PooledBatch, TextScope, VlmError, device};

/// The forward passes of one device.
pub(super) struct Forward<'a> {
    model: &'a dyn Model,
    /// What people call the device, and the device.
    device: (&'a str, &'a Device),
    layers: &'a [Layer],
    scope: TextScope,
    /// The most tokens of several samples together, once a batch did not fit.
    budget: Option<usize>,
    /// What was started and is not delivered.
    line: VecDeque<Entry>,
}

enum Entry {
    Part(Part),
    Batch(Batch, Vec<Failure>),
    Shard(Box<Header>),
}

/// Samples of a batch whose pass was started.
struct Part {
    pass: Pass,
    rows: Vec<u64>,
    /// How many of the inputs are of each row.
    passes: Vec<usize>,
    tokens: u64,
}

/// What comes out, in the order in which it went in.
pub(super) enum Delivered {
    /// Vectors of samples of a batch.
    Vectors {
        rows: Vec<u64>,
        pooled: PooledBatch,
        /// Positions that went through the model.
        tokens: u64,
    },
    /// All of the batch is delivered; its inputs are gone. With it, its samples that do not fit even alone.
    Batch(Batch, Vec<Failure>),
    /// All of the shard is delivered.
    Shard(Box<Header>),
}

/// Takes what is delivered.
pub(super) type Deliver<'a> = &'a mut dyn FnMut(Delivered) -> Result<(), ExtractError>;

impl<'a> Forward<'a> {
    pub(super) fn new(
        model: &'a dyn Model,
        device: (&'a str, &'a Device),
        layers: &'a [Layer],
        scope: TextScope,
    ) -> Self {
        Self {
            model,
            device,
            layers,
            scope,
            budget: None,
            line: VecDeque::new(),
        }
    }

    /// Starts the passes of a batch; what is done meanwhile is delivered.
    ///
    /// # Errors
    /// When the device fails, in this pass or in one before it, or `deliver` does.
    pub(super) fn start(
        &mut self,
        mut batch: Batch,
        deliver: Deliver<'_>,
    ) -> Result<(), ExtractError> {
        let inputs = std::mem::take(&mut batch.inputs);
        let mut failures = Vec::new();
        let mut rest = inputs.as_slice();
        let mut done = 0;
        while done < batch.rows.len() {
            let lengths = lengths(rest, &batch.passes[done..]);
            let count = match self.budget {
                None => lengths.len(),
                Some(budget) => batches(&lengths, budget)[0].end,
            };
            let samples = done..done + count;
            let passes = &batch.passes[samples.clone()];
            let (part, after) = rest.split_at(passes.iter().sum());
            let mut pass = self.begin(part, deliver)?;
            if pass.is_none() {
                if count > 1 {
                    self.lower(&lengths[..count]);
                    continue;
                }
                match self.one_by_one(part)? {
                    Ok(pooled) => pass = Some(Pass::done(pooled)),
                    Err(tokens) => {
                        failures.push(batch.failure(batch.rows[done], &does_not_fit(tokens)));
                    }
                }
            }
            if let Some(pass) = pass {
                self.line.push_back(Entry::Part(Part {
                    pass,
                    rows: batch.rows[samples.clone()].to_vec(),
                    passes: passes.to_vec(),
                    tokens: lengths[..count].iter().sum::<usize>() as u64,
                }));
                self.deliver(1, deliver)?;
            }
            (rest, done) = (after, samples.end);
        }
        drop(inputs);
        self.line.push_back(Entry::Batch(batch, failures));
        self.deliver(1, deliver)
    }

    /// Marks the end of a shard, all of whose batches were started.
    ///
    /// # Errors
    /// When `deliver` fails.
    pub(super) fn end(
        &mut self,
        shard: Box<Header>,
        deliver: Deliver<'_>,
    ) -> Result<(), ExtractError> {
        self.line.push_back(Entry::Shard(shard));
        self.deliver(1, deliver)
    }

    /// Whether there is a pass that was started and not delivered.
    pub(super) fn is_in_flight(&self) -> bool {
        !self.line.is_empty()
    }

    /// Delivers what can be delivered without waiting for the device.
    ///
    /// # Errors
    /// When the device failed, or `deliver` does.
    pub(super) fn deliver_done(&mut self, deliver: Deliver<'_>) -> Result<(), ExtractError> {
        self.deliver(usize::MAX, deliver)
    }

    /// Waits for all that was started, and delivers it.
    ///
    /// # Errors
    /// When the device fails, or `deliver` does.
    pub(super) fn finish(&mut self, deliver: Deliver<'_>) -> Result<(), ExtractError> {
        self.deliver(0, deliver)
    }

    /// Delivers from the front until the next is a pass that is not done and is among the `left` passes that were
    /// started last.
    fn deliver(&mut self, left: usize, deliver: Deliver<'_>) -> Result<(), ExtractError> {
        let is_part = |entry: &&Entry| matches!(entry, Entry::Part(_));
        while let Some(front) = self.line.front() {
            if let Entry::Part(part) = front
                && !part.pass.is_done()
                && self.line.iter().filter(is_part).count() <= left
            {
                break;
            }
            let delivered = match self.line.pop_front() {
                None => break,
                Some(Entry::Part(part)) => Delivered::Vectors {
                    pooled: part
                        .pass
                        .finish()
                        .map_err(|error| self.failed(error))?
                        .merged(&part.passes),
                    rows: part.rows,
                    tokens: part.tokens,
                },
                Some(Entry::Batch(batch, failures)) => Delivered::Batch(batch, failures),
                Some(Entry::Shard(header)) => Delivered::Shard(header),
            };
            deliver(delivered)?;
        }
        Ok(())
    }

    /// Starts a pass, a second time when none is in flight any more; `None` where it does not fit.
    fn begin(
        &mut self,
        inputs: &[Input],
        deliver: Deliver<'_>,
    ) -> Result<Option<Pass>, ExtractError> {
        let pass = self.try_begin(inputs)?;
        if pass.is_some() || !self.is_in_flight() {
            return Ok(pass);
        }
        self.finish(deliver)?;
        self.try_begin(inputs)
    }

    /// Starts a pass; `None` where it does not fit.
    fn try_begin(&self, inputs: &[Input]) -> Result<Option<Pass>, ExtractError> {
        match self.model.start(inputs, self.layers, self.scope) {
            Err(error) if error.is_out_of_memory() => Ok(None),
            pass => pass.map(Some).map_err(|error| self.failed(error)),
        }
    }

    /// The passes of a sample one after the other, where it has several; the tokens of the first that does not fit.
    fn one_by_one(&self, inputs: &[Input]) -> Result<Result<PooledBatch, usize>, ExtractError> {
        let tokens = |input: &Input| input.tokens.ids.len();
        if let [input] = inputs {
            return Ok(Err(tokens(input)));
        }
        let mut pooled = Vec::with_capacity(inputs.len());
        for input in inputs {
            match self.try_begin(std::slice::from_ref(input))? {
                Some(pass) => pooled.push(pass.finish().map_err(|error| self.failed(error))?),
                None => return Ok(Err(tokens(input))),
            }
        }
        Ok(Ok(PooledBatch::joined(pooled)))
    }

    fn failed(&self, error: VlmError) -> ExtractError {
        ExtractError::Forward {
            device: self.device.0.to_owned(),
            error: Box::new(error),
        }
    }

    /// Allows only so many tokens that the samples of these lengths go in two.
    fn lower(&mut self, lengths: &[usize]) {
        let total: usize = lengths.iter().sum();
        let larger_part = |first: usize| first.max(total - first);
        let budget = lengths[..lengths.len() - 1]
            .iter()
            .scan(0, |first, length| {
                *first += length;
                Some(larger_part(*first))
            })
            .min()
            .unwrap_or(total);
        self.budget = Some(budget);
        let (device, at) = self.device;
        let free =
            device::memory(at).map_or_else(String::new, |memory| format!(", of which {memory}"));
        tracing::warn!(
            "{device}: a batch of {total} tokens does not fit into its memory{free}; from here on at most {budget} tokens go \
             through it together. extract.batch_tokens = {budget} would spare the attempts and make shards that are the same to the byte in every run"
        );
    }
}

fn does_not_fit(tokens: usize) -> String {
    format!(
        "its {tokens} tokens do not fit into the device's memory; make it smaller by extract.too_long = \"shrink\" \
         with a lower extract.max_tokens, or {RETRY} on a device with more memory"
    )
}

/// Tokens of each sample, whose numbers of inputs are given.
fn lengths(inputs: &[Input], passes: &[usize]) -> Vec<usize> {
    let mut inputs = inputs.iter();
    passes
        .iter()
        .map(|&count| {
            let own = inputs.by_ref().take(count);
            own.map(|input| input.tokens.ids.len()).sum()
        })
        .collect()
}

#[cfg(test)]
mod tests;
