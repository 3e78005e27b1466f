//! For the unit tests: the same numbers in every run, one way to compare tensors, and a model that needs no checkpoint.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use candle_core::{Device, Result, Tensor};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{Footprint, Input, Layer, Model, Pass, PooledBatch, TextScope, VlmError};
use crate::modality::Modality;
use crate::prompt::Place;

/// Values spread evenly over −2 to 2, a pure function of the shape and the seed.
///
/// Fresh random numbers would make a test fail once in a while for a rare draw.
pub(super) fn values(shape: &[usize], seed: u64) -> Result<Tensor> {
    let count = shape.iter().product::<usize>() as u64;
    let values: Vec<f32> = (0..count)
        .map(|i| {
            let bits = xxh3_64_with_seed(&i.to_le_bytes(), seed) >> 40;
            bits as f32 / (1 << 22) as f32 - 2.0
        })
        .collect();
    Tensor::from_vec(values, shape, &Device::Cpu)
}

/// The largest difference, relative to the largest value of the reference.
pub(super) fn worst(got: &Tensor, want: &Tensor) -> Result<f32> {
    let largest = |x: &Tensor| x.abs()?.max_all()?.to_scalar::<f32>();
    Ok(largest(&(got - want)?)? / largest(want)?)
}

/// What a full device answers, as candle passes it on.
pub(crate) fn out_of_memory() -> VlmError {
    let text = "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")";
    VlmError::Tensor(candle_core::Error::Cuda(text.into()))
}

/// A model without weights: its vectors are a pure function of each input alone, however it is packed. A pass is over
/// when it is started, as on the CPU.
pub(crate) struct Fake<F> {
    /// Is told the tokens of every pass, and may refuse.
    pub(crate) before: F,
}

/// The same on a device with a queue: a pass is over once it is waited for.
pub(crate) struct Queued<F, G> {
    pub(crate) fake: Fake<F>,
    /// Is told the tokens of every pass that is waited for, and may fail.
    pub(crate) after: Arc<G>,
    /// Whether passes are over before they are waited for.
    pub(crate) quick: Arc<AtomicBool>,
}

/// A pass of [`Queued`].
pub(crate) struct Later {
    pooled: PooledBatch,
    after: Box<dyn FnOnce() -> std::result::Result<(), VlmError> + Send>,
    quick: Arc<AtomicBool>,
}

impl Later {
    pub(super) fn is_done(&self) -> bool {
        self.quick.load(Ordering::Relaxed)
    }

    pub(super) fn finish(self) -> std::result::Result<PooledBatch, VlmError> {
        (self.after)()?;
        Ok(self.pooled)
    }
}

impl std::fmt::Debug for Later {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.pooled.fmt(f)
    }
}

fn tokens(batch: &[Input]) -> usize {
    batch.iter().map(|input| input.tokens.ids.len()).sum()
}

impl<F: Fn(usize) -> std::result::Result<(), VlmError> + Send> Model for Fake<F> {
    fn start(
        &self,
        batch: &[Input],
        layers: &[Layer],
        _: TextScope,
    ) -> std::result::Result<Pass, VlmError> {
        (self.before)(tokens(batch))?;
        Ok(Pass::done(pooled(batch, layers)))
    }

    fn depth(&self) -> usize {
        1
    }

    fn footprint(&self) -> Footprint {
        Footprint { token: 1, patch: 1 }
    }

    fn set_patches(&mut self, _: usize) {}
}

impl<F, G> Model for Queued<F, G>
where
    F: Fn(usize) -> std::result::Result<(), VlmError> + Send,
    G: Fn(usize) -> std::result::Result<(), VlmError> + Send + Sync + 'static,
{
    fn start(
        &self,
        batch: &[Input],
        layers: &[Layer],
        scope: TextScope,
    ) -> std::result::Result<Pass, VlmError> {
        let pooled = self.fake.forward(batch, layers, scope)?;
        let (after, tokens) = (Arc::clone(&self.after), tokens(batch));
        let after = Box::new(move || after(tokens));
        let quick = Arc::clone(&self.quick);
        Ok(Pass::later(Later {
            pooled,
            after,
            quick,
        }))
    }

    fn depth(&self) -> usize {
        1
    }

    fn footprint(&self) -> Footprint {
        self.fake.footprint()
    }

    fn set_patches(&mut self, _: usize) {}
}

fn pooled(batch: &[Input], layers: &[Layer]) -> PooledBatch {
    let mut tokens = Vec::new();
    let mut values = Vec::new();
    for Input { tokens: own, .. } in batch {
        let mut counts = [0; 3];
        for (modality, count) in Modality::ALL.into_iter().zip(&mut counts) {
            let of = |place: &Place| match place {
                Place::Image => Modality::Image,
                Place::Video => Modality::Video,
                _ => Modality::Text,
            };
            let ids = own.ids.iter().zip(&own.places);
            let ids: Vec<u32> = ids
                .filter(|(_, place)| of(place) == modality)
                .map(|(id, _)| *id)
                .collect();
            *count = ids.len() as u32;
            values.extend([ids.iter().sum::<u32>() as f32, ids.len() as f32]);
        }
        tokens.push(counts);
    }
    PooledBatch {
        tokens,
        width: 2,
        layers: vec![values; layers.len()],
    }
}
