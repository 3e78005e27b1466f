//! One vector for a picture: what the concepts of the atlas are clusters of.
//!
//! Three kinds of models give it, each in the space that it was trained for:
//!
//! * CLIP: the class token behind the last norm, projected (`CLIPModel.get_image_features` of transformers);
//! * SigLIP: the pooling head over the patches (`SiglipModel.get_image_features`);
//! * the vision tower of a vision-language model, alone: the mean of its patches. LLaVA's in front of the projector, of
//!   the whole picture as one tile; Qwen-VL's behind the merger.
//!
//! All are a [`Model`] whose inputs are pictures without text, so that whatever makes shards of hidden states makes
//! shards of embeddings too. A sample's vector for pictures is the mean of the unit vectors of its pictures, that for
//! clips of the unit vectors of its frames (of Qwen-VL of two frames each), and what [`PooledBatch`] calls tokens is how
//! many these are. Layers mean nothing here: all that are asked for are the same.

mod head;
mod processor;
mod text;
mod units;

use candle_core::{DType, Device, Tensor};

use super::loader::Loader;
use super::ops::{Linear, Norm, Segments, rows};
use super::profile::section;
use super::vision::qwen_vl::Tower as QwenTower;
use super::vision::vit::Vit;
use super::{
    Footprint, Input, Layer, Model, Pass, ProcessorOptions, TextScope, VlmError, device, qwen_vl,
};
use crate::checkpoint::embedding::{Config, VISION};
use crate::checkpoint::llava::Pictures;
use crate::checkpoint::{
    Checkpoint, CheckpointError, EmbeddingCheckpoint, Family, Fit, OnProgress, Tower,
};
use crate::media::Resampling;
use head::PoolingHead;
use processor::Processor;

pub use text::TextModel;
pub(super) use units::Units;

/// Patches that go through the tower together, unless the model is told of a budget; as many as eight tiles of SigLIP's
/// largest tower have.
const PATCHES: usize = 8 * 729;

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
    pub fn processor(&self, options: &ProcessorOptions) -> Box<dyn super::Processor> {
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

/// A model that embeds pictures, on its device.
struct Embedder {
    eye: Eye,
    /// The most patches that go through together, if a tile alone has no more.
    patches: usize,
    footprint: Footprint,
    device: Device,
}

/// What sees.
enum Eye {
    Clip {
        tower: Vit,
        norm: Norm,
        projection: Linear,
    },
    Siglip {
        tower: Vit,
        norm: Norm,
        head: PoolingHead,
    },
    /// Patches are averaged.
    Llava(Vit),
    /// Tokens are averaged.
    QwenVl(QwenTower),
}

impl Embedder {
    /// Of CLIP or SigLIP.
    fn of_pair(config: &Config, loader: Loader<'_>) -> Result<Self, VlmError> {
        let vision = &config.vision;
        let (d, layers) = (vision.hidden_size, vision.num_hidden_layers);
        let levels = [config.pixels.mean, config.pixels.std];
        let tower = Vit::load(
            (config.tower, config.activation),
            vision,
            layers,
            VISION,
            levels,
            loader,
        )?;
        let norm = format!("{VISION}.post_layernorm");
        let norm = loader.layer_norm(&norm, d, vision.layer_norm_eps)?.into();
        let eye = match config.tower {
            Tower::Clip => Eye::Clip {
                tower,
                norm,
                projection: loader.linear("visual_projection", [d, config.width], false)?,
            },
            Tower::Siglip => Eye::Siglip {
                tower,
                norm,
                head: PoolingHead::load(
                    vision,
                    config.activation,
                    &format!("{VISION}.head"),
                    loader,
                )?,
            },
        };
        let footprint = Footprint::of_tower(d, vision.intermediate_size, false, loader.dtype);
        Ok(Self::new(eye, footprint, loader.device))
    }

    /// Of the vision tower of a vision-language model.
    fn of_tower(family: &Family, loader: Loader<'_>) -> Result<Self, VlmError> {
        let (eye, footprint) = match family {
            Family::Llava(config) => {
                let levels = [config.pixels.mean, config.pixels.std];
                let (vision, used) = (&config.vision, config.vision_layers_used);
                let prefix = "vision_tower";
                let tower = Vit::load(
                    (config.tower, config.tower.activation()),
                    vision,
                    used,
                    prefix,
                    levels,
                    loader,
                )?;
                (Eye::Llava(tower), Footprint::of_llava(config, loader.dtype))
            }
            Family::QwenVl(config) => (
                Eye::QwenVl(QwenTower::load(config, "visual", loader)?),
                Footprint::of_qwen_vl(config, loader.dtype),
            ),
        };
        // What a batch holds is pictures: there is no language model.
        let token = footprint.patch;
        Ok(Self::new(
            eye,
            Footprint { token, ..footprint },
            loader.device,
        ))
    }

    fn new(eye: Eye, footprint: Footprint, device: &Device) -> Self {
        Self {
            eye,
            patches: PATCHES,
            footprint,
            device: device.clone(),
        }
    }

    /// One vector for each tile, or each slice of Qwen-VL's, `[n, width]` in f32, of any length. `None` without any.
    fn vectors(&self, batch: &[Input]) -> candle_core::Result<Option<Tensor>> {
        let visuals = || batch.iter().flat_map(|input| &input.visuals);
        if let Eye::QwenVl(tower) = &self.eye {
            let mut slices = Vec::new();
            for visual in visuals() {
                slices.extend(qwen_vl::slices(visual, tower.depth())?);
            }
            if slices.is_empty() {
                return Ok(None);
            }
            let lengths: Vec<usize> = slices.iter().map(|s| s.rows * s.columns).collect();
            return self.sums(&tower.forward(&slices)?, &lengths).map(Some);
        }
        let tiles: Vec<&[u8]> = visuals().flat_map(|visual| visual.tiles.iter()).collect();
        let together = (self.patches / self.tokens()?).max(1);
        let parts: Vec<Tensor> = tiles
            .chunks(together)
            .map(|tiles| self.tiles(tiles))
            .collect::<candle_core::Result<_>>()?;
        if parts.is_empty() {
            return Ok(None);
        }
        Tensor::cat(&parts, 0).map(Some)
    }

    /// Tokens of a tile in the tower.
    fn tokens(&self) -> candle_core::Result<usize> {
        match &self.eye {
            Eye::Clip { tower, .. } | Eye::Siglip { tower, .. } | Eye::Llava(tower) => {
                tower.tokens()
            }
            Eye::QwenVl(_) => Ok(1),
        }
    }

    /// One vector for each tile, `[tiles, width]` in f32.
    fn tiles(&self, tiles: &[&[u8]]) -> candle_core::Result<Tensor> {
        let count = tiles.len();
        match &self.eye {
            Eye::Clip {
                tower,
                norm,
                projection,
            } => {
                let each = tower.tokens()? as u32;
                let class = (0..count as u32).map(|tile| tile * each).collect();
                let class = rows::select(&tower.states(tiles)?, class)?;
                projection
                    .forward(&norm.forward(&class)?)?
                    .to_dtype(DType::F32)
            }
            Eye::Siglip { tower, norm, head } => {
                let states = norm.forward(&tower.states(tiles)?)?;
                head.forward(&states, count)?.to_dtype(DType::F32)
            }
            Eye::Llava(tower) => {
                self.sums(&tower.forward(tiles)?, &vec![tower.side().pow(2); count])
            }
            Eye::QwenVl(_) => candle_core::bail!("Qwen-VL's tower sees slices, not tiles"),
        }
    }

    /// Sums over the rows of each tile or slice: of one direction with the means.
    fn sums(&self, x: &Tensor, lengths: &[usize]) -> candle_core::Result<Tensor> {
        let mut first = 0;
        let sets: Vec<Vec<u32>> = lengths
            .iter()
            .map(|&length| {
                let rows = first..first + length as u32;
                first = rows.end;
                rows.collect()
            })
            .collect();
        Segments::new(&sets, &self.device)?.sums(x)
    }
}

impl Model for Embedder {
    fn start(&self, batch: &[Input], layers: &[Layer], _: TextScope) -> Result<Pass, VlmError> {
        let vectors = section("vision", || self.vectors(batch))?;
        Ok(Pass::of_units(Units::new(batch, vectors, layers.len())?))
    }

    fn depth(&self) -> usize {
        0
    }

    fn footprint(&self) -> Footprint {
        self.footprint
    }

    fn set_patches(&mut self, patches: usize) {
        self.patches = patches;
        if let Eye::QwenVl(tower) = &mut self.eye {
            tower.most_patches = patches;
        }
    }
}
