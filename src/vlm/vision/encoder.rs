//! The layers that CLIP and SigLIP are made of, on both sides: norm, attention, norm, MLP.

use candle_core::Tensor;

use crate::checkpoint;
use crate::vlm::VlmError;
use crate::vlm::attention::{Packing, attention};
use crate::vlm::loader::Loader;
use crate::vlm::ops::{Activation, Linear, Norm};

impl From<checkpoint::Activation> for Activation {
    fn from(activation: checkpoint::Activation) -> Self {
        match activation {
            checkpoint::Activation::GeluTanh => Self::GeluTanh,
            checkpoint::Activation::GeluQuick => Self::GeluQuick,
            checkpoint::Activation::GeluErf => Self::GeluErf,
        }
    }
}

/// What the layers are like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EncoderConfig {
    /// Width of the hidden states.
    pub d: usize,
    /// Width inside the MLP.
    pub inner: usize,
    pub heads: usize,
    pub eps: f64,
    pub activation: Activation,
}

/// A stack of layers on their device.
pub(crate) struct Encoder {
    layers: Vec<Layer>,
    heads: usize,
    activation: Activation,
}

struct Layer {
    norm1: Norm,
    qkv: Linear,
    out: Linear,
    norm2: Norm,
    fc1: Linear,
    fc2: Linear,
}

impl Encoder {
    /// Loads so many layers `PREFIX.layers.N`.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape than the config says.
    pub(crate) fn load(
        config: EncoderConfig,
        layers: usize,
        prefix: &str,
        loader: Loader<'_>,
    ) -> Result<Self, VlmError> {
        let layer = |i| Layer::load(config, &format!("{prefix}.layers.{i}"), loader);
        Ok(Self {
            layers: (0..layers).map(layer).collect::<Result<_, _>>()?,
            heads: config.heads,
            activation: config.activation,
        })
    }

    /// The norm in front of the first layer, if there is one.
    pub(crate) fn first_norm(&self) -> Option<&Norm> {
        self.layers.first().map(|layer| &layer.norm1)
    }

    /// From the input and its [first norm](Self::first_norm) to the last layer's output. Each norm is computed along
    /// with the sum that it is of. Without layers it is `x`.
    ///
    /// # Errors
    /// When shapes do not fit or a device operation fails.
    pub(crate) fn forward(
        &self,
        [mut x, mut normed]: [Tensor; 2],
        packing: &Packing,
    ) -> candle_core::Result<Tensor> {
        let Some((mut layer, others)) = self.layers.split_first() else {
            return Ok(x);
        };
        for next in others {
            let (attended, inner) = layer.forward([&x, &normed], self, packing)?;
            [x, normed] = layer
                .fc2
                .forward_residual_normed(&inner, &attended, &next.norm1)?;
            layer = next;
        }
        let (attended, inner) = layer.forward([&x, &normed], self, packing)?;
        layer.fc2.forward_residual(&inner, &attended)
    }
}

impl Layer {
    fn load(config: EncoderConfig, prefix: &str, loader: Loader<'_>) -> Result<Self, VlmError> {
        let EncoderConfig { d, inner, eps, .. } = config;
        let attention = format!("{prefix}.self_attn");
        let projections = [("q_proj", d), ("k_proj", d), ("v_proj", d)];
        Ok(Self {
            norm1: loader
                .layer_norm(&format!("{prefix}.layer_norm1"), d, eps)?
                .into(),
            qkv: loader.stacked(&attention, d, &projections, true)?,
            out: loader.linear(&format!("{attention}.out_proj"), [d, d], true)?,
            norm2: loader
                .layer_norm(&format!("{prefix}.layer_norm2"), d, eps)?
                .into(),
            fc1: loader.linear(&format!("{prefix}.mlp.fc1"), [d, inner], true)?,
            fc2: loader.linear(&format!("{prefix}.mlp.fc2"), [inner, d], true)?,
        })
    }

    /// From `x` and its norm to the sum behind attention, and what the last linear layer adds to it.
    fn forward(
        &self,
        [x, normed]: [&Tensor; 2],
        encoder: &Encoder,
        packing: &Packing,
    ) -> candle_core::Result<(Tensor, Tensor)> {
        let heads = encoder.heads;
        let [q, k, v] = self.qkv.forward_qkv(normed, heads, heads, None)?;
        let attended = attention(&q, &k, &v, packing)?;
        let [x, normed] = self
            .out
            .forward_residual_normed(&attended, x, &self.norm2)?;
        let inner = self.fc1.forward_activated(&normed, encoder.activation)?;
        Ok((x, inner))
    }
}
