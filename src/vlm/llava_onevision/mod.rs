//! LLaVA-OneVision: SigLIP, a two-layer projector and Qwen2, with anyres tiling.
//!
//! Reference: `LlavaOnevisionModel` of transformers (`modeling_llava_onevision.py`); LLaVA-NeXT's own
//! checkpoints hold the same model under other names.

pub mod packing;

use candle_core::{Device, Tensor};

use super::language::qwen2::Qwen2;
use super::loader::Loader;
use super::ops::{Activation, Linear};
use super::pool::Pooler;
use super::vision::siglip::Siglip;
use super::{
    Input, Layer, Model, Picture, PictureProcessor, PictureShape, PooledBatch, TextScope, VlmError,
};
use crate::checkpoint::Layout;
use crate::checkpoint::llava_onevision::Config;
use crate::media::{AnyresPlan, MediaError, Resampler, Rgb, Size, fill_levels, square_tile};
use crate::prompt::Place;
use packing::{Grid, Rounding, RowMap, Shape};

/// Tiles that go through the tower together: enough rows for matrix products at full speed, few
/// enough that the tower's activations stay below those of the language model.
const TILES: usize = 8;

/// The host's side: tiling.
pub struct Processor {
    pinpoints: Vec<(u32, u32)>,
    tile: u32,
    side: usize,
    limit: Option<f64>,
    rounding: Rounding,
    fill: [u8; 3],
    resampler: Resampler,
}

impl Processor {
    /// A processor for one checkpoint.
    pub fn new(config: &Config, layout: Layout, resampler: Resampler) -> Self {
        Self {
            pinpoints: config.pinpoints.clone(),
            tile: config.tile(),
            side: config.vision.image_size / config.vision.patch_size,
            limit: config.max_tiles.map(f64::from),
            rounding: match layout {
                Layout::HuggingFace => Rounding::SevenDecimals,
                Layout::LlavaNext => Rounding::Truncate,
            },
            fill: fill_levels(config.image.mean.map(f64::from)),
            resampler,
        }
    }
}

impl PictureProcessor for Processor {
    fn shapes(&self, sizes: &[Size]) -> Result<Vec<PictureShape>, MediaError> {
        if let [size] = sizes {
            let plan = AnyresPlan::new(*size, &self.pinpoints, self.tile)?;
            let grid = Grid::new(&plan, self.side, self.limit, self.rounding);
            return Ok(vec![PictureShape::Tiled(Shape::Anyres { plan, grid })]);
        }
        Ok(vec![
            PictureShape::Tiled(Shape::Square { side: self.side });
            sizes.len()
        ])
    }

    fn render(&self, picture: &Rgb, shape: PictureShape) -> Result<Picture, MediaError> {
        let PictureShape::Tiled(tiling) = &shape;
        let tiles = match tiling {
            Shape::Anyres { plan, .. } => plan.render(picture, self.resampler)?,
            Shape::Square { .. } => square_tile(picture, self.fill, self.tile, self.resampler),
        };
        Ok(Picture { tiles, shape })
    }
}

/// The device's side: the whole model.
pub struct LlavaOneVision {
    tower: Siglip,
    projector: [Linear; 2],
    newline: Tensor,
    language: Qwen2,
    depth: usize,
    device: Device,
}

impl LlavaOneVision {
    pub(super) fn load(config: &Config, loader: Loader<'_>) -> Result<Self, VlmError> {
        let (seen, width) = (config.vision.hidden_size, config.language.hidden_size);
        let projector = "multi_modal_projector";
        let normalise = [config.image.mean, config.image.std];
        Ok(Self {
            tower: Siglip::load(
                &config.vision,
                config.vision_layers_used,
                "vision_tower",
                normalise,
                loader,
            )?,
            projector: [
                loader.linear(
                    &format!("{projector}.linear_1"),
                    [seen, width],
                    config.projector_bias,
                )?,
                loader.linear(
                    &format!("{projector}.linear_2"),
                    [width, width],
                    config.projector_bias,
                )?,
            ],
            newline: loader.tensor("image_newline", &[width])?.unsqueeze(0)?,
            language: Qwen2::load(&config.language, "language_model.model", loader)?,
            depth: config.language.num_hidden_layers,
            device: loader.device.clone(),
        })
    }

    /// Projected features `[tiles · side², d]` of all pictures, followed by the row-end vector.
    fn features(&self, pictures: &[&Picture]) -> candle_core::Result<Tensor> {
        let tiles: Vec<&[u8]> = pictures
            .iter()
            .flat_map(|picture| picture.tiles.iter())
            .collect();
        let mut parts = Vec::new();
        for tiles in tiles.chunks(TILES) {
            let features = self.tower.forward(tiles)?;
            let inner = self.projector[0].forward_activated(&features, Activation::GeluErf)?;
            parts.push(self.projector[1].forward(&inner)?);
        }
        parts.push(self.newline.clone());
        Tensor::cat(&parts, 0)
    }

    /// The inputs of the language model `[n, d]`: text embeddings with the pictures' tokens put in.
    fn embeddings(&self, batch: &[Input]) -> candle_core::Result<Tensor> {
        let pictures: Vec<&Picture> = batch.iter().flat_map(|input| &input.pictures).collect();
        let text: Vec<u32> = batch
            .iter()
            .flat_map(|input| input.tokens.ids.iter().zip(&input.tokens.places))
            .filter(|(_, place)| **place != Place::Image)
            .map(|(id, _)| *id)
            .collect();
        if pictures.is_empty() {
            return self.language.embed(&text);
        }
        let map = RowMap::joined(pictures.iter().map(|picture| {
            let PictureShape::Tiled(shape) = &picture.shape;
            (
                shape.row_map(),
                picture.tiles.count * self.tower.side().pow(2),
            )
        }));
        let seen = map.apply(&self.features(&pictures)?)?;
        if text.is_empty() {
            return Ok(seen);
        }
        let (mut next_text, mut next_seen) = (0, text.len() as u32);
        let order: Vec<u32> = batch
            .iter()
            .flat_map(|input| &input.tokens.places)
            .map(|place| {
                let next = if *place == Place::Image {
                    &mut next_seen
                } else {
                    &mut next_text
                };
                *next += 1;
                *next - 1
            })
            .collect();
        Tensor::cat(&[self.language.embed(&text)?, seen], 0)?
            .index_select(&Tensor::new(order, &self.device)?, 0)
    }
}

impl Model for LlavaOneVision {
    fn forward(
        &self,
        batch: &[Input],
        layers: &[Layer],
        scope: TextScope,
    ) -> Result<PooledBatch, VlmError> {
        let lengths: Vec<usize> = batch.iter().map(|input| input.tokens.ids.len()).collect();
        let mut pooler = Pooler::new(batch, layers, self.depth, scope, &self.device)?;
        let embeddings = self.embeddings(batch)?;
        let deepest = pooler.deepest();
        self.language
            .forward(embeddings, &lengths, deepest, |index, states| {
                pooler.visit(index, states)
            })?;
        Ok(pooler.finish())
    }

    fn depth(&self) -> usize {
        self.depth
    }
}
