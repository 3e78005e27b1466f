//! The decoder of Llama, Mistral and Qwen2 over packed samples; with positions on three axes also that of Qwen-VL.
//!
//! Reference: `LlamaModel`, `MistralModel`, `Qwen2Model` and `Qwen2VLTextModel` of transformers. `hidden_states` are
//! numbered as there: 0 is the input, `k` the output of layer `k`, and the last one is after the final norm.

use candle_core::{Device, Tensor};

use crate::checkpoint::LanguageConfig;
use crate::vlm::VlmError;
use crate::vlm::attention::{Packing, attention, try_out};
use crate::vlm::loader::Loader;
use crate::vlm::ops::{Activation, Linear, Norm, RotaryTable, frequencies, rows};

/// The decoder's weights on their device.
pub struct Decoder {
    embedding: Tensor,
    layers: Vec<Layer>,
    norm: Norm,
    config: LanguageConfig,
    device: Device,
}

/// The position of every token of packed samples, as rotary embedding takes it.
#[derive(Clone, Copy, Debug)]
pub enum Positions<'a> {
    /// Counted from 0 in each sample.
    Counted,
    /// Time, height and width of each token.
    Axes(&'a [[u32; 3]]),
}

struct Layer {
    norm1: Norm,
    qkv: Linear,
    out: Linear,
    norm2: Norm,
    gate_up: Linear,
    down: Linear,
}

impl Decoder {
    /// Loads a decoder under `prefix` (`language_model.model`).
    ///
    /// # Errors
    /// When a tensor is missing or has another shape than the config says.
    pub(crate) fn load(
        config: &LanguageConfig,
        prefix: &str,
        loader: Loader<'_>,
    ) -> Result<Self, VlmError> {
        let d = config.hidden_size;
        try_out(config.head_dim, true, loader.dtype, loader.device)?;
        let layers = (0..config.num_hidden_layers)
            .map(|i| Layer::load(config, &format!("{prefix}.layers.{i}"), loader))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            embedding: loader.tensor(
                &format!("{prefix}.embed_tokens.weight"),
                &[config.vocab_size, d],
            )?,
            layers,
            norm: loader
                .rms_norm(&format!("{prefix}.norm"), d, config.rms_norm_eps)?
                .into(),
            config: config.clone(),
            device: loader.device.clone(),
        })
    }

    /// Decoder layers.
    pub fn depth(&self) -> usize {
        self.layers.len()
    }

    /// Where the weights are.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The embeddings `[n, d]` of token ids.
    ///
    /// # Errors
    /// When an id is outside the vocabulary or the upload fails.
    pub fn embed(&self, ids: &[u32]) -> candle_core::Result<Tensor> {
        if let Some(id) = ids
            .iter()
            .find(|&&id| id as usize >= self.config.vocab_size)
        {
            candle_core::bail!(
                "token {id} is outside the vocabulary of {}",
                self.config.vocab_size
            );
        }
        rows::select(&self.embedding, ids.to_vec())
    }

    /// Runs packed samples of the given lengths and hands `hidden_states[k]`, `[n, d]`, to `visit` for every `k` up
    /// to `last`.
    ///
    /// # Errors
    /// When shapes do not fit, a device operation fails, or `visit` fails.
    pub fn forward(
        &self,
        embeddings: Tensor,
        lengths: &[usize],
        positions: Positions<'_>,
        last: usize,
        mut visit: impl FnMut(usize, &Tensor) -> candle_core::Result<()>,
    ) -> candle_core::Result<()> {
        let packing = Packing::new(lengths, true, &self.device)?;
        let table = self.rotary_table(lengths, positions)?;
        // Each norm is computed along with the sum that it is of: a layer's first one with the output of the layer
        // before, and the final one with the last layer's.
        let norm = |k: usize| self.layers.get(k).map_or(&self.norm, |layer| &layer.norm1);
        let mut x = embeddings;
        let mut normed = norm(0).forward(&x)?;
        for (k, layer) in self.layers.iter().enumerate() {
            visit(k, &x)?;
            if k == last {
                return Ok(());
            }
            [x, normed] =
                layer.forward([&x, &normed], norm(k + 1), &self.config, &packing, &table)?;
        }
        visit(self.layers.len(), &normed)
    }

    fn rotary_table(
        &self,
        lengths: &[usize],
        positions: Positions<'_>,
    ) -> candle_core::Result<RotaryTable> {
        let frequencies = frequencies(self.config.head_dim, self.config.rope_theta);
        match positions {
            Positions::Counted => {
                let counted: Vec<[u32; 1]> = lengths
                    .iter()
                    .flat_map(|&n| (0..n as u32).map(|position| [position]))
                    .collect();
                let axes: Vec<(usize, f32)> = frequencies.map(|f| (0, f)).collect();
                RotaryTable::new(&counted, &axes, &self.device)
            }
            Positions::Axes(positions) => {
                let sections = self.config.mrope_section.unwrap_or_default();
                let axis_of = sections
                    .iter()
                    .enumerate()
                    .flat_map(|(axis, &count)| std::iter::repeat_n(axis, count));
                let axes: Vec<(usize, f32)> = axis_of.zip(frequencies).collect();
                RotaryTable::new(positions, &axes, &self.device)
            }
        }
    }
}

impl Layer {
    fn load(config: &LanguageConfig, prefix: &str, loader: Loader<'_>) -> Result<Self, VlmError> {
        let (d, inner, eps) = (
            config.hidden_size,
            config.intermediate_size,
            config.rms_norm_eps,
        );
        let queries = config.head_dim * config.num_attention_heads;
        let keys = config.head_dim * config.num_key_value_heads;
        let projections = [("q_proj", queries), ("k_proj", keys), ("v_proj", keys)];
        let attention = format!("{prefix}.self_attn");
        let mlp = format!("{prefix}.mlp");
        let [gate_up, down] = loader.gated_mlp(&mlp, [d, inner], false)?;
        Ok(Self {
            norm1: loader
                .rms_norm(&format!("{prefix}.input_layernorm"), d, eps)?
                .into(),
            qkv: loader.stacked(&attention, d, &projections, config.qkv_bias)?,
            out: loader.linear(&format!("{attention}.o_proj"), [queries, d], false)?,
            norm2: loader
                .rms_norm(&format!("{prefix}.post_attention_layernorm"), d, eps)?
                .into(),
            gate_up,
            down,
        })
    }

    /// From `x` and its norm to the layer's output and that one's norm, which is the next layer's.
    fn forward(
        &self,
        [x, normed]: [&Tensor; 2],
        next: &Norm,
        config: &LanguageConfig,
        packing: &Packing,
        table: &RotaryTable,
    ) -> candle_core::Result<[Tensor; 2]> {
        let (heads, kv_heads) = (config.num_attention_heads, config.num_key_value_heads);
        let [q, k, v] = self.qkv.forward_qkv(normed, heads, kv_heads, Some(table))?;
        let attended = attention(&q, &k, &v, packing)?;
        let [x, normed] = self
            .out
            .forward_residual_normed(&attended, x, &self.norm2)?;
        let inner = self
            .gate_up
            .forward_activated(&normed, Activation::SwiGlu)?;
        self.down.forward_residual_normed(&inner, &x, next)
    }
}
