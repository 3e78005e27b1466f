//! Attention through candle's matmul and softmax, a block of query rows at a time, on any device.

use candle_core::{D, DType, Result, Tensor};

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
            let mut scores = (q.matmul(&k)? * scale)?.to_dtype(DType::F32)?;
            if packing.causal {
                scores = scores.broadcast_add(&causal_mask(start, size, seen, &scores)?)?;
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

fn causal_mask(start: usize, size: usize, seen: usize, like: &Tensor) -> Result<Tensor> {
    let mask: Vec<f32> = (0..size)
        .flat_map(|row| {
            (0..seen).map(move |key| {
                if key > start + row {
                    f32::NEG_INFINITY
                } else {
                    0.0
                }
            })
        })
        .collect();
    upload(mask, (1, size, seen), like.device())
}
