//! The config of the vision tower, whose keys mean different things in the two generations.

use super::super::super::error::CheckpointError;
use super::super::super::fields::Fields;
use super::Generation;
use serde_json::Value;

/// A vision transformer over patches in space and time, and the projector behind it (the merger).
#[derive(Clone, Debug, PartialEq)]
pub struct VisionConfig {
    /// Transformer blocks.
    pub depth: usize,
    /// Width of the hidden states.
    pub hidden_size: usize,
    /// Width inside the MLP.
    pub intermediate_size: usize,
    /// Attention heads; a head is a multiple of 4 wide.
    pub num_heads: usize,
    /// Width of what comes out: that of the language model.
    pub out_hidden_size: usize,
    /// Side of a patch in pixels.
    pub patch_size: usize,
    /// Frames of a patch, which are a temporal slice.
    pub temporal_patch_size: usize,
    /// Side, in patches, of the square that becomes one token.
    pub spatial_merge_size: usize,
    /// Base of the rotary angles.
    pub rope_theta: f64,
    /// The windows of attention; `None` where every block sees the whole slice (Qwen2-VL).
    pub windows: Option<Windows>,
}

/// Attention in windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Side of a window in tokens (squares of patches).
    pub side: usize,
    /// The blocks that see the whole slice all the same.
    pub full_blocks: Vec<usize>,
}

impl VisionConfig {
    /// Side in pixels of what becomes one token: pictures are resized to multiples of it.
    pub fn factor(&self) -> usize {
        self.patch_size * self.spatial_merge_size
    }

    /// Numbers in a patch: its pixels in all channels and frames.
    pub fn patch_len(&self) -> usize {
        3 * self.temporal_patch_size * self.patch_size.pow(2)
    }
}

/// Reads `vision_config`; `width` is that of the language model.
pub(super) fn read(
    fields: &Fields<'_>,
    generation: Generation,
    width: usize,
) -> Result<VisionConfig, CheckpointError> {
    let types = generation.model_types("vision");
    fields.only("model_type", &types.each_ref().map(String::as_str))?;
    // Published files say in_chans, transformers in_channels.
    for key in ["in_channels", "in_chans"] {
        if fields.size(key, 3)? != 3 {
            return Err(fields.refuse(key, "3"));
        }
    }
    let (hidden, inner, out, activation) = match generation {
        Generation::V2 => {
            let hidden = fields.size("embed_dim", 1280)?;
            let inner = hidden * fields.size("mlp_ratio", 4)?;
            (("embed_dim", hidden), inner, "hidden_size", "quick_gelu")
        }
        Generation::V2_5 => {
            let hidden = fields.size("hidden_size", 3584)?;
            let inner = fields.size("intermediate_size", 3420)?;
            (("hidden_size", hidden), inner, "out_hidden_size", "silu")
        }
    };
    // Frames are chosen in pairs.
    if fields.size("temporal_patch_size", 2)? != 2 {
        return Err(fields.refuse("temporal_patch_size", "2"));
    }
    fields.only("hidden_act", &[activation])?;
    if fields.size(out, 3584)? != width {
        return Err(fields.refuse(out, &format!("{width}, the language model's hidden_size")));
    }
    let mut config = VisionConfig {
        depth: fields.layers("depth", 32)?,
        hidden_size: hidden.1,
        intermediate_size: inner,
        num_heads: fields.size("num_heads", 16)?,
        out_hidden_size: width,
        patch_size: fields.side("patch_size", 14)?,
        temporal_patch_size: 2,
        spatial_merge_size: fields.side("spatial_merge_size", 2)?,
        rope_theta: rope_theta(fields)?,
        windows: None,
    };
    if !config.hidden_size.is_multiple_of(4 * config.num_heads) {
        let supported = format!(
            "a number that leaves heads of a multiple of 4 in {} {}",
            hidden.0, hidden.1
        );
        return Err(fields.refuse("num_heads", &supported));
    }
    if generation == Generation::V2_5 {
        config.windows = Some(windows(fields, &config)?);
    }
    Ok(config)
}

/// transformers 5 writes the rotary settings out; others than the class's are refused.
fn rope_theta(fields: &Fields<'_>) -> Result<f64, CheckpointError> {
    let default = 10_000.0;
    let Some(rope) = fields.section("rope_parameters")? else {
        return Ok(default);
    };
    rope.only("rope_type", &["axial", "default"])?;
    rope.positive("rope_theta", default)
}

fn windows(fields: &Fields<'_>, config: &VisionConfig) -> Result<Windows, CheckpointError> {
    let (size, factor) = (fields.side("window_size", 112)?, config.factor());
    if !size.is_multiple_of(factor) {
        let supported = format!("a multiple of the {factor} pixels of a token");
        return Err(fields.refuse("window_size", &supported));
    }
    let key = "fullatt_block_indexes";
    let index = |value: &Value| usize::try_from(value.as_u64()?).ok();
    let full_blocks = match fields.get(key) {
        None => Some(vec![7, 15, 23, 31]),
        Some(value) => value
            .as_array()
            .and_then(|list| list.iter().map(index).collect()),
    };
    let full_blocks = full_blocks
        .filter(|blocks: &Vec<usize>| blocks.iter().all(|block| *block < config.depth))
        .ok_or_else(|| {
            fields.refuse(
                key,
                &format!("a list of blocks below the depth {}", config.depth),
            )
        })?;
    Ok(Windows {
        side: size / factor,
        full_blocks,
    })
}
