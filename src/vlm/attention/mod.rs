//! Attention over packed samples: sequences of different lengths one after the other, no padding.
//!
//! No form keeps an attention matrix in memory. On CUDA with the feature `flash-attn` and a half
//! precision it is `flash_attn_varlen`; on the CPU in f32 it is ours, which multiplies blocks of
//! query rows with the `gemm` crate; everything else goes through candle's matmul block by block,
//! which on CUDA is slow: some twenty operations for each block of each sequence in each layer.
//! (candle-nn's own CPU form works row by row and took 11 to 19 times as long as this one; it serves
//! as the reference in the tests.)

mod chunked;
mod cpu;
#[cfg(feature = "flash-attn")]
mod flash;

use std::sync::OnceLock;

use candle_core::{DType, Device, Result, Tensor};

use super::VlmError;
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
    /// What the chunked form adds to scores, made once it is needed.
    triangle: OnceLock<Tensor>,
    #[cfg(feature = "flash-attn")]
    device_offsets: Option<Tensor>,
}

impl Packing {
    /// Sequences of the given lengths. With `causal` a position sees those before it and itself, else all.
    ///
    /// # Errors
    /// When the upload of the offsets to `device` fails.
    pub fn new(lengths: &[usize], causal: bool, device: &Device) -> Result<Self> {
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
            triangle: OnceLock::new(),
        })
    }

    fn triangle(&self, device: &Device) -> Result<&Tensor> {
        if let Some(triangle) = self.triangle.get() {
            return Ok(triangle);
        }
        let triangle = chunked::triangle(device)?;
        Ok(self.triangle.get_or_init(|| triangle))
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
            && flash::takes(q)
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

/// Tries flash attention on a device that would use it for heads of `d` values: candle does not see when its kernel
/// cannot be launched, and what it would have written is then whatever lay there. It also loads the kernels, and what
/// cuBLAS keeps for itself, before anyone asks how much memory is left.
///
/// # Errors
/// When it does not give what the other form gives, or a device operation fails.
pub(crate) fn try_out(
    d: usize,
    causal: bool,
    dtype: DType,
    device: &Device,
) -> std::result::Result<(), VlmError> {
    let (lengths, heads) = ([5, 70], 2);
    let total: usize = lengths.iter().sum();
    let part = |seed: usize| {
        // No row is like another: 251 is prime.
        let value = |i: usize| ((i * 7919 + seed * 104_729) % 251) as f32 / 63.0 - 2.0;
        let values = (0..total * heads * d).map(value);
        upload(values.collect(), (total, heads, d), device)?.to_dtype(dtype)
    };
    if !device.is_cuda() {
        return Ok(());
    }
    let packing = Packing::new(&lengths, causal, device)?;
    let (q, k, v) = (part(1)?, part(2)?, part(3)?);
    let values = |x: Tensor| x.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>();
    let found = values(attention(&q, &k, &v, &packing)?)?;
    let expected = values(chunked::attention(&q, &k, &v, &packing)?)?;
    let apart = relative(&found, &expected);
    // Rounding to bf16 alone is below 1e-2.
    if apart < 0.05 {
        return Ok(());
    }
    Err(VlmError::Attention { d, apart })
}

/// How far `found` is from `expected`, against the length of the latter; large for what is no number.
fn relative(found: &[f32], expected: &[f32]) -> f32 {
    let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|x| x * x).sum::<f32>().sqrt();
    let difference = norm(&mut found.iter().zip(expected).map(|(a, b)| a - b));
    let apart = difference / norm(&mut expected.iter().copied());
    if apart.is_nan() { f32::INFINITY } else { apart }
}

#[cfg(test)]
mod tests;
