//! Attention over packed samples: sequences of different lengths one after the other, no padding.
//!
//! No form keeps an attention matrix in memory. On CUDA with the feature `flash-attn` and a half
//! precision it is `flash_attn_varlen`; on the CPU in f32 it is ours, which multiplies blocks of
//! query rows with the `gemm` crate; everything else goes through candle's matmul block by block.
//! (candle-nn's own CPU form works row by row and took 11 to 19 times as long as this one; it serves
//! as the reference in the tests.)

mod chunked;
mod cpu;
#[cfg(feature = "flash-attn")]
mod flash;

use candle_core::{Result, Tensor};

#[cfg(feature = "flash-attn")]
use super::device::transfer::upload;
use super::ops::slices::is_cpu_f32;
use super::profile::section;

/// How many query rows are treated at a time where there is no flash attention. Fewer mean more packing
/// of keys per product, more mean scores that leave the cache. Constant, so that results do not depend
/// on the number of threads.
const BLOCK: usize = 128;

/// Where the packed sequences begin and end, and who sees whom.
#[derive(Clone, Debug)]
pub struct Packing {
    /// `0, len₀, len₀ + len₁, …`: one more entry than there are sequences.
    offsets: Vec<usize>,
    causal: bool,
    #[cfg(feature = "flash-attn")]
    device_offsets: Option<Tensor>,
}

impl Packing {
    /// Sequences of the given lengths. With `causal` a position sees those before it and itself, else all.
    ///
    /// # Errors
    /// When the upload of the offsets to `device` fails.
    pub fn new(lengths: &[usize], causal: bool, device: &candle_core::Device) -> Result<Self> {
        let mut offsets = vec![0];
        for length in lengths {
            offsets.push(offsets[offsets.len() - 1] + length);
        }
        #[cfg(not(feature = "flash-attn"))]
        let _ = device;
        Ok(Self {
            #[cfg(feature = "flash-attn")]
            device_offsets: if device.is_cuda() {
                let values: Vec<u32> = offsets.iter().map(|&o| o as u32).collect();
                Some(upload(values, offsets.len(), device)?)
            } else {
                None
            },
            offsets,
            causal,
        })
    }

    /// Positions of all sequences together.
    pub fn total(&self) -> usize {
        self.offsets[self.offsets.len() - 1]
    }

    fn sequences(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        self.offsets.windows(2).map(|pair| pair[0]..pair[1])
    }
}

/// `softmax(q kᵀ / √d) v` within each sequence: query `[n, heads, d]`, key and value
/// `[n, kv_heads, d]`, where query head `h` reads key head `h · kv_heads / heads`. Returns `[n, heads · d]`.
///
/// # Errors
/// When shapes do not fit or a device operation fails.
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor, packing: &Packing) -> Result<Tensor> {
    let (rows, heads, d) = q.dims3()?;
    let (keys, kv_heads, key_dim) = k.dims3()?;
    if v.dims() != k.dims() || keys != rows || key_dim != d || heads % kv_heads != 0 {
        candle_core::bail!(
            "attention over {:?}, {:?}, {:?}",
            q.shape(),
            k.shape(),
            v.shape()
        );
    }
    if packing.total() != rows {
        candle_core::bail!(
            "sequences of {} positions, tensors of {rows}",
            packing.total()
        );
    }
    section("attention", || {
        #[cfg(feature = "flash-attn")]
        if let Some(offsets) = &packing.device_offsets
            && q.dtype() != candle_core::DType::F32
        {
            return flash::attention(q, k, v, packing, offsets);
        }
        if is_cpu_f32(q) {
            cpu::attention(q, k, v, packing)
        } else {
            chunked::attention(q, k, v, packing)
        }
    })
}

#[cfg(test)]
mod tests;
