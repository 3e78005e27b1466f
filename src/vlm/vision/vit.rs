//! The vision transformers of SigLIP and CLIP, up to the last used layer and without the norm after it.
//!
//! Reference: `SiglipVisionModel` and `CLIPVisionModel` of transformers, features as the LLaVA line takes them: the
//! output of a layer before `post_layernorm`, CLIP's without the class token.

use candle_core::{Device, Tensor};
use candle_transformers::models::siglip::VisionConfig;

use crate::checkpoint::{Activation, Tower};
use crate::vlm::VlmError;
use crate::vlm::attention::{Packing, try_out};
use crate::vlm::kernels;
use crate::vlm::loader::Loader;
use crate::vlm::ops::{Corner, Linear, Norm, Patches, rows};
use crate::vlm::vision::encoder::{Encoder, EncoderConfig};

/// The tower's weights on their device.
pub struct Vit {
    patch_embedding: Linear,
    /// One row for each token of a tile, the class token's first where there is one, with its embedding added.
    position_embedding: Tensor,
    /// CLIP's norm before the layers. Where it is, there is a class token.
    pre_norm: Option<Norm>,
    encoder: Encoder,
    image_size: usize,
    patch: usize,
    side: usize,
    patches: Patches,
    device: Device,
}

impl Vit {
    /// Loads the first `used` layers of a tower under `prefix` (`vision_tower`), which sees pictures
    /// normalised with `mean` and `std` (of levels scaled to 0…1).
    ///
    /// # Errors
    /// When a tensor is missing or has another shape than the config says.
    pub(crate) fn load(
        (tower, activation): (Tower, Activation),
        config: &VisionConfig,
        used: usize,
        prefix: &str,
        normalisation: [[f32; 3]; 2],
        loader: Loader<'_>,
    ) -> Result<Self, VlmError> {
        let (d, patch) = (config.hidden_size, config.patch_size);
        let side = config.image_size / patch;
        let head = d / config.num_attention_heads;
        try_out(head, false, loader.dtype, loader.device)?;
        let clip = tower == Tower::Clip;
        let embeddings = format!("{prefix}.embeddings");
        // A convolution whose stride is its size is a linear layer over the pixels of a patch.
        let patches = Patches::new([patch, 1], &[normalisation], loader.dtype, loader.device)?;
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
            .transpose()?
            .map(Norm::from);
        let layers = EncoderConfig {
            d,
            inner: config.intermediate_size,
            heads: config.num_attention_heads,
            eps: config.layer_norm_eps,
            activation: activation.into(),
        };
        Ok(Self {
            patch_embedding: patches.embedding(&weight, bias)?,
            position_embedding,
            pre_norm,
            encoder: Encoder::load(layers, used, &format!("{prefix}.encoder"), loader)?,
            image_size: config.image_size,
            patch,
            side,
            patches,
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
        let (tokens, d) = self.position_embedding.dims2()?;
        let x = self.states(tiles)?;
        if tokens == patches {
            return Ok(x);
        }
        if kernels::apply_to(&x) {
            let of_patches =
                |tile: usize| (tile * tokens + 1..(tile + 1) * tokens).map(|row| row as u32);
            return rows::select(&x, (0..count).flat_map(of_patches).collect());
        }
        x.reshape((count, tokens, d))?
            .narrow(1, 1, patches)?
            .contiguous()?
            .reshape((count * patches, d))
    }

    /// Tokens of a tile: its patches and, where there is one, the class token in front of them.
    pub(crate) fn tokens(&self) -> candle_core::Result<usize> {
        self.position_embedding.dim(0)
    }

    /// As [`Self::forward`], `[tiles · tokens, d]` with the class tokens.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub(crate) fn states(&self, tiles: &[&[u8]]) -> candle_core::Result<Tensor> {
        let packing = Packing::new(&vec![self.tokens()?; tiles.len()], false, &self.device)?;
        self.run(&self.cut(tiles)?, &packing)
    }

    /// From the pixels of the tokens to the last layer's output.
    fn run(&self, pixels: &Tensor, packing: &Packing) -> candle_core::Result<Tensor> {
        let (embedding, position) = (&self.patch_embedding, &self.position_embedding);
        let Some(first) = self.encoder.first_norm() else {
            let x = embedding.forward_residual(pixels, position)?;
            return self
                .pre_norm
                .as_ref()
                .map_or(Ok(x.clone()), |norm| norm.forward(&x));
        };
        let input = match &self.pre_norm {
            Some(norm) => {
                let [_, x] = embedding.forward_residual_normed(pixels, position, norm)?;
                let normed = first.forward(&x)?;
                [x, normed]
            }
            None => embedding.forward_residual_normed(pixels, position, first)?,
        };
        self.encoder.forward(input, packing)
    }

    /// Normalised pixels `[tiles · tokens, 3 · patch²]` of each tile's patches, row by row. Where there is a class
    /// token, zeros stand before them: it has no pixels, and the layer over them no bias. Pixels beyond the last whole
    /// patch are unused, as in a convolution without padding.
    fn cut(&self, tiles: &[&[u8]]) -> candle_core::Result<Tensor> {
        let (side, patch, tile) = (self.side, self.patch, self.image_size);
        if let Some(wrong) = tiles.iter().find(|levels| levels.len() != tile * tile * 3) {
            candle_core::bail!(
                "a tile of {} levels for a tower of {tile} pixels",
                wrong.len()
            );
        }
        let class = self.position_embedding.dim(0)? - side * side;
        let corner = |picture: usize, index: usize| Corner {
            picture: picture as u32,
            first: ((index / side * tile + index % side) * patch * 3) as u32,
            stride: (tile * 3) as u32,
            table: 0,
        };
        let corners: Vec<Corner> = (0..tiles.len())
            .flat_map(|picture| {
                let patches = (0..side * side).map(move |index| corner(picture, index));
                std::iter::repeat_n(Corner::BLANK, class).chain(patches)
            })
            .collect();
        self.patches.cut(tiles, &corners)
    }
}
