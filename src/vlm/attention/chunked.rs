//! Attention through candle's matmul and softmax, a block of query rows at a time, on any device.

use candle_core::{D, DType, Device, Result, Tensor};

use super::{BLOCK, Packing};
use crate::vlm::device::transfer::upload;

/// Query rows of one product: more than the CPU's block, since a device wants larger pieces of work.
const ROWS: usize = 8 * BLOCK;

pub(super) fn attention(q: &Tensor, k: &Tensor, v: &Tensor, packing: &Packing) -> Result<Tensor> {
    let (rows, heads, d) = q.dims3()?;
    let group = heads / k.dim(1)?;
    let scale = 1.0 / (d as f64).sqrt();
    let mut blocks = Vec::new();
    for sequence in packing.sequences() {
        let head_major = |x: &Tensor, group: usize| {
            let (_, heads, d) = x.dims3()?;
            let x = x
                .narrow(0, sequence.start, sequence.len())?
                .transpose(0, 1)?;
            let shape = (heads, group, sequence.len(), d);
            x.unsqueeze(1)?
                .broadcast_as(shape)?
                .reshape((heads * group, sequence.len(), d))
        };
        let (q, k, v) = (
            head_major(q, 1)?,
            head_major(k, group)?,
            head_major(v, group)?,
        );
        for start in (0..sequence.len()).step_by(ROWS) {
            let size = ROWS.min(sequence.len() - start);
            let seen = if packing.causal {
                start + size
            } else {
                sequence.len()
            };
            let q = q.narrow(1, start, size)?.contiguous()?;
            let k = k.narrow(1, 0, seen)?.transpose(1, 2)?.contiguous()?;
            // Scaled in f32: rounding scores of half precision twice would move their exponentials.
            let mut scores = (q.matmul(&k)?.to_dtype(DType::F32)? * scale)?;
            if packing.causal {
                let before = scores.narrow(2, 0, start)?;
                let mask = packing.triangle(q.device())?;
                let mask = mask.narrow(0, 0, size)?.narrow(1, 0, size)?;
                let own = scores.narrow(2, start, size)?;
                let own = own.broadcast_add(&mask.unsqueeze(0)?)?;
                scores = Tensor::cat(&[before, own], 2)?;
            }
            let weights = candle_nn::ops::softmax(&scores, D::Minus1)?.to_dtype(v.dtype())?;
            let out = weights.matmul(&v.narrow(1, 0, seen)?.contiguous()?)?;
            blocks.push(
                out.transpose(0, 1)?
                    .contiguous()?
                    .reshape((size, heads * d))?,
            );
        }
    }
    let out = Tensor::cat(&blocks, 0)?;
    debug_assert_eq!(out.dims(), [rows, heads * d]);
    Ok(out)
}

/// `[ROWS, ROWS]`, to be added to the scores of a block of queries against its own keys: each sees those before it and
/// itself.
pub(super) fn triangle(device: &Device) -> Result<Tensor> {
    let mask: Vec<f32> = (0..ROWS)
        .flat_map(|row| (0..ROWS).map(move |key| if key > row { f32::NEG_INFINITY } else { 0.0 }))
        .collect();
    upload(mask, (ROWS, ROWS), device)
}
