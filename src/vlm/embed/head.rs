//! SigLIP's pooling head: a learned query looks at all patches of a picture.
//!
//! Reference: `SiglipMultiheadAttentionPoolingHead` of transformers.

use candle_core::{D, DType, Tensor};
use candle_nn::ops::softmax;
use candle_transformers::models::siglip::VisionConfig;

use crate::checkpoint::Activation;
use crate::vlm::VlmError;
use crate::vlm::loader::Loader;
use crate::vlm::ops::{self, Linear, Norm};

/// The head's weights on their device.
pub(super) struct PoolingHead {
    /// What the probe asks for, divided by the root of a head's width, `[1, heads, width of a head]`.
    query: Tensor,
    keys: Linear,
    values: Linear,
    out: Linear,
    norm: Norm,
    fc1: Linear,
    activation: ops::Activation,
    fc2: Linear,
}

impl PoolingHead {
    /// Loads the head under `prefix`.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape than the config says.
    pub(super) fn load(
        config: &VisionConfig,
        activation: Activation,
        prefix: &str,
        loader: Loader<'_>,
    ) -> Result<Self, VlmError> {
        let (d, inner, heads) = (
            config.hidden_size,
            config.intermediate_size,
            config.num_attention_heads,
        );
        let attention = format!("{prefix}.attention");
        let weight = loader.tensor(&format!("{attention}.in_proj_weight"), &[3 * d, d])?;
        let bias = loader.tensor(&format!("{attention}.in_proj_bias"), &[3 * d])?;
        let part = |i: usize| -> candle_core::Result<Linear> {
            let bias = bias.narrow(0, i * d, d)?.contiguous()?;
            Linear::new(&weight.narrow(0, i * d, d)?, Some(bias))
        };
        let probe = loader
            .tensor(&format!("{prefix}.probe"), &[1, 1, d])?
            .reshape((1, d))?;
        let scale = ((d / heads) as f64).powf(-0.5);
        let query = part(0)?.forward(&probe)?.reshape((1, heads, d / heads))?;
        let norm = format!("{prefix}.layernorm");
        Ok(Self {
            query: (query * scale)?,
            keys: part(1)?,
            values: part(2)?,
            out: loader.linear(&format!("{attention}.out_proj"), [d, d], true)?,
            norm: loader.layer_norm(&norm, d, config.layer_norm_eps)?.into(),
            fc1: loader.linear(&format!("{prefix}.mlp.fc1"), [d, inner], true)?,
            activation: activation.into(),
            fc2: loader.linear(&format!("{prefix}.mlp.fc2"), [inner, d], true)?,
        })
    }

    /// From the states of so many tiles, `[tiles · patches, d]`, to `[tiles, d]`.
    ///
    /// # Errors
    /// When shapes do not fit or a device operation fails.
    pub(super) fn forward(&self, states: &Tensor, tiles: usize) -> candle_core::Result<Tensor> {
        let (rows, d) = states.dims2()?;
        let (_, heads, width) = self.query.dims3()?;
        let split = |x: Tensor| x.reshape((rows, heads, width));
        let scores = split(self.keys.forward(states)?)?.broadcast_mul(&self.query)?;
        let scores = scores.to_dtype(DType::F32)?.sum(D::Minus1)?;
        let scores = scores.reshape((tiles, rows / tiles, heads))?;
        let shares = softmax(&scores, 1)?.reshape((rows, heads, 1))?;
        let values = split(self.values.forward(states)?)?.to_dtype(DType::F32)?;
        let pooled = values.broadcast_mul(&shares)?;
        let pooled = pooled.reshape((tiles, rows / tiles, d))?.sum(1)?;
        let attended = self.out.forward(&pooled.to_dtype(states.dtype())?)?;
        let normed = self.norm.forward(&attended)?;
        let inner = self.fc1.forward_activated(&normed, self.activation)?;
        self.fc2.forward_residual(&inner, &attended)
    }
}
