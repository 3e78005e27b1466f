//! The LLaVA line: CLIP or SigLIP, a two-layer projector and a decoder of the Llama kind.
//!
//! Reference: `LlavaModel`, `LlavaNextModel` and `LlavaOnevisionModel` of transformers; LLaVA-NeXT's own checkpoints
//! hold the last of them under other names.

pub mod packing;
mod processor;
mod row_map;

use candle_core::Tensor;

use super::language::decoder::{Decoder, Positions};
use super::loader::Loader;
use super::ops::{Activation, Linear};
use super::pass::start;
use super::profile::section;
use super::vision::vit::Vit;
use super::{Footprint, Input, Layer, Model, Pass, TextScope, Visual, VlmError};
use crate::checkpoint::llava::Config;
use row_map::RowMap;

pub use processor::Processor;

/// Tiles that go through the tower together, unless the model is told of a budget: enough rows for the CPU's matrix
/// products at full speed, few enough that the tower's activations stay below those of the language model.
const TILES: usize = 8;

/// The device's side: the whole model.
pub struct Llava {
    tower: Vit,
    /// Tiles that go through it together.
    tiles: usize,
    projector: [Linear; 2],
    /// The vector at the ends of rows, where the family has one.
    newline: Option<Tensor>,
    language: Decoder,
    footprint: Footprint,
}

impl Llava {
    pub(super) fn load(config: &Config, loader: Loader<'_>) -> Result<Self, VlmError> {
        let (seen, width) = (config.vision.hidden_size, config.language.hidden_size);
        let projector = |layer: &str, widths| {
            let name = format!("multi_modal_projector.{layer}");
            loader.linear(&name, widths, config.projector_bias)
        };
        let newline = config
            .has_newline()
            .then(|| -> Result<Tensor, VlmError> {
                Ok(loader.tensor("image_newline", &[width])?.unsqueeze(0)?)
            })
            .transpose()?;
        Ok(Self {
            tower: Vit::load(
                (config.tower, config.tower.activation()),
                &config.vision,
                config.vision_layers_used,
                "vision_tower",
                [config.pixels.mean, config.pixels.std],
                loader,
            )?,
            projector: [
                projector("linear_1", [seen, width])?,
                projector("linear_2", [width, width])?,
            ],
            tiles: TILES,
            newline,
            language: Decoder::load(&config.language, "language_model.model", loader)?,
            footprint: Footprint::of_llava(config, loader.dtype),
        })
    }

    /// Projected features `[tiles · side², d]` of all pictures and clips, followed by the row-end vector.
    fn features(&self, visuals: &[&Visual]) -> candle_core::Result<Tensor> {
        let tiles: Vec<&[u8]> = visuals
            .iter()
            .flat_map(|visual| visual.tiles.iter())
            .collect();
        let mut parts = Vec::new();
        for tiles in tiles.chunks(self.tiles) {
            let features = self.tower.forward(tiles)?;
            let inner = self.projector[0].forward_activated(&features, Activation::GeluErf)?;
            parts.push(self.projector[1].forward(&inner)?);
        }
        parts.extend(self.newline.clone());
        Tensor::cat(&parts, 0)
    }

    /// The tokens `[n, d]` of all pictures and clips; `None` where there are none.
    fn seen(&self, batch: &[Input]) -> candle_core::Result<Option<Tensor>> {
        let visuals: Vec<&Visual> = batch.iter().flat_map(|input| &input.visuals).collect();
        if visuals.is_empty() {
            return Ok(None);
        }
        let per_tile = self.tower.side().pow(2);
        let map = RowMap::joined(visuals.iter().map(|visual| {
            let shape = visual.shape.llava();
            (shape.row_map(), visual.tiles.count * per_tile)
        }));
        map.apply(&self.features(&visuals)?).map(Some)
    }
}

impl Model for Llava {
    fn start(&self, batch: &[Input], layers: &[Layer], scope: TextScope) -> Result<Pass, VlmError> {
        let seen = section("vision", || self.seen(batch))?;
        start(
            &self.language,
            batch,
            seen,
            Positions::Counted,
            layers,
            scope,
        )
    }

    fn depth(&self) -> usize {
        self.language.depth()
    }

    fn footprint(&self) -> Footprint {
        self.footprint
    }

    fn set_patches(&mut self, patches: usize) {
        self.tiles = (patches / self.tower.side().pow(2)).max(1);
    }
}
