//! The device's side: from tiles to one vector each.

use candle_core::{DType, Device, Tensor};

use super::head::PoolingHead;
use super::units::Units;
use crate::checkpoint::embedding::{Config, VISION};
use crate::checkpoint::{Family, Tower};
use crate::vlm::loader::Loader;
use crate::vlm::ops::{Linear, Norm, Segments, rows};
use crate::vlm::profile::section;
use crate::vlm::vision::qwen_vl::Tower as QwenTower;
use crate::vlm::vision::vit::Vit;
use crate::vlm::{Footprint, Input, Layer, Model, Pass, TextScope, VlmError, qwen_vl};

/// Patches that go through the tower together, unless the model is told of a budget; as many as eight tiles of SigLIP's
/// largest tower have.
const PATCHES: usize = 8 * 729;

/// A model that embeds pictures, on its device.
pub(super) struct Embedder {
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
    pub(super) fn of_pair(config: &Config, loader: Loader<'_>) -> Result<Self, VlmError> {
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
    pub(super) fn of_tower(family: &Family, loader: Loader<'_>) -> Result<Self, VlmError> {
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
