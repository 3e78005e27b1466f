//! The text side of CLIP and SigLIP: one vector for a text, in the space of the pictures'.
//!
//! Reference: `CLIPModel.get_text_features` and `SiglipModel.get_text_features` of transformers. Texts are packed: CLIP
//! reads from the left, so that what would fill a text up behind its end changes nothing before it; SigLIP's fill is
//! read like text.

use candle_core::{DType, Device, Tensor};

use crate::checkpoint::Tower;
use crate::checkpoint::embedding::{TEXT, TextConfig};
use crate::vlm::VlmError;
use crate::vlm::attention::Packing;
use crate::vlm::loader::Loader;
use crate::vlm::ops::{Linear, Norm, rows};
use crate::vlm::vision::encoder::{Encoder, EncoderConfig};

/// Texts that go through together.
const TEXTS: usize = 64;
/// What `eos_token_id` says in older files of CLIP, which mean the largest id.
const LARGEST: u32 = 2;

/// The text side on its device.
pub struct TextModel {
    tower: Tower,
    eos_token: u32,
    tokens: Tensor,
    positions: Tensor,
    encoder: Encoder,
    norm: Norm,
    projection: Linear,
    width: usize,
    device: Device,
}

impl TextModel {
    /// Loads the text side of a checkpoint.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape than the config says.
    pub(super) fn load(
        tower: Tower,
        config: &TextConfig,
        loader: Loader<'_>,
    ) -> Result<Self, VlmError> {
        let d = config.hidden_size;
        let embedding = |name: &str, rows| {
            loader.tensor(&format!("{TEXT}.embeddings.{name}.weight"), &[rows, d])
        };
        let layers = EncoderConfig {
            d,
            inner: config.intermediate_size,
            heads: config.num_attention_heads,
            eps: config.layer_norm_eps,
            activation: config.activation.into(),
        };
        let (count, encoder) = (config.num_hidden_layers, format!("{TEXT}.encoder"));
        let norm = format!("{TEXT}.final_layer_norm");
        let widths = [d, config.width];
        Ok(Self {
            tower,
            eos_token: config.eos_token,
            tokens: embedding("token_embedding", config.vocab_size)?,
            positions: embedding("position_embedding", config.max_position_embeddings)?,
            encoder: Encoder::load(layers, count, &encoder, loader)?,
            norm: loader.layer_norm(&norm, d, config.layer_norm_eps)?.into(),
            projection: match tower {
                Tower::Clip => loader.linear("text_projection", widths, false)?,
                Tower::Siglip => loader.linear(&format!("{TEXT}.head"), widths, true)?,
            },
            width: config.width,
            device: loader.device.clone(),
        })
    }

    /// Width of a vector.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The vectors of texts given by their ids, one after the other, of any length.
    ///
    /// # Errors
    /// When a text has no ids or too many, or a device operation fails.
    pub fn forward(&self, texts: &[Vec<u32>]) -> Result<Vec<f32>, VlmError> {
        let mut vectors = Vec::with_capacity(texts.len() * self.width);
        for texts in texts.chunks(TEXTS) {
            let projected = self.together(texts)?.to_dtype(DType::F32)?;
            vectors.extend(projected.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(vectors)
    }

    fn together(&self, texts: &[Vec<u32>]) -> candle_core::Result<Tensor> {
        let lengths: Vec<usize> = texts.iter().map(Vec::len).collect();
        let most = self.positions.dim(0)?;
        if let Some(wrong) = lengths.iter().find(|&&length| length == 0 || length > most) {
            candle_core::bail!("a text of {wrong} tokens for a model that reads 1 to {most}");
        }
        let places = lengths.iter().flat_map(|&length| 0..length as u32);
        let positions = rows::select(&self.positions, places.collect())?;
        let x = (rows::select(&self.tokens, texts.concat())? + positions)?;
        let packing = Packing::new(&lengths, self.tower == Tower::Clip, &self.device)?;
        let states = match self.encoder.first_norm() {
            Some(norm) => {
                let normed = norm.forward(&x)?;
                self.encoder.forward([x, normed], &packing)?
            }
            None => x,
        };
        let mut first = 0;
        let ends = texts.iter().map(|ids| {
            let end = first + self.end(ids);
            first += ids.len();
            end as u32
        });
        let ends = rows::select(&states, ends.collect())?;
        self.projection.forward(&self.norm.forward(&ends)?)
    }

    /// The position whose state stands for a text.
    fn end(&self, ids: &[u32]) -> usize {
        let last = ids.len() - 1;
        let wanted = match self.tower {
            Tower::Siglip => return last,
            Tower::Clip if self.eos_token == LARGEST => ids.iter().max().copied(),
            Tower::Clip => Some(self.eos_token),
        };
        let found = ids.iter().position(|&id| Some(id) == wanted);
        found.unwrap_or(last)
    }
}
