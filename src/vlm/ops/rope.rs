//! Rotary position embedding of packed samples, half-split as in Llama and Qwen2.

use candle_core::{Device, Result, Tensor};
use rayon::prelude::*;

use super::slices::{is_cpu_f32, with_slice};
use crate::vlm::device::transfer::upload;
use crate::vlm::kernels;

/// Cosines and sines for every position of a packed batch, each `[n, head_dim / 2]` in f32 whatever is rotated.
#[derive(Clone, Debug)]
pub struct RotaryTable {
    cos: Tensor,
    sin: Tensor,
}

/// The frequencies `theta^(-2i / dim)` for `i` below `dim / 2`, in f32 as transformers computes them.
pub fn frequencies(dim: usize, theta: f64) -> impl Iterator<Item = f32> {
    (0..dim / 2).map(move |i| 1.0 / (theta as f32).powf((2 * i) as f32 / dim as f32))
}

impl RotaryTable {
    /// Angles `position · frequency`, computed in f32 as transformers does: each of the `head_dim / 2` frequencies
    /// comes with the axis of the positions that it follows.
    ///
    /// # Errors
    /// When the upload to the device fails.
    pub fn new<const AXES: usize>(
        positions: &[[u32; AXES]],
        frequencies: &[(usize, f32)],
        device: &Device,
    ) -> Result<Self> {
        let angles: Vec<f32> = positions
            .iter()
            .flat_map(|p| frequencies.iter().map(move |&(axis, f)| p[axis] as f32 * f))
            .collect();
        let table = |f: fn(f32) -> f32| {
            let values: Vec<f32> = angles.par_iter().map(|&a| f(a)).collect();
            upload(values, (positions.len(), frequencies.len()), device)
        };
        Ok(Self {
            cos: table(f32::cos)?,
            sin: table(f32::sin)?,
        })
    }
}

/// The joint projection `[n, (heads + 2·kv_heads)·d]` as views: query `[n, heads, d]`, key and value `[n, kv_heads, d]`.
pub(super) fn split(joint: &Tensor, heads: usize, kv_heads: usize) -> Result<[Tensor; 3]> {
    let (rows, width) = joint.dims2()?;
    let all = heads + 2 * kv_heads;
    let joint = joint.reshape((rows, all, width / all))?;
    Ok([
        joint.narrow(1, 0, heads)?,
        joint.narrow(1, heads, kv_heads)?,
        joint.narrow(1, heads + kv_heads, kv_heads)?,
    ])
}

/// The joint projection with its bias added and query and key rotated, through our kernel.
pub(super) fn rotate_joint(
    joint: &Tensor,
    bias: Option<&Tensor>,
    heads: usize,
    kv_heads: usize,
    table: &RotaryTable,
) -> Result<Tensor> {
    let angles = [&table.cos, &table.sin];
    kernels::rotate(joint, bias, angles, heads + 2 * kv_heads, heads + kv_heads)
}

/// Takes the joint projection `[n, (heads + 2·kv_heads)·d]` apart into query `[n, heads, d]`, key and
/// value `[n, kv_heads, d]`, with query and key rotated in f32.
///
/// # Errors
/// When the shapes do not fit or a device operation fails.
pub(super) fn split_qkv(
    qkv: &Tensor,
    heads: usize,
    kv_heads: usize,
    table: &RotaryTable,
) -> Result<[Tensor; 3]> {
    let (rows, width) = qkv.dims2()?;
    let d = width / (heads + 2 * kv_heads);
    let [_, _, value] = split(qkv, heads, kv_heads)?;
    if !is_cpu_f32(qkv) {
        let rotate = |start: usize, heads: usize| {
            let part = qkv.narrow(1, start * d, heads * d)?.contiguous()?;
            let part = part.reshape((1, rows, heads, d))?;
            let part = part.to_dtype(table.cos.dtype())?;
            let rotated = candle_nn::rotary_emb::rope_thd(&part, &table.cos, &table.sin)?;
            rotated.squeeze(0)?.to_dtype(qkv.dtype())
        };
        return Ok([rotate(0, heads)?, rotate(heads, kv_heads)?, value]);
    }
    let (mut query, mut key) = (vec![0.0; rows * heads * d], vec![0.0; rows * kv_heads * d]);
    with_slice(qkv, |qkv| {
        with_slice(&table.cos, |cos| {
            with_slice(&table.sin, |sin| {
                query
                    .par_chunks_mut(heads * d)
                    .zip(key.par_chunks_mut(kv_heads * d))
                    .zip(qkv.par_chunks(width))
                    .zip(cos.par_chunks(d / 2).zip(sin.par_chunks(d / 2)))
                    .for_each(|(((query, key), row), (cos, sin))| {
                        rotate_heads(&row[..heads * d], query, cos, sin);
                        rotate_heads(&row[heads * d..][..kv_heads * d], key, cos, sin);
                    });
                Ok(())
            })
        })
    })?;
    let query = Tensor::from_vec(query, (rows, heads, d), qkv.device())?;
    let key = Tensor::from_vec(key, (rows, kv_heads, d), qkv.device())?;
    Ok([query, key, value])
}

/// Rotates the heads of one position: `(a, b)` to `(a·cos − b·sin, b·cos + a·sin)` for its two halves.
fn rotate_heads(from: &[f32], to: &mut [f32], cos: &[f32], sin: &[f32]) {
    let half = cos.len();
    for (from, to) in from
        .chunks_exact(2 * half)
        .zip(to.chunks_exact_mut(2 * half))
    {
        let (a, b) = from.split_at(half);
        let (to_a, to_b) = to.split_at_mut(half);
        for i in 0..half {
            to_a[i] = a[i] * cos[i] - b[i] * sin[i];
            to_b[i] = b[i] * cos[i] + a[i] * sin[i];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{values, worst};
    use super::*;

    #[test]
    fn rotation_equals_candles_own() -> Result<()> {
        let device = Device::Cpu;
        let (heads, kv_heads, d) = (3, 1, 8);
        let positions = [[0], [1], [2], [0], [7]];
        let axes: Vec<_> = frequencies(d, 1e6).map(|f| (0, f)).collect();
        let table = RotaryTable::new(&positions, &axes, &device)?;
        let qkv = values(&[5, (heads + 2 * kv_heads) * d], 1)?;
        let [query, key, value] = split_qkv(&qkv, heads, kv_heads, &table)?;
        for (got, start, heads) in [(query, 0, heads), (key, heads, kv_heads)] {
            let part = qkv.narrow(1, start * d, heads * d)?.contiguous()?;
            let part = part.reshape((1, 5, heads, d))?;
            let want = candle_nn::rotary_emb::rope_thd(&part, &table.cos, &table.sin)?;
            let worst = worst(&got, &want.squeeze(0)?)?;
            assert!(worst < 1e-6, "{worst}");
        }
        assert_eq!(value.dims(), [5, 1, 8]);
        Ok(())
    }
}
