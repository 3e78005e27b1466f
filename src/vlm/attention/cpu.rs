//! Attention on the CPU in f32: blocks of query rows in parallel, each by two matrix products.

use std::ops::Range;

use candle_core::{Result, Tensor};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::{BLOCK, Packing};
use crate::vlm::ops::slices::with_storage;
use crate::vlm::ops::{Gemm, Lanes, View, exp_in_place};

/// One of query, key and value where it lies: `[n, heads, d]` with the last dimension contiguous.
#[derive(Clone, Copy)]
struct Heads<'a> {
    data: &'a [f32],
    row_stride: usize,
    head_stride: usize,
}

impl<'a> Heads<'a> {
    /// The rows from `row` on of one head, as a matrix.
    fn from(&self, row: usize, head: usize) -> View<'a> {
        let start = row * self.row_stride + head * self.head_stride;
        View {
            data: &self.data[start..],
            row_stride: self.row_stride,
            col_stride: 1,
        }
    }
}

fn with_heads<R>(tensor: &Tensor, f: impl FnOnce(Heads<'_>) -> Result<R>) -> Result<R> {
    with_storage(tensor, |values, layout| match layout.stride() {
        &[row_stride, head_stride, 1] => f(Heads {
            data: &values[layout.start_offset()..],
            row_stride,
            head_stride,
        }),
        strides => candle_core::bail!("attention over strides {strides:?}"),
    })
}

pub(super) fn attention(q: &Tensor, k: &Tensor, v: &Tensor, packing: &Packing) -> Result<Tensor> {
    let (rows, heads, d) = q.dims3()?;
    let kv_heads = k.dim(1)?;
    let mut out = vec![0.0; rows * heads * d];
    with_heads(q, |q| {
        with_heads(k, |k| {
            with_heads(v, |v| {
                let blocks = blocks(&mut out, heads * d, packing);
                blocks
                    .into_par_iter()
                    .for_each_init(Vec::new, |scores, block| {
                        for head in 0..heads {
                            let kv_head = head * kv_heads / heads;
                            block_of_head(q, k, v, &block.0, [head, kv_head, d], scores, block.1);
                        }
                    });
                Ok(())
            })
        })
    })?;
    Tensor::from_vec(out, (rows, heads * d), q.device())
}

/// Some query rows, the keys that they see, and whether the last of those are seen by the last rows only.
struct Block {
    queries: Range<usize>,
    keys: Range<usize>,
    causal: bool,
}

/// Cuts the output into blocks of query rows that no two of which overlap.
fn blocks<'a>(
    mut out: &'a mut [f32],
    width: usize,
    packing: &Packing,
) -> Vec<(Block, &'a mut [f32])> {
    let mut blocks = Vec::new();
    for sequence in packing.sequences() {
        for start in sequence.clone().step_by(BLOCK) {
            let queries = start..sequence.end.min(start + BLOCK);
            let end = if packing.causal {
                queries.end
            } else {
                sequence.end
            };
            let (mine, rest) = out.split_at_mut(queries.len() * width);
            out = rest;
            let block = Block {
                queries,
                keys: sequence.start..end,
                causal: packing.causal,
            };
            blocks.push((block, mine));
        }
    }
    // Long blocks first, so that no core is left with one at the end.
    blocks.sort_by_key(|(block, _)| std::cmp::Reverse(block.keys.len()));
    blocks
}

fn block_of_head(
    q: Heads<'_>,
    k: Heads<'_>,
    v: Heads<'_>,
    block: &Block,
    [head, kv_head, d]: [usize; 3],
    scores: &mut Vec<f32>,
    out: &mut [f32],
) {
    let (rows, keys) = (block.queries.len(), block.keys.len());
    scores.clear();
    scores.resize(rows * keys, 0.0);
    let key = k.from(block.keys.start, kv_head);
    Gemm {
        m: rows,
        n: keys,
        k: d,
        alpha: 1.0 / (d as f32).sqrt(),
        parallel: false,
    }
    .run(
        scores,
        keys,
        q.from(block.queries.start, head),
        View {
            data: key.data,
            row_stride: 1,
            col_stride: key.row_stride,
        },
    );
    let mut sums = [0.0; BLOCK];
    Arch::new().dispatch(Softmax {
        scores: scores.as_mut_slice(),
        keys,
        causal: block.causal,
        sums: &mut sums[..rows],
    });
    let width = out.len() / rows;
    let out = &mut out[head * d..];
    Gemm {
        m: rows,
        n: d,
        k: keys,
        alpha: 1.0,
        parallel: false,
    }
    .run(
        out,
        width,
        View {
            data: scores,
            row_stride: keys,
            col_stride: 1,
        },
        v.from(block.keys.start, kv_head),
    );
    for (row, sum) in sums[..rows].iter().enumerate() {
        let scale = 1.0 / sum;
        out[row * width..][..d].iter_mut().for_each(|x| *x *= scale);
    }
}

/// The numerators of a softmax over each row of scores, and their sums.
struct Softmax<'a> {
    scores: &'a mut [f32],
    keys: usize,
    causal: bool,
    sums: &'a mut [f32],
}

impl WithSimd for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let rows = self.sums.len();
        for (row, scores) in self.scores.chunks_exact_mut(self.keys).enumerate() {
            // What a query must not see gets weight 0.
            let seen = if self.causal {
                self.keys - (rows - 1 - row)
            } else {
                self.keys
            };
            let (seen, unseen) = scores.split_at_mut(seen);
            self.sums[row] = exp_in_place(seen, max_of(seen));
            unseen.fill(0.0);
        }
    }
}

#[inline(always)]
fn max_of(values: &[f32]) -> f32 {
    let mut lanes: Lanes = [f32::NEG_INFINITY; _];
    let (chunks, rest) = values.as_chunks();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip::<&Lanes>(chunk) {
            *lane = if *value > *lane { *value } else { *lane };
        }
    }
    rest.iter()
        .chain(&lanes)
        .fold(f32::NEG_INFINITY, |a, &b| a.max(b))
}
