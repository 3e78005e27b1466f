//! The text side of CLIP and SigLIP: its config, with the defaults of transformers' classes.

use super::super::super::error::CheckpointError;
use super::super::super::fields::Fields;
use super::super::vit::{Activation, Tower};
use std::path::PathBuf;

/// The text transformer. Its layers are those of the vision side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TextConfig {
    /// Rows of the token embedding.
    pub vocab_size: usize,
    /// Width of the hidden states.
    pub hidden_size: usize,
    /// Width inside the MLP.
    pub intermediate_size: usize,
    /// Layers.
    pub num_hidden_layers: usize,
    /// Attention heads.
    pub num_attention_heads: usize,
    /// The most tokens of a text; SigLIP fills every text up to them.
    pub max_position_embeddings: usize,
    /// The activation inside the MLPs.
    pub activation: Activation,
    /// Of the norms.
    pub layer_norm_eps: f64,
    /// CLIP: whose position is taken for the text. 2 stands in older files, and means the largest id of the text.
    pub eos_token: u32,
    /// SigLIP: what fills texts up, where the tokenizer does not say.
    pub pad_token: u32,
    /// Width of what comes out.
    pub width: usize,
}

/// The files that turn text into ids.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    /// `tokenizer.json`.
    pub file: PathBuf,
    /// The token that texts are filled up with, where `tokenizer_config.json` says.
    pub pad: Option<String>,
}

/// Reads `text_config`; `width` is that of the common space.
pub(super) fn read(
    fields: &Fields<'_>,
    tower: Tower,
    width: usize,
) -> Result<TextConfig, CheckpointError> {
    let clip = tower == Tower::Clip;
    let kind = if clip {
        "clip_text_model"
    } else {
        "siglip_text_model"
    };
    fields.only("model_type", &[kind])?;
    let by = |of_clip, of_siglip| if clip { of_clip } else { of_siglip };
    let config = TextConfig {
        vocab_size: fields.size("vocab_size", by(49_408, 32_000))?,
        hidden_size: fields.size("hidden_size", by(512, 768))?,
        intermediate_size: fields.size("intermediate_size", by(2048, 3072))?,
        num_hidden_layers: fields.layers("num_hidden_layers", 12)?,
        num_attention_heads: fields.size("num_attention_heads", by(8, 12))?,
        max_position_embeddings: fields.side("max_position_embeddings", by(77, 64))?,
        activation: Activation::read(fields, tower)?,
        layer_norm_eps: fields.positive("layer_norm_eps", if clip { 1e-5 } else { 1e-6 })?,
        eos_token: fields.u32("eos_token_id")?.unwrap_or(49_407),
        pad_token: fields.u32("pad_token_id")?.unwrap_or(1),
        width,
    };
    if !config
        .hidden_size
        .is_multiple_of(config.num_attention_heads)
    {
        let supported = format!("a divisor of hidden_size {}", config.hidden_size);
        return Err(fields.refuse("num_attention_heads", &supported));
    }
    // Without a width of its own SigLIP's head is as wide as the text's hidden states.
    if !clip && fields.size("projection_size", config.hidden_size)? != width {
        let supported = format!("{width}, the width of the vision side");
        return Err(fields.refuse("projection_size", &supported));
    }
    Ok(config)
}
