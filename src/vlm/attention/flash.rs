//! Attention by candle-flash-attn's variable-length kernel, on CUDA in half precision.

use candle_core::{D, DType, Result, Tensor};

use super::Packing;

/// The widest heads for which `scripts/cuda-toolkit` builds kernels; no family has wider ones.
const WIDEST: usize = 128;

/// Whether there is a kernel for these queries.
pub(super) fn takes(q: &Tensor) -> bool {
    let d = q.dim(D::Minus1).unwrap_or(0);
    q.dtype() == DType::BF16 && d.is_multiple_of(8) && d <= WIDEST
}

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
