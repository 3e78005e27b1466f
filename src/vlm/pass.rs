//! One packed pass through a language model: text and what was seen put together, run, and averaged.

use candle_core::{Result, Tensor};

use super::embed::Units;
use super::language::decoder::{Decoder, Positions};
use super::ops::rows;
use super::pool::{Pooled, Pooler};
use super::profile::section;
use super::{Input, Layer, PooledBatch, TextScope, VlmError};
use crate::prompt::Place;

/// A packed pass that was started.
#[derive(Debug)]
pub struct Pass(State);

#[derive(Debug)]
enum State {
    Queued(Pooled),
    Units(Units),
    Done(PooledBatch),
    #[cfg(test)]
    Later(super::testing::Later),
}

impl Pass {
    /// A pass that is over already.
    pub fn done(pooled: PooledBatch) -> Self {
        Self(State::Done(pooled))
    }

    /// A pass of a model that embeds pictures.
    pub(super) fn of_units(units: Units) -> Self {
        Self(State::Units(units))
    }

    /// A pass that is over once it is waited for.
    #[cfg(test)]
    pub(crate) fn later(later: super::testing::Later) -> Self {
        Self(State::Later(later))
    }

    /// Whether [`Self::finish`] has nothing to wait for: on the CPU always.
    pub fn is_done(&self) -> bool {
        match &self.0 {
            State::Queued(pooled) => pooled.is_computed(),
            State::Units(units) => units.is_computed(),
            State::Done(_) => true,
            #[cfg(test)]
            State::Later(later) => later.is_done(),
        }
    }

    /// Waits for the mean hidden states. What was queued after the pass is not waited for.
    ///
    /// # Errors
    /// When the device fails, which may have been in an earlier pass.
    pub fn finish(self) -> std::result::Result<PooledBatch, VlmError> {
        match self.0 {
            State::Queued(pooled) => Ok(pooled.finish()?),
            State::Units(units) => Ok(units.finish()?),
            State::Done(pooled) => Ok(pooled),
            #[cfg(test)]
            State::Later(later) => later.finish(),
        }
    }
}

/// Starts the pass of a batch. `seen` are the tokens `[n, d]` of all pictures and clips, in the order of their
/// placeholders; `None` where there are none.
pub(super) fn start(
    language: &Decoder,
    batch: &[Input],
    seen: Option<Tensor>,
    positions: Positions<'_>,
    layers: &[Layer],
    scope: TextScope,
) -> std::result::Result<Pass, VlmError> {
    let lengths: Vec<usize> = batch.iter().map(|input| input.tokens.ids.len()).collect();
    let mut pooler = Pooler::new(batch, layers, language.depth(), scope, language.device())?;
    let embeddings = join(language, batch, seen)?;
    let deepest = pooler.deepest();
    let visit = |index, states: &Tensor| pooler.visit(index, states);
    section("language", || {
        language.forward(embeddings, &lengths, positions, deepest, visit)
    })?;
    Ok(Pass(State::Queued(pooler.pooled()?)))
}

/// The inputs of the language model `[n, d]`: embeddings of text with what was seen put in.
fn join(language: &Decoder, batch: &[Input], seen: Option<Tensor>) -> Result<Tensor> {
    let text: Vec<u32> = batch
        .iter()
        .flat_map(|input| input.tokens.ids.iter().zip(&input.tokens.places))
        .filter(|(_, place)| !place.is_visual())
        .map(|(id, _)| *id)
        .collect();
    let Some(seen) = seen else {
        return language.embed(&text);
    };
    if text.is_empty() {
        return Ok(seen);
    }
    let (mut next_text, mut next_seen) = (0, text.len() as u32);
    let order: Vec<u32> = batch
        .iter()
        .flat_map(|input| &input.tokens.places)
        .map(|place: &Place| {
            let next = if place.is_visual() {
                &mut next_seen
            } else {
                &mut next_text
            };
            *next += 1;
            *next - 1
        })
        .collect();
    rows::select(&Tensor::cat(&[language.embed(&text)?, seen], 0)?, order)
}
