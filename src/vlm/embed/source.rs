//! A checkpoint that pictures are embedded by, of any kind.

use candle_core::{DType, Device};

use super::TextModel;
use super::embedder::Embedder;
use super::processor::Processor;
use crate::checkpoint::llava::Pictures;
use crate::checkpoint::{
    Checkpoint, CheckpointError, EmbeddingCheckpoint, Family, Fit, OnProgress, Tower,
};
use crate::media::Resampling;
use crate::vlm::loader::Loader;
use crate::vlm::{self, Model, ProcessorOptions, VlmError, device, qwen_vl};

/// What pictures are embedded by.
#[derive(Debug)]
pub enum Source {
    /// A checkpoint of CLIP or SigLIP.
    Embedding(EmbeddingCheckpoint),
    /// The vision tower of a vision-language model.
    Tower(Checkpoint),
}

impl Source {
    /// For people: which model.
    pub fn describe(&self) -> String {
        match self {
            Self::Embedding(checkpoint) => {
                let kind = match checkpoint.config.tower {
                    Tower::Clip => "CLIP",
                    Tower::Siglip => "SigLIP",
                };
                format!("{} ({kind})", checkpoint.name)
            }
            Self::Tower(checkpoint) => {
                format!(
                    "the vision tower of {} ({})",
                    checkpoint.name, checkpoint.family
                )
            }
        }
    }

    /// Whether pictures keep their shapes and sizes, within bounds.
    pub fn takes_any_size(&self) -> bool {
        matches!(
            self,
            Self::Tower(Checkpoint {
                family: Family::QwenVl(_),
                ..
            })
        )
    }

    /// A hash of everything that decides what comes out of the model, by content; reads all weights once.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn fingerprint(&self, progress: &OnProgress) -> Result<String, CheckpointError> {
        match self {
            Self::Embedding(checkpoint) => checkpoint.fingerprint(progress),
            Self::Tower(checkpoint) => checkpoint.fingerprint(progress),
        }
    }

    /// The host's side: pictures as the model takes them. `options` bound the pixels of Qwen-VL's.
    pub fn processor(&self, options: &ProcessorOptions) -> Box<dyn vlm::Processor> {
        let resampler = options.resampler;
        let patches = |side: usize, patch: usize| (side / patch).pow(2);
        match self {
            Self::Embedding(EmbeddingCheckpoint { config, .. }) => Box::new(Processor {
                tile: config.pixels.size,
                fit: config.fit,
                tokens: patches(config.vision.image_size, config.vision.patch_size),
                resampling: Resampling {
                    resampler,
                    filter: config.filter,
                },
            }),
            Self::Tower(checkpoint) => match &checkpoint.family {
                Family::Llava(config) => Box::new(Processor {
                    tile: config.tile(),
                    fit: match config.pictures {
                        Pictures::Crop => Fit::Crop,
                        Pictures::Squash | Pictures::Anyres { .. } => Fit::Squash,
                    },
                    tokens: patches(config.vision.image_size, config.vision.patch_size),
                    resampling: resampler.into(),
                }),
                Family::QwenVl(config) => Box::new(qwen_vl::Processor::new(config, options)),
            },
        }
    }

    /// Loads what sees onto a device, and nothing else of the checkpoint.
    ///
    /// # Errors
    /// When a tensor is missing or misshapen, or does not fit into the device's memory.
    pub fn load(&self, dtype: DType, device: &Device) -> Result<Box<dyn Model>, VlmError> {
        let loader = |weights| Loader {
            weights,
            dtype,
            device,
        };
        let model = || -> Result<Embedder, VlmError> {
            match self {
                Self::Embedding(checkpoint) => {
                    Embedder::of_pair(&checkpoint.config, loader(&checkpoint.weights))
                }
                Self::Tower(checkpoint) => {
                    Embedder::of_tower(&checkpoint.family, loader(&checkpoint.weights))
                }
            }
        };
        let model = model()
            .map_err(|error| device::with_memory(error, device, "a model that embeds pictures"))?;
        Ok(Box::new(model))
    }

    /// Loads what reads; `None` for a vision tower, and for a checkpoint without a tokenizer.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_text(&self, dtype: DType, device: &Device) -> Result<Option<TextModel>, VlmError> {
        let Self::Embedding(checkpoint) = self else {
            return Ok(None);
        };
        let config = checkpoint.config.text.as_ref();
        let loader = Loader {
            weights: &checkpoint.weights,
            dtype,
            device,
        };
        config
            .map(|config| TextModel::load(checkpoint.config.tower, config, loader))
            .transpose()
    }
}
