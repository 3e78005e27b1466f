//! A block of the tower: attention and an MLP, each behind a norm and added to its input.

use candle_core::Tensor;

use crate::checkpoint::qwen_vl::{Generation, VisionConfig};
use crate::vlm::VlmError;
use crate::vlm::attention::{Packing, attention};
use crate::vlm::loader::Loader;
use crate::vlm::ops::{Activation, LayerNorm, Linear, RmsNorm, RotaryTable, split_qkv};

/// All norms of both towers.
const EPS: f64 = 1e-6;

/// Layer norm in Qwen2-VL, RMS norm in Qwen2.5-VL.
pub(super) enum Norm {
    Layer(LayerNorm),
    Rms(RmsNorm),
}

impl Norm {
    pub(super) fn load(
        generation: Generation,
        prefix: &str,
        width: usize,
        loader: Loader<'_>,
    ) -> Result<Self, VlmError> {
        Ok(match generation {
            Generation::V2 => Self::Layer(loader.layer_norm(prefix, width, EPS)?),
            Generation::V2_5 => Self::Rms(loader.rms_norm(prefix, width, EPS)?),
        })
    }

    pub(super) fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        match self {
            Self::Layer(norm) => norm.forward(x),
            Self::Rms(norm) => norm.forward(x),
        }
    }
}

pub(super) struct Block {
    norm1: Norm,
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
        let (into, activation, out_of) = match generation {
            Generation::V2 => (
                loader.linear(&format!("{mlp}.fc1"), [d, inner], true)?,
                Activation::GeluQuick,
                "fc2",
            ),
            Generation::V2_5 => {
                let both = [("gate_proj", inner), ("up_proj", inner)];
                let into = loader.stacked(&mlp, d, &both, true)?;
                (into, Activation::SwiGlu, "down_proj")
            }
        };
        Ok(Self {
            norm1: Norm::load(generation, &format!("{prefix}.norm1"), d, loader)?,
            qkv: loader.linear(&format!("{prefix}.attn.qkv"), [d, 3 * d], true)?,
            out: loader.linear(&format!("{prefix}.attn.proj"), [d, d], true)?,
            norm2: Norm::load(generation, &format!("{prefix}.norm2"), d, loader)?,
            inner: into,
            activation,
            outer: loader.linear(&format!("{mlp}.{out_of}"), [inner, d], true)?,
            heads: config.num_heads,
        })
    }

    pub(super) fn forward(
        &self,
        x: &Tensor,
        packing: &Packing,
        table: &RotaryTable,
    ) -> candle_core::Result<Tensor> {
        let qkv = self.qkv.forward(&self.norm1.forward(x)?)?;
        let (q, k, v) = split_qkv(&qkv, self.heads, self.heads, table)?;
        let attended = attention(&q, &k, &v, packing)?;
        let x = self.out.forward_residual(&attended, x)?;
        let inner = self
            .inner
            .forward_activated(&self.norm2.forward(&x)?, self.activation)?;
        self.outer.forward_residual(&inner, &x)
    }
}
