//! Batches through one device's model, in parts where they do not fit into its memory.
//!
//! How much memory a batch needs is not known before: it hangs on tiles, tokens and kernels. So a batch is tried, and
//! where the device's memory is full it is cut in two at about half of its tokens. What then goes together is
//! remembered, so that the batches after it are cut before they are tried: over a whole run there are about as many
//! attempts in vain as the batch can be halved, and one for each sample that does not even fit alone.
//!
//! The vectors of the parts are those of the whole batch up to the order of additions, about 1e-6 relative in f32.

use super::batch::{Batch, batches};
use crate::media::video::RETRY;
use crate::store::Failure;
use crate::vlm::{Input, Layer, Model, PooledBatch, TextScope, VlmError};

/// The forward passes of one device.
pub(super) struct Forward<'a> {
    model: &'a dyn Model,
    /// What people call the device.
    device: &'a str,
    layers: &'a [Layer],
    scope: TextScope,
    /// The most tokens of several samples together, once a batch did not fit.
    budget: Option<usize>,
}

impl<'a> Forward<'a> {
    pub(super) fn new(
        model: &'a dyn Model,
        device: &'a str,
        layers: &'a [Layer],
        scope: TextScope,
    ) -> Self {
        Self {
            model,
            device,
            layers,
            scope,
            budget: None,
        }
    }

    /// Passes a batch through the model; `take` is given rows and their vectors, in order. Returns the samples that do
    /// not fit even alone.
    pub(super) fn run(
        &mut self,
        batch: &Batch,
        mut take: impl FnMut(&[u64], &PooledBatch),
    ) -> Result<Vec<Failure>, VlmError> {
        let mut failures = Vec::new();
        let mut inputs = batch.inputs.as_slice();
        let mut done = 0;
        while done < batch.rows.len() {
            let lengths = lengths(inputs, &batch.passes[done..]);
            let count = match self.budget {
                None => lengths.len(),
                Some(budget) => batches(&lengths, budget)[0].end,
            };
            let samples = done..done + count;
            let passes = &batch.passes[samples.clone()];
            let (part, rest) = inputs.split_at(passes.iter().sum());
            match self.forward(part)? {
                Some(pooled) => take(&batch.rows[samples.clone()], &pooled.merged(passes)),
                None if count > 1 => {
                    self.lower(&lengths[..count]);
                    continue;
                }
                None => match self.one_by_one(part)? {
                    Ok(pooled) => take(&batch.rows[samples.clone()], &pooled.merged(passes)),
                    Err(tokens) => {
                        failures.push(batch.failure(batch.rows[done], &does_not_fit(tokens)));
                    }
                },
            }
            (inputs, done) = (rest, samples.end);
        }
        Ok(failures)
    }

    /// One pass; `None` where it does not fit.
    fn forward(&self, inputs: &[Input]) -> Result<Option<PooledBatch>, VlmError> {
        match self.model.forward(inputs, self.layers, self.scope) {
            Err(error) if error.is_out_of_memory() => Ok(None),
            pooled => pooled.map(Some),
        }
    }

    /// The passes of a sample one after the other, where it has several; the tokens of the first that does not fit.
    fn one_by_one(&self, inputs: &[Input]) -> Result<Result<PooledBatch, usize>, VlmError> {
        let tokens = |input: &Input| input.tokens.ids.len();
        if let [input] = inputs {
            return Ok(Err(tokens(input)));
        }
        let mut pooled = Vec::with_capacity(inputs.len());
        for input in inputs {
            match self.forward(std::slice::from_ref(input))? {
                Some(one) => pooled.push(one),
                None => return Ok(Err(tokens(input))),
            }
        }
        Ok(Ok(PooledBatch::joined(pooled)))
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
        tracing::warn!(
            "{}: a batch of {total} tokens does not fit into its memory; from here on at most {budget} tokens go \
             through it together. extract.batch_tokens = {budget} would spare the attempts, and make other shards",
            self.device
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
