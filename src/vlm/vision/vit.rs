//! The vision transformers of SigLIP and CLIP, up to the last used layer and without the norm after it.
//!
//! Reference: `SiglipVisionModel` and `CLIPVisionModel` of transformers, features as the LLaVA line takes them: the
//! output of a layer before `post_layernorm`, CLIP's without the class token.

use candle_core::{DType, Device, Tensor};
use candle_transformers::models::siglip::VisionConfig;
use rayon::prelude::*;

use super::normalise::Normalise;
use crate::checkpoint::Tower;
use crate::vlm::VlmError;
use crate::vlm::attention::{Packing, attention};
use crate::vlm::device::transfer::upload;
use crate::vlm::loader::Loader;
use crate::vlm::ops::{Activation, LayerNorm, Linear};

/// The tower's weights on their device.
pub struct Vit {
    patch_embedding: Linear,
    /// One row for each token of a tile, the class token's first where there is one, with its embedding added.
    position_embedding: Tensor,
    /// CLIP's norm before the layers. Where it is, there is a class token.
    pre_norm: Option<LayerNorm>,
    activation: Activation,
    layers: Vec<Layer>,
    heads: usize,
    image_size: usize,
    patch: usize,
    side: usize,
    normalise: Normalise,
    dtype: DType,
    device: Device,
}

struct Layer {
    norm1: LayerNorm,
    qkv: Linear,
    out: Linear,
    norm2: LayerNorm,
    fc1: Linear,
    fc2: Linear,
}

impl Vit {
    /// Loads the first `used` layers of a tower under `prefix` (`vision_tower`), which sees pictures
    /// normalised with `mean` and `std` (of levels scaled to 0…1).
    ///
    /// # Errors
    /// When a tensor is missing or has another shape than the config says.
    pub(crate) fn load(
        tower: Tower,
        config: &VisionConfig,
        used: usize,
        prefix: &str,
        [mean, std]: [[f32; 3]; 2],
        loader: Loader<'_>,
    ) -> Result<Self, VlmError> {
        let (d, patch) = (config.hidden_size, config.patch_size);
        let side = config.image_size / patch;
        let clip = tower == Tower::Clip;
        let embeddings = format!("{prefix}.embeddings");
        // A convolution whose stride is its size is a linear layer over the pixels of a patch.
        let pixels = 3 * patch * patch;
        let patch_embedding = format!("{embeddings}.patch_embedding");
        let weight = loader.tensor(&format!("{patch_embedding}.weight"), &[d, 3, patch, patch])?;
        let bias = (!clip)
            .then(|| loader.tensor(&format!("{patch_embedding}.bias"), &[d]))
            .transpose()?;
        let tokens = side * side + usize::from(clip);
        let mut position_embedding = loader.tensor(
            &format!("{embeddings}.position_embedding.weight"),
            &[tokens, d],
        )?;
        if clip {
            let class = loader
                .tensor(&format!("{embeddings}.class_embedding"), &[d])?
                .unsqueeze(0)?;
            let first = (class + position_embedding.narrow(0, 0, 1)?)?;
            let others = position_embedding.narrow(0, 1, tokens - 1)?;
            position_embedding = Tensor::cat(&[first, others], 0)?;
        }
        let pre_norm = clip
            .then(|| loader.layer_norm(&format!("{prefix}.pre_layrnorm"), d, config.layer_norm_eps))
            .transpose()?;
        let layers = (0..used)
            .map(|i| Layer::load(config, &format!("{prefix}.encoder.layers.{i}"), loader))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            patch_embedding: Linear::new(&weight.reshape((d, pixels))?, bias)?,
            position_embedding,
            pre_norm,
            activation: match tower {
                Tower::Siglip => Activation::GeluTanh,
                Tower::Clip => Activation::GeluQuick,
            },
            layers,
            heads: config.num_attention_heads,
            image_size: config.image_size,
            patch,
            side,
            normalise: Normalise::new(mean, std),
            dtype: loader.dtype,
            device: loader.device.clone(),
        })
    }

    /// Patches along one side of a tile.
    pub fn side(&self) -> usize {
        self.side
    }

    /// Features `[tiles · side², d]`, each tile's patches row by row. A tile is its levels,
    /// `[image_size, image_size, 3]`.
    ///
    /// # Errors
    /// When a tile has another size or a device operation fails.
    pub fn forward(&self, tiles: &[&[u8]]) -> candle_core::Result<Tensor> {
        let (count, patches) = (tiles.len(), self.side * self.side);
        let mut x = self.embed(&self.patches(tiles)?, count)?;
        let per_tile = x.dim(0)? / count.max(1);
        if let Some(norm) = &self.pre_norm {
            x = norm.forward(&x)?;
        }
        let packing = Packing::new(&vec![per_tile; count], false, &self.device)?;
        for layer in &self.layers {
            x = layer.forward(&x, self.heads, self.activation, &packing)?;
        }
        if per_tile == patches {
            return Ok(x);
        }
        let d = x.dim(1)?;
        x.reshape((count, per_tile, d))?
            .narrow(1, 1, patches)?
            .contiguous()?
            .reshape((count * patches, d))
    }

    /// The tokens that the first layer sees, `[tiles · tokens, d]`: patches in their places, behind the class token
    /// where there is one.
    fn embed(&self, pixels: &Tensor, count: usize) -> candle_core::Result<Tensor> {
        let (tokens, d) = self.position_embedding.dims2()?;
        let patches = self.side * self.side;
        let of_patches = self
            .position_embedding
            .narrow(0, tokens - patches, patches)?;
        let position = of_patches.repeat((count, 1))?;
        let x = self.patch_embedding.forward_residual(pixels, &position)?;
        if tokens == patches {
            return Ok(x);
        }
        let class = self.position_embedding.narrow(0, 0, 1)?;
        let class = class.unsqueeze(0)?.repeat((count, 1, 1))?;
        Tensor::cat(&[class, x.reshape((count, patches, d))?], 1)?.reshape((count * tokens, d))
    }

    /// Normalised pixels `[tiles · side², 3 · patch²]` in the order of a convolution's weight. Pixels
    /// beyond the last whole patch are unused, as in a convolution without padding.
    fn patches(&self, tiles: &[&[u8]]) -> candle_core::Result<Tensor> {
        let (side, patch, tile) = (self.side, self.patch, self.image_size);
        if let Some(wrong) = tiles.iter().find(|levels| levels.len() != tile * tile * 3) {
            candle_core::bail!(
                "a tile of {} levels for a tower of {tile} pixels",
                wrong.len()
            );
        }
        let (width, per_tile) = (3 * patch * patch, side * side);
        let mut values = vec![0.0; tiles.len() * per_tile * width];
        values
            .par_chunks_mut(width)
            .enumerate()
            .for_each(|(index, out)| {
                let levels = tiles[index / per_tile];
                let (top, left) = (index % per_tile / side * patch, index % side * patch);
                for row in 0..patch {
                    let line = &levels[((top + row) * tile + left) * 3..][..patch * 3];
                    for (col, pixel) in line.chunks_exact(3).enumerate() {
                        for (c, level) in pixel.iter().enumerate() {
                            out[(c * patch + row) * patch + col] =
                                self.normalise.channel(c)[*level as usize];
                        }
                    }
                }
            });
        upload(values, (tiles.len() * per_tile, width), &self.device)?.to_dtype(self.dtype)
    }
}

impl Layer {
    fn load(config: &VisionConfig, prefix: &str, loader: Loader<'_>) -> Result<Self, VlmError> {
        let (d, inner, eps) = (
            config.hidden_size,
            config.intermediate_size,
            config.layer_norm_eps,
        );
        let attention = format!("{prefix}.self_attn");
        let projections = [("q_proj", d), ("k_proj", d), ("v_proj", d)];
        Ok(Self {
            norm1: loader.layer_norm(&format!("{prefix}.layer_norm1"), d, eps)?,
            qkv: loader.stacked(&attention, d, &projections, true)?,
            out: loader.linear(&format!("{attention}.out_proj"), [d, d], true)?,
            norm2: loader.layer_norm(&format!("{prefix}.layer_norm2"), d, eps)?,
            fc1: loader.linear(&format!("{prefix}.mlp.fc1"), [d, inner], true)?,
            fc2: loader.linear(&format!("{prefix}.mlp.fc2"), [inner, d], true)?,
        })
    }

    fn forward(
        &self,
        x: &Tensor,
        heads: usize,
        activation: Activation,
        packing: &Packing,
    ) -> candle_core::Result<Tensor> {
        let (rows, d) = x.dims2()?;
        let qkv = self.qkv.forward(&self.norm1.forward(x)?)?;
        let qkv = qkv.reshape((rows, 3 * heads, d / heads))?;
        let part = |i: usize| qkv.narrow(1, i * heads, heads);
        let attended = attention(&part(0)?, &part(1)?, &part(2)?, packing)?;
        let x = self.out.forward_residual(&attended, x)?;
        let inner = self
            .fc1
            .forward_activated(&self.norm2.forward(&x)?, activation)?;
        self.fc2.forward_residual(&inner, &x)
    }
}
