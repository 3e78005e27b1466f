//! Attention by candle-flash-attn's variable-length kernel, on CUDA in half precision.

use candle_core::{Result, Tensor};

use super::Packing;

pub(super) fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    packing: &Packing,
    offsets: &Tensor,
) -> Result<Tensor> {
    let (rows, heads, d) = q.dims3()?;
    let longest = packing.sequences().map(|s| s.len()).max().unwrap_or(0);
    let scale = 1.0 / (d as f32).sqrt();
    candle_flash_attn::flash_attn_varlen(
        q,
        k,
        v,
        offsets,
        offsets,
        longest,
        longest,
        scale,
        packing.causal,
    )?
    .reshape((rows, heads * d))
}
