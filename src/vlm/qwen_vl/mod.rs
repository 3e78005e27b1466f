//! Qwen2-VL and Qwen2.5-VL: a tower for pictures of any size, and a decoder with positions on three axes.
//!
//! Reference: `Qwen2VLModel` and `Qwen2_5_VLModel` of transformers.

mod grid;
mod positions;
mod processor;

use super::language::decoder::{Decoder, Positions};
use super::loader::Loader;
use super::pass::start;
use super::profile::section;
use super::vision::qwen_vl::{Slice, Tower};
use super::{Footprint, Input, Layer, Model, MropeRule, Pass, TextScope, Visual, VlmError};
use crate::checkpoint::qwen_vl::Config;
use candle_core::Tensor;

pub use grid::Grid;
pub use positions::positions;
pub use processor::Processor;

/// The device's side: the whole model.
pub struct QwenVl {
    tower: Tower,
    language: Decoder,
    tokens_per_second: Option<f64>,
    rule: MropeRule,
    footprint: Footprint,
}

impl QwenVl {
    pub(super) fn load(
        config: &Config,
        rule: MropeRule,
        loader: Loader<'_>,
    ) -> Result<Self, VlmError> {
        Ok(Self {
            tower: Tower::load(config, "visual", loader)?,
            language: Decoder::load(&config.language, "model", loader)?,
            tokens_per_second: config.tokens_per_second,
            rule,
            footprint: Footprint::of_qwen_vl(config, loader.dtype),
        })
    }

    /// The tokens `[n, d]` of all pictures and clips; `None` where there are none.
    fn seen(&self, batch: &[Input]) -> candle_core::Result<Option<Tensor>> {
        let visuals = batch.iter().flat_map(|input| &input.visuals);
        let slices: Vec<Slice<'_>> = visuals
            .map(|visual| slices(visual, self.tower.depth()))
            .collect::<candle_core::Result<Vec<_>>>()?
            .into_iter()
            .flatten()
            .collect();
        if slices.is_empty() {
            return Ok(None);
        }
        self.tower.forward(&slices).map(Some)
    }

    /// The positions of all samples, each from 0 on.
    fn positions(&self, batch: &[Input]) -> candle_core::Result<Vec<[u32; 3]>> {
        let of_sample = |input: &Input| {
            let grids: Vec<&Grid> = input.visuals.iter().map(|v| v.shape.qwen_vl()).collect();
            positions(
                &input.tokens.places,
                &grids,
                self.tokens_per_second,
                self.rule,
            )
        };
        let samples: Vec<_> = batch.iter().map(of_sample).collect::<Result<_, _>>()?;
        Ok(samples.concat())
    }
}

/// The slices of a picture or clip, each of `depth` frames: the last frame is repeated where they do not divide.
pub(super) fn slices(visual: &Visual, depth: usize) -> candle_core::Result<Vec<Slice<'_>>> {
    let grid = visual.shape.qwen_vl();
    let frames: Vec<&[u8]> = visual.tiles.iter().collect();
    let Some(last) = frames.last().filter(|_| frames.len() == grid.frames) else {
        candle_core::bail!("{} frames for {}", frames.len(), grid.frames);
    };
    Ok(frames
        .chunks(depth)
        .map(|together| {
            let mut frames = together.to_vec();
            frames.resize(depth, last);
            Slice {
                frames,
                rows: grid.rows,
                columns: grid.columns,
                of_clip: grid.seconds_per_slice.is_some(),
            }
        })
        .collect())
}

impl Model for QwenVl {
    fn start(&self, batch: &[Input], layers: &[Layer], scope: TextScope) -> Result<Pass, VlmError> {
        let positions = self.positions(batch)?;
        let seen = section("vision", || self.seen(batch))?;
        let axes = Positions::Axes(&positions);
        start(&self.language, batch, seen, axes, layers, scope)
    }

    fn depth(&self) -> usize {
        self.language.depth()
    }

    fn footprint(&self) -> Footprint {
        self.footprint
    }

    fn set_patches(&mut self, patches: usize) {
        self.tower.most_patches = patches;
    }
}
