//! Vision-language models: samples that are pixels and token ids in, one mean vector per modality out.
//!
//! The forward pass is packed and prefill-only: the samples of a batch lie one after the other
//! without padding, there is no cache of keys and values and no language model head, and the hidden
//! states of a layer are averaged as soon as they exist. A family of checkpoints is one file that
//! joins a tower of [`vision`] with a model of [`language`].

pub mod attention;
pub mod device;
pub mod language;
pub mod layer;
pub mod llava_onevision;
mod loader;
pub mod ops;
pub mod pool;
#[cfg(test)]
mod testing;
pub mod vision;

use crate::checkpoint::{Checkpoint, CheckpointError, Family};
use crate::media::{MediaError, Rgb, Size, Tiles};
use crate::prompt::Tokens;

pub use layer::Layer;
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

/// One picture on its way through a model.
#[derive(Debug)]
pub struct Picture {
    /// Its pixels as the tower takes them.
    pub tiles: Tiles,
    /// How their features become its tokens.
    pub shape: PictureShape,
}

/// What the size of a picture, and whether it is alone, say about its tiles and tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PictureShape {
    /// LLaVA's tiling.
    Tiled(llava_onevision::packing::Shape),
}

impl PictureShape {
    /// Positions that the picture takes in the language model.
    pub fn tokens(&self) -> usize {
        match self {
            Self::Tiled(shape) => shape.tokens(),
        }
    }

    /// Tiles that go through the vision tower.
    pub fn tiles(&self) -> usize {
        match self {
            Self::Tiled(shape) => shape.tiles(),
        }
    }
}

/// One sample, ready for the device.
#[derive(Debug)]
pub struct Input {
    /// Token ids with every placeholder repeated as often as its picture has tokens.
    pub tokens: Tokens,
    /// The pictures in the order of their placeholders.
    pub pictures: Vec<Picture>,
}

/// The host's side of a family: from pictures to what its tower takes.
pub trait PictureProcessor: Send + Sync {
    /// Shapes of all pictures of one sample, from their sizes alone.
    ///
    /// # Errors
    /// When a picture has a size that the family cannot take.
    fn shapes(&self, sizes: &[Size]) -> Result<Vec<PictureShape>, MediaError>;

    /// The pixels of one picture in the given shape.
    ///
    /// # Errors
    /// When the picture is not of the size that the shape was made for.
    fn render(&self, picture: &Rgb, shape: PictureShape) -> Result<Picture, MediaError>;
}

/// The device's side of a family.
pub trait Model: Send {
    /// Mean hidden states per sample and modality at the given layers, from one packed pass.
    ///
    /// # Errors
    /// When a device operation fails, for instance for want of memory.
    fn forward(
        &self,
        batch: &[Input],
        layers: &[Layer],
        scope: TextScope,
    ) -> Result<PooledBatch, VlmError>;

    /// Decoder layers of the language model.
    fn depth(&self) -> usize;
}

/// The picture processor that a checkpoint asks for.
pub fn picture_processor(
    checkpoint: &Checkpoint,
    resampler: crate::media::Resampler,
) -> Box<dyn PictureProcessor> {
    match &checkpoint.family {
        Family::LlavaOneVision(config) => Box::new(llava_onevision::Processor::new(
            config,
            checkpoint.layout,
            resampler,
        )),
    }
}

/// Loads a checkpoint's model onto a device.
///
/// # Errors
/// When a tensor is missing or misshapen, or does not fit into the device's memory.
pub fn load(
    checkpoint: &Checkpoint,
    dtype: candle_core::DType,
    device: &candle_core::Device,
) -> Result<Box<dyn Model>, VlmError> {
    let loader = loader::Loader {
        weights: &checkpoint.weights,
        dtype,
        device,
    };
    match &checkpoint.family {
        Family::LlavaOneVision(config) => Ok(Box::new(llava_onevision::LlavaOneVision::load(
            config, loader,
        )?)),
    }
}
