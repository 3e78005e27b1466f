//! The floating-point operations of a pass, from widths, positions in the tower and tokens.
//!
//! A multiply and an add are two. Matrix products alone count, attention's included: 4 · n · m · width for n queries that
//! see m keys, half of it where a position sees only those before it. Norms, activations and rotary positions are memory
//! traffic. `scripts/bench/flops.py` counts alike, but takes Qwen2.5-VL's windows for whole slices.

use super::{Layer, Shape, VlmError};
use crate::checkpoint::{Family, LanguageConfig, Tower, llava, qwen_vl};

/// One of a model's two transformers.
#[derive(Clone, Copy, Debug)]
struct Transformer {
    /// Of one position, in the linears of all layers.
    linears: u64,
    /// Width of all query heads.
    attention: u64,
    layers: u64,
}

/// What passes of one model take.
#[derive(Clone, Debug)]
pub struct Cost {
    language: Transformer,
    tower: Transformer,
    /// Of one patch, in front of the tower and behind it.
    joins: u64,
    family: Family,
}

impl Transformer {
    fn new([width, attention, keys, inner]: [usize; 4], matrices: usize, layers: usize) -> Self {
        let weights = width * (2 * attention + 2 * keys) + matrices * width * inner;
        Self {
            linears: 2 * weights as u64 * layers as u64,
            attention: attention as u64,
            layers: layers as u64,
        }
    }

    /// Attention of `layers` layers over so many pairs of positions.
    fn pairs(self, pairs: u128, layers: u64) -> u128 {
        4 * pairs * u128::from(self.attention) * u128::from(layers)
    }
}

impl Cost {
    /// Of passes that end at the last of these hidden states.
    ///
    /// # Errors
    /// When the language model is not that deep.
    pub fn new(family: &Family, layers: &[Layer]) -> Result<Self, VlmError> {
        let config = family.language();
        let depth = config.num_hidden_layers;
        let mut last = 0;
        for layer in layers {
            last = last.max(layer.index(depth)?);
        }
        let width = config.hidden_size;
        let (tower, joins) = match family {
            Family::Llava(config) => of_llava(config, width),
            Family::QwenVl(config) => of_qwen_vl(config, width),
        };
        Ok(Self {
            language: of_language(config, last),
            tower,
            joins: joins as u64,
            family: family.clone(),
        })
    }

    /// Of a pass of so many tokens through the language model.
    pub fn language(&self, tokens: usize) -> u128 {
        let (tokens, layers) = (tokens as u128, self.language.layers);
        let seen = self.language.pairs(tokens * tokens, layers) / 2;
        tokens * u128::from(self.language.linears) + seen
    }

    /// Of a picture or clip in the vision tower.
    pub fn tower(&self, shape: &Shape) -> u128 {
        let of_patches = |patches: usize, positions: usize| {
            patches as u128 * u128::from(self.joins)
                + positions as u128 * u128::from(self.tower.linears)
        };
        let whole = |positions: usize| (positions as u128).pow(2);
        match (shape, &self.family) {
            (Shape::Llava(shape), Family::Llava(config)) => {
                let patches = (config.vision.image_size / config.vision.patch_size).pow(2);
                let positions = patches + usize::from(config.tower == Tower::Clip);
                let pairs = self.tower.pairs(whole(positions), self.tower.layers);
                shape.tiles() as u128 * (of_patches(patches, positions) + pairs)
            }
            (Shape::QwenVl(grid), Family::QwenVl(config)) => {
                let vision = &config.vision;
                let merge = vision.spatial_merge_size;
                let patches = grid.rows * grid.columns * merge.pow(2);
                let (full, windowed) = match &vision.windows {
                    None => (vision.depth, 0),
                    Some(windows) => {
                        let full = windows.full_blocks.len().min(vision.depth);
                        (full, vision.depth - full)
                    }
                };
                let side = vision.windows.as_ref().map_or(1, |windows| windows.side);
                let squares = |length: usize| {
                    let (whole, rest) = (length / side, length % side);
                    (whole * side.pow(2) + rest.pow(2)) as u128
                };
                let in_windows =
                    squares(grid.rows) * squares(grid.columns) * (merge as u128).pow(4);
                let pairs = self.tower.pairs(whole(patches), full as u64)
                    + self.tower.pairs(in_windows, windowed as u64);
                grid.slices as u128 * (of_patches(patches, patches) + pairs)
            }
            // A shape of another family's processor has no cost in this one.
            _ => 0,
        }
    }

    /// Bytes of the pixels of a picture or clip, as they wait on the host.
    pub fn pixels(&self, shape: &Shape) -> u64 {
        match (shape, &self.family) {
            (Shape::Llava(shape), Family::Llava(config)) => {
                shape.tiles() as u64 * u64::from(config.tile()).pow(2) * 3
            }
            (Shape::QwenVl(grid), _) => grid.resized.pixels() * 3 * grid.frames as u64,
            _ => 0,
        }
    }
}

fn of_language(config: &LanguageConfig, layers: usize) -> Transformer {
    let widths = [
        config.hidden_size,
        config.num_attention_heads * config.head_dim,
        config.num_key_value_heads * config.head_dim,
        config.intermediate_size,
    ];
    Transformer::new(widths, 3, layers)
}

fn of_llava(config: &llava::Config, width: usize) -> (Transformer, usize) {
    let vision = &config.vision;
    let d = vision.hidden_size;
    let widths = [d, d, d, vision.intermediate_size];
    let pixels = 3 * vision.patch_size.pow(2);
    (
        Transformer::new(widths, 2, config.vision_layers_used),
        2 * pixels * d + 2 * width * (d + width),
    )
}

fn of_qwen_vl(config: &qwen_vl::Config, width: usize) -> (Transformer, usize) {
    let vision = &config.vision;
    let d = vision.hidden_size;
    let matrices = match config.generation {
        qwen_vl::Generation::V2 => 2,
        qwen_vl::Generation::V2_5 => 3,
    };
    // The merger's layers are of a square of patches.
    let squares = vision.spatial_merge_size.pow(2);
    let merged = d * squares;
    (
        Transformer::new([d, d, d, vision.intermediate_size], matrices, vision.depth),
        2 * vision.patch_len() * d + 2 * merged * (merged + width) / squares,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// LLaVA-OneVision 0.5B, as `scripts/bench/flops.py` checks it.
    #[test]
    fn the_half_billion_model() {
        let language = Transformer::new([896, 896, 128, 4864], 3, 24);
        let tower = Transformer::new([1152, 1152, 1152, 4304], 2, 26);
        assert!((language.linears as f64 / 1e9 - 0.72).abs() < 0.005);
        let joins = 2 * 3 * 14_u128.pow(2) * 1152 + 2 * 896 * (1152 + 896);
        let tile = 729 * (u128::from(tower.linears) + joins) + tower.pairs(729 * 729, 26);
        assert!((tile as f64 / 1e12 - 0.64).abs() < 0.01, "{tile}");
        let tokens = 2929;
        let text = tokens * u128::from(language.linears) + language.pairs(tokens * tokens, 24) / 2;
        let picture = 5 * tile + text;
        assert!((picture as f64 / 1e12 - 5.7).abs() < 0.05, "{picture}");
    }
}
