//! Vision-language models: samples that are pixels and token ids in, one mean vector per modality out.
//!
//! The forward pass is packed and prefill-only: the samples of a batch lie one after the other
//! without padding, there is no cache of keys and values and no language model head, and the hidden
//! states of a layer are averaged as soon as they exist. A family of checkpoints is one file that
//! joins a tower of [`vision`] with a model of [`language`].

pub mod attention;
pub mod budget;
mod cost;
pub mod device;
pub mod embed;
#[doc = include_str!("fast_path.md")]
pub mod fast_path {}
mod kernels;
pub mod language;
pub mod layer;
pub mod llava;
mod loader;
pub mod ops;
mod pass;
pub mod pool;
pub mod profile;
pub mod qwen_vl;
#[cfg(test)]
pub(crate) mod testing;
pub mod vision;

use indicatif::HumanBytes;
use serde::{Deserialize, Serialize};

use crate::checkpoint::{Checkpoint, CheckpointError, Family};
use crate::media::{FrameRounding, MediaError, Resampler, Rgb, Sampling, Size, Tiles};
use crate::prompt::Tokens;

pub use budget::{Budget, Footprint};
pub use cost::Cost;
pub use layer::Layer;
pub use pass::Pass;
pub use pool::{PooledBatch, TextScope};

/// Why a model cannot be loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum VlmError {
    /// The checkpoint does not hold what its config says.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A tensor operation failed.
    #[error("the forward pass failed: {0}")]
    Tensor(#[from] candle_core::Error),
    /// The device that was asked for cannot be used.
    #[error("device = \"{name}\": {reason}")]
    Device {
        /// As written in the config.
        name: String,
        /// Why, and what to do.
        reason: String,
    },
    /// The device's memory is full, with how full.
    #[error("the device's memory is full: {asked} did not fit, {memory}")]
    Full {
        /// What was to be done, such as "a batch of 9,000 tokens".
        asked: String,
        /// How full it is.
        memory: device::Memory,
        /// What the driver said.
        source: Box<Self>,
    },
    /// A kernel that computes something else than it should, or nothing.
    #[error(
        "flash attention over heads of {d} values gives wrong results on this device (off by {apart:.2}): its kernels \
         may not have been built for this card, or not be loaded for want of memory; build with scripts/cuda-toolkit \
         and `--cap` of this card, or without the feature flash-attn"
    )]
    Attention {
        /// Width of a head.
        d: usize,
        /// Relative distance from attention by matrix products.
        apart: f32,
    },
    /// A layer that the language model does not have.
    #[error(
        "layers: {index} is not among the hidden states 0 to {last} of this checkpoint's \
         language model ({last} is after the final norm)"
    )]
    NoSuchLayer {
        /// As asked for.
        index: usize,
        /// The number of decoder layers.
        last: usize,
    },
}

/// What the CUDA driver and cuBLAS call it when the device's memory is full. candle passes their names on in the text.
const OUT_OF_MEMORY: [&str; 2] = ["CUDA_ERROR_OUT_OF_MEMORY", "CUBLAS_STATUS_ALLOC_FAILED"];

impl VlmError {
    /// Whether the device's memory was full. The device is sound then: a smaller batch may fit.
    pub fn is_out_of_memory(&self) -> bool {
        let error = match self {
            Self::Full { .. } => return true,
            Self::Tensor(error)
            | Self::Checkpoint(CheckpointError::Device { source: error, .. }) => error,
            _ => return false,
        };
        let text = error.to_string();
        OUT_OF_MEMORY.iter().any(|name| text.contains(name))
    }
}

/// A picture or a clip on its way through a model.
#[derive(Clone, Debug)]
pub struct Visual {
    /// Its pixels as the tower takes them.
    pub tiles: Tiles,
    /// How they become its tokens.
    pub shape: Shape,
}

/// What is known of a picture or a clip before it is decoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Extent {
    /// A picture of that size.
    Picture(Size),
    /// The frames that are taken of a clip.
    Clip {
        /// Size of a frame.
        size: Size,
        /// How many are taken.
        frames: usize,
        /// How many are taken of a second.
        fps: f64,
    },
}

/// What the size of a picture or clip, and whether it is alone, say about its tiles and tokens.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// The LLaVA line's tiles.
    Llava(llava::packing::Shape),
    /// The Qwen-VL models' grid.
    QwenVl(qwen_vl::Grid),
    /// Each picture or frame as one tile, for a model that embeds it.
    Whole {
        /// Pictures or frames.
        tiles: usize,
        /// Patches of each.
        tokens: usize,
    },
}

impl Shape {
    /// Positions in the language model.
    pub fn tokens(&self) -> usize {
        match self {
            Self::Llava(shape) => shape.tokens(),
            Self::QwenVl(grid) => grid.tokens(),
            Self::Whole { tiles, tokens } => tiles * tokens,
        }
    }

    /// Tiles or frames that go through the vision tower.
    pub fn tiles(&self) -> usize {
        match self {
            Self::Llava(shape) => shape.tiles(),
            Self::QwenVl(grid) => grid.tiles(),
            Self::Whole { tiles, .. } => *tiles,
        }
    }

    /// The shape as the LLaVA line has it.
    ///
    /// # Panics
    /// When it was made by another family's processor.
    fn llava(&self) -> &llava::packing::Shape {
        let Self::Llava(shape) = self else {
            panic!("a shape of the LLaVA line, not {self:?}");
        };
        shape
    }

    /// The shape as the Qwen-VL models have it.
    ///
    /// # Panics
    /// When it was made by another family's processor.
    fn qwen_vl(&self) -> &qwen_vl::Grid {
        let Self::QwenVl(grid) = self else {
            panic!("a grid of the Qwen-VL models, not {self:?}");
        };
        grid
    }
}

/// One sample, ready for the device.
#[derive(Clone, Debug)]
pub struct Input {
    /// Token ids with every placeholder repeated as often as its picture or clip has tokens.
    pub tokens: Tokens,
    /// The pictures and clips in the order of their placeholders.
    pub visuals: Vec<Visual>,
}

/// What a user may say about pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProcessorOptions {
    /// Whose integer arithmetic resizing follows.
    pub resampler: Resampler,
    /// Qwen-VL: how large pictures are made.
    pub pictures: PixelBounds,
    /// Qwen-VL: how large frames are made.
    pub frames: PixelBounds,
}

/// Bounds on the pixels that a picture or frame is resized to; `None`: the checkpoint's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PixelBounds {
    /// Of fewer pixels are enlarged.
    pub min_pixels: Option<u64>,
    /// Of more pixels are shrunk.
    pub max_pixels: Option<u64>,
}

/// Where text goes on behind a picture or video whose positions have three axes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MropeRule {
    /// Behind the furthest position of all three axes: what Qwen-VL is trained with.
    #[default]
    Original,
    /// Behind the longer side of its grid, whatever the number of frames: transformers from 5 on.
    Transformers5,
}

/// The host's side of a family: from pictures and frames to what its tower takes.
pub trait Processor: Send + Sync {
    /// Shapes of all pictures and clips of one sample, from their sizes alone. Each comes with how often its tokens are
    /// to be about halved, as far as the family can; 0 is as the checkpoint asks for.
    ///
    /// # Errors
    /// When one has a size that the family cannot take.
    fn shapes(&self, media: &[(Extent, u32)]) -> Result<Vec<Shape>, MediaError>;

    /// Appends the tiles of a picture, or of the next frame of a clip, in the given shape.
    ///
    /// # Errors
    /// When it is not of the size that the shape was made for.
    fn render(&self, frame: &Rgb, shape: &Shape, tiles: &mut Tiles) -> Result<(), MediaError>;

    /// How the number of frames of a clip is rounded.
    fn frame_rounding(&self) -> FrameRounding {
        FrameRounding::Plain
    }
}

/// The device's side of a family.
pub trait Model: Send {
    /// Starts a packed pass. On CUDA the work is queued when this returns, and the next pass may be started before
    /// this one is finished; on the CPU it is done. The batch is not needed any more.
    ///
    /// On CUDA the next pass takes hardly more memory for being started early: what the passes before it free is
    /// freed in the order of the queue, and so is there again where this pass allocates.
    ///
    /// # Errors
    /// When a device operation fails, for instance for want of memory.
    fn start(&self, batch: &[Input], layers: &[Layer], scope: TextScope) -> Result<Pass, VlmError>;

    /// Mean hidden states per sample and modality at the given layers, from one packed pass.
    ///
    /// # Errors
    /// As [`Self::start`].
    fn forward(
        &self,
        batch: &[Input],
        layers: &[Layer],
        scope: TextScope,
    ) -> Result<PooledBatch, VlmError> {
        self.start(batch, layers, scope)?.finish()
    }

    /// Decoder layers of the language model.
    fn depth(&self) -> usize;

    /// What a pass takes of the device's memory, beside the weights.
    fn footprint(&self) -> Footprint;

    /// Lets at most so many patches go through the vision tower together, if one tile or slice alone has no more.
    fn set_patches(&mut self, patches: usize);
}

/// The processor that a checkpoint asks for.
pub fn processor(checkpoint: &Checkpoint, options: &ProcessorOptions) -> Box<dyn Processor> {
    match &checkpoint.family {
        Family::Llava(config) => {
            let layout = checkpoint.layout;
            Box::new(llava::Processor::new(config, layout, options.resampler))
        }
        Family::QwenVl(config) => Box::new(qwen_vl::Processor::new(config, options)),
    }
}

/// The frames that a family is trained on.
pub fn sampling(family: &Family) -> Sampling {
    match family {
        Family::Llava(_) => Sampling::LlavaNext,
        Family::QwenVl(_) => Sampling::QWEN_VL,
    }
}

/// Loads a checkpoint's model onto a device. `rule` concerns models with M-RoPE alone.
///
/// # Errors
/// When a tensor is missing or misshapen, or does not fit into the device's memory.
pub fn load(
    checkpoint: &Checkpoint,
    dtype: candle_core::DType,
    device: &candle_core::Device,
    rule: MropeRule,
) -> Result<Box<dyn Model>, VlmError> {
    let loader = loader::Loader {
        weights: &checkpoint.weights,
        dtype,
        device,
    };
    let model = || -> Result<Box<dyn Model>, VlmError> {
        match &checkpoint.family {
            Family::Llava(config) => Ok(Box::new(llava::Llava::load(config, loader)?)),
            Family::QwenVl(config) => Ok(Box::new(qwen_vl::QwenVl::load(config, rule, loader)?)),
        }
    };
    model().map_err(|error| {
        let shapes = checkpoint
            .weights
            .names()
            .filter_map(|name| checkpoint.weights.shape(name));
        let values: usize = shapes.map(|shape| shape.iter().product::<usize>()).sum();
        let bytes = HumanBytes((values * dtype.size_in_bytes()) as u64);
        device::with_memory(error, device, &format!("a model of {bytes}"))
    })
}
