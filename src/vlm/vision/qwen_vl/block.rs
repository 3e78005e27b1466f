//! A block of the tower: attention and an MLP, each behind a norm and added to its input.

use candle_core::Tensor;

use crate::checkpoint::qwen_vl::{Generation, VisionConfig};
use crate::vlm::VlmError;
use crate::vlm::attention::{Packing, attention};
use crate::vlm::loader::Loader;
use crate::vlm::ops::{Activation, Linear, Norm, RotaryTable};

/// All norms of both towers.
const EPS: f64 = 1e-6;

/// A layer norm in Qwen2-VL, an RMS norm in Qwen2.5-VL.
pub(super) fn load_norm(
    generation: Generation,
    prefix: &str,
    width: usize,
    loader: Loader<'_>,
) -> Result<Norm, VlmError> {
    Ok(match generation {
        Generation::V2 => loader.layer_norm(prefix, width, EPS)?.into(),
        Generation::V2_5 => loader.rms_norm(prefix, width, EPS)?.into(),
    })
}

pub(super) struct Block {
    pub(super) norm1: Norm,
    qkv: Linear,
    out: Linear,
    norm2: Norm,
    inner: Linear,
    activation: Activation,
    outer: Linear,
    heads: usize,
}

impl Block {
    pub(super) fn load(
        generation: Generation,
        config: &VisionConfig,
        prefix: &str,
        loader: Loader<'_>,
    ) -> Result<Self, VlmError> {
        let (d, inner) = (config.hidden_size, config.intermediate_size);
        let mlp = format!("{prefix}.mlp");
        let (activation, [into, out_of]) = match generation {
            Generation::V2 => {
                let linear = |name, widths| loader.linear(&format!("{mlp}.{name}"), widths, true);
                let both = [linear("fc1", [d, inner])?, linear("fc2", [inner, d])?];
                (Activation::GeluQuick, both)
            }
            Generation::V2_5 => {
                let both = loader.gated_mlp(&mlp, [d, inner], true)?;
                (Activation::SwiGlu, both)
            }
        };
        Ok(Self {
            norm1: load_norm(generation, &format!("{prefix}.norm1"), d, loader)?,
            qkv: loader.linear(&format!("{prefix}.attn.qkv"), [d, 3 * d], true)?,
            out: loader.linear(&format!("{prefix}.attn.proj"), [d, d], true)?,
            norm2: load_norm(generation, &format!("{prefix}.norm2"), d, loader)?,
            inner: into,
            activation,
            outer: out_of,
            heads: config.num_heads,
        })
    }

    /// From `x` and its norm to the block's output and that one's norm, which is the next block's.
    pub(super) fn forward(
        &self,
        [x, normed]: [&Tensor; 2],
        next: &Norm,
        packing: &Packing,
        table: &RotaryTable,
    ) -> candle_core::Result<[Tensor; 2]> {
        let (heads, table) = (self.heads, Some(table));
        let [q, k, v] = self.qkv.forward_qkv(normed, heads, heads, table)?;
        let attended = attention(&q, &k, &v, packing)?;
        let [x, normed] = self
            .out
            .forward_residual_normed(&attended, x, &self.norm2)?;
        let inner = self.inner.forward_activated(&normed, self.activation)?;
        self.outer.forward_residual_normed(&inner, &x, next)
    }
}
