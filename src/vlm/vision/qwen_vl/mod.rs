//! The vision transformers of Qwen2-VL and Qwen2.5-VL: pictures and frames of any size, packed without padding.
//!
//! Reference: `Qwen2VisionTransformerPretrainedModel` and `Qwen2_5_VisionTransformerPretrainedModel` of transformers.
//! A patch is 14 by 14 pixels of two frames. Attention is within one temporal slice, positions are row and column, and
//! a square of two by two patches becomes one token of the language model.

mod block;
mod layout;
mod patches;

use candle_core::{Device, Tensor};

use crate::checkpoint::qwen_vl::{Config, Windows};
use crate::vlm::VlmError;
use crate::vlm::attention::{Packing, try_out};
use crate::vlm::loader::Loader;
use crate::vlm::ops::{Activation, Linear, Norm, Patches, RotaryTable, frequencies, rows};
use block::{Block, load_norm};
use layout::Layout;
use patches::Cutter;

pub(crate) use patches::Slice;

/// Patches that go through the tower together, if a slice alone has no more and the model is told of no budget: enough
/// rows for the CPU's matrix products at full speed, few enough that the tower's activations stay below those of the
/// language model. As many as eight of SigLIP's tiles have.
const PATCHES: usize = 8 * 729;

/// The tower's weights on their device.
pub struct Tower {
    cutter: Cutter,
    /// The most patches that go through together, if a slice alone has no more.
    pub(crate) most_patches: usize,
    patch_embedding: Linear,
    blocks: Vec<Block>,
    windows: Option<Windows>,
    merger: Merger,
    /// The frequencies of the rotary angles, each with the axis that it follows.
    axes: Vec<(usize, f32)>,
    device: Device,
}

/// A norm, a square of patches side by side as one row, and two linear layers.
struct Merger {
    norm: Norm,
    inner: Linear,
    outer: Linear,
}

impl Tower {
    /// Loads the tower under `prefix` (`visual`).
    ///
    /// # Errors
    /// When a tensor is missing or has another shape than the config says.
    pub(crate) fn load(
        config: &Config,
        prefix: &str,
        loader: Loader<'_>,
    ) -> Result<Self, VlmError> {
        let (generation, vision) = (config.generation, &config.vision);
        let (d, patch, depth) = (
            vision.hidden_size,
            vision.patch_size,
            vision.temporal_patch_size,
        );
        try_out(d / vision.num_heads, false, loader.dtype, loader.device)?;
        // A convolution whose stride is its size is a linear layer over the pixels of a patch.
        let convolution = loader.tensor(
            &format!("{prefix}.patch_embed.proj.weight"),
            &[d, 3, depth, patch, patch],
        )?;
        let normalisations = [&config.image, &config.video].map(|of| [of.mean, of.std]);
        let patches = Patches::new([patch, depth], &normalisations, loader.dtype, loader.device)?;
        let blocks = (0..vision.depth)
            .map(|i| Block::load(generation, vision, &format!("{prefix}.blocks.{i}"), loader))
            .collect::<Result<_, _>>()?;
        let merged = d * vision.spatial_merge_size.pow(2);
        let merger = format!("{prefix}.merger");
        let merger = Merger {
            norm: load_norm(generation, &format!("{merger}.ln_q"), d, loader)?,
            inner: loader.linear(&format!("{merger}.mlp.0"), [merged, merged], true)?,
            outer: loader.linear(
                &format!("{merger}.mlp.2"),
                [merged, vision.out_hidden_size],
                true,
            )?,
        };
        // Half of a head's pairs turn with the row, half with the column.
        let of_axis = |axis| {
            let half = d / vision.num_heads / 2;
            frequencies(half, vision.rope_theta).map(move |frequency| (axis, frequency))
        };
        Ok(Self {
            patch_embedding: patches.embedding(&convolution, None)?,
            cutter: Cutter {
                patches,
                patch,
                merge: vision.spatial_merge_size,
            },
            most_patches: PATCHES,
            blocks,
            windows: vision.windows.clone(),
            merger,
            axes: of_axis(0).chain(of_axis(1)).collect(),
            device: loader.device.clone(),
        })
    }

    /// Frames of a slice.
    pub(crate) fn depth(&self) -> usize {
        self.cutter.patches.depth()
    }

    /// Tokens `[n, d]` of all slices, in order and each row by row.
    ///
    /// # Errors
    /// When a frame does not fit its slice's rows and columns, or a device operation fails.
    pub(crate) fn forward(&self, slices: &[Slice<'_>]) -> candle_core::Result<Tensor> {
        let patches = |slice: &Slice<'_>| slice.rows * slice.columns * self.cutter.merge.pow(2);
        let mut parts = Vec::new();
        let mut rest = slices;
        while let Some((first, others)) = rest.split_first() {
            let mut total = patches(first);
            let fitting = others.iter().take_while(|slice| {
                total += patches(slice);
                total <= self.most_patches
            });
            let (together, after) = rest.split_at(1 + fitting.count());
            parts.push(self.forward_together(together)?);
            rest = after;
        }
        Tensor::cat(&parts, 0)
    }

    fn forward_together(&self, slices: &[Slice<'_>]) -> candle_core::Result<Tensor> {
        let sizes = slices.iter().map(|slice| (slice.rows, slice.columns));
        let side = self.windows.as_ref().map(|windows| windows.side);
        let layout = Layout::new(sizes, self.cutter.merge, side);
        let pixels = self.cutter.cut(slices, &layout.patches)?;
        let places: Vec<[u32; 2]> = layout.patches.iter().map(|p| [p.row, p.column]).collect();
        let table = RotaryTable::new(&places, &self.axes, &self.device)?;
        let whole = Packing::new(&layout.slices, false, &self.device)?;
        let in_windows = Packing::new(&layout.windows, false, &self.device)?;

        let mut x = self.patch_embedding.forward(&pixels)?;
        // Each block's first norm, and the merger's, is computed along with the sum that it is of.
        let norm = |i: usize| {
            self.blocks
                .get(i)
                .map_or(&self.merger.norm, |block| &block.norm1)
        };
        let mut normed = norm(0).forward(&x)?;
        for (i, block) in self.blocks.iter().enumerate() {
            let packing = match &self.windows {
                Some(windows) if !windows.full_blocks.contains(&i) => &in_windows,
                _ => &whole,
            };
            [x, normed] = block.forward([&x, &normed], norm(i + 1), packing, &table)?;
        }
        let tokens = self.merger.forward(&normed, self.cutter.merge.pow(2))?;
        match layout.back {
            None => Ok(tokens),
            Some(back) => rows::select(&tokens, back),
        }
    }
}

impl Merger {
    /// Tokens `[n / merged, d]` of normalised patches of which `merged` that follow each other become one.
    fn forward(&self, normed: &Tensor, merged: usize) -> candle_core::Result<Tensor> {
        let (rows, d) = normed.dims2()?;
        let joined = normed.reshape((rows / merged, merged * d))?;
        let inner = self.inner.forward_activated(&joined, Activation::GeluErf)?;
        self.outer.forward(&inner)
    }
}
