//! Layer norm and RMS norm over the last dimension, computed in f32.

use candle_core::{Result, Tensor};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::activation::LANES;
use super::slices::{is_cpu_f32, with_slice};
use crate::vlm::kernels::{self, NormOperands};
use crate::vlm::profile::section;

/// Root-mean-square norm: `x / sqrt(mean(x²) + eps) · weight` (Qwen2, Llama).
#[derive(Clone, Debug)]
pub struct RmsNorm {
    weight: Tensor,
    eps: f64,
}

/// Layer norm with weight and bias (SigLIP, CLIP).
#[derive(Clone, Debug)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

/// A norm of either kind.
#[derive(Clone, Debug)]
pub enum Norm {
    /// With weight and bias.
    Layer(LayerNorm),
    /// With a weight alone.
    Rms(RmsNorm),
}

impl Norm {
    /// Normalises each row of `x`, `[n, d]`.
    ///
    /// # Errors
    /// When `d` is not the weight's length, or a device operation fails.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Layer(norm) => norm.forward(x),
            Self::Rms(norm) => norm.forward(x),
        }
    }

    /// As the kernels take it.
    pub(super) fn operands(&self) -> NormOperands<'_> {
        match self {
            Self::Layer(norm) => norm.operands(),
            Self::Rms(norm) => norm.operands(),
        }
    }
}

impl From<LayerNorm> for Norm {
    fn from(norm: LayerNorm) -> Self {
        Self::Layer(norm)
    }
}

impl From<RmsNorm> for Norm {
    fn from(norm: RmsNorm) -> Self {
        Self::Rms(norm)
    }
}

impl RmsNorm {
    /// A norm over vectors as long as `weight`.
    pub fn new(weight: Tensor, eps: f64) -> Self {
        Self { weight, eps }
    }

    /// Normalises each row of `x`, `[n, d]`.
    ///
    /// # Errors
    /// When `d` is not the weight's length, or a device operation fails.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        section("norm", || self.apply(x))
    }

    fn operands(&self) -> NormOperands<'_> {
        NormOperands {
            weight: &self.weight,
            bias: None,
            eps: self.eps,
            layer: false,
        }
    }

    fn apply(&self, x: &Tensor) -> Result<Tensor> {
        if kernels::apply_to(x) {
            return self.operands().of(x);
        }
        if !is_cpu_f32(x) {
            return candle_nn::ops::rms_norm(&x.contiguous()?, &self.weight, self.eps as f32);
        }
        with_slice(&self.weight, |weight| {
            let eps = self.eps as f32;
            by_row(x, weight.len(), |row, out| {
                Arch::new().dispatch(RmsRow {
                    row,
                    weight,
                    eps,
                    out,
                });
            })
        })
    }
}

struct RmsRow<'a> {
    row: &'a [f32],
    weight: &'a [f32],
    eps: f32,
    out: &'a mut [f32],
}

impl WithSimd for RmsRow<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let mean = sum_of_squares(self.row, 0.0) / self.row.len() as f32;
        let scale = 1.0 / (mean + self.eps).sqrt();
        for ((out, v), w) in self.out.iter_mut().zip(self.row).zip(self.weight) {
            *out = v * scale * w;
        }
    }
}

impl LayerNorm {
    /// A norm over vectors as long as `weight` and `bias`.
    pub fn new(weight: Tensor, bias: Tensor, eps: f64) -> Self {
        Self { weight, bias, eps }
    }

    /// Normalises each row of `x`, `[n, d]`.
    ///
    /// # Errors
    /// When `d` is not the weight's length, or a device operation fails.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        section("norm", || self.apply(x))
    }

    fn operands(&self) -> NormOperands<'_> {
        NormOperands {
            weight: &self.weight,
            bias: Some(&self.bias),
            eps: self.eps,
            layer: true,
        }
    }

    fn apply(&self, x: &Tensor) -> Result<Tensor> {
        if kernels::apply_to(x) {
            return self.operands().of(x);
        }
        if !is_cpu_f32(x) {
            let x = x.contiguous()?;
            return candle_nn::ops::layer_norm(&x, &self.weight, &self.bias, self.eps as f32);
        }
        with_slice(&self.weight, |weight| {
            with_slice(&self.bias, |bias| {
                let eps = self.eps as f32;
                by_row(x, weight.len(), |row, out| {
                    Arch::new().dispatch(LayerRow {
                        row,
                        weight,
                        bias,
                        eps,
                        out,
                    });
                })
            })
        })
    }
}

struct LayerRow<'a> {
    row: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    eps: f32,
    out: &'a mut [f32],
}

impl WithSimd for LayerRow<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let n = self.row.len() as f32;
        let mean = sum(self.row) / n;
        // Two passes: the difference of mean(x²) and mean(x)² loses digits in f32.
        let variance = sum_of_squares(self.row, mean) / n;
        let scale = 1.0 / (variance + self.eps).sqrt();
        let parameters = self.weight.iter().zip(self.bias);
        for ((out, v), (w, b)) in self.out.iter_mut().zip(self.row).zip(parameters) {
            *out = (v - mean) * scale * w + b;
        }
    }
}

/// Sums in as many partial sums as there are lanes, which is both quick and accurate.
#[inline(always)]
fn sum(values: &[f32]) -> f32 {
    let mut sums = [0.0; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum += value;
        }
    }
    sums.iter().chain(rest).sum()
}

/// The sum of `(value - shift)²`, as [`sum`].
#[inline(always)]
fn sum_of_squares(values: &[f32], shift: f32) -> f32 {
    let mut sums = [0.0; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum += (value - shift) * (value - shift);
        }
    }
    for (sum, value) in sums.iter_mut().zip(rest) {
        *sum += (value - shift) * (value - shift);
    }
    sums.iter().sum()
}

fn by_row(x: &Tensor, width: usize, f: impl Fn(&[f32], &mut [f32]) + Sync) -> Result<Tensor> {
    let (rows, d) = x.dims2()?;
    if d != width {
        candle_core::bail!("a norm over {width} values was given rows of {d}");
    }
    let x = x.contiguous()?;
    let mut out = vec![0.0; rows * d];
    with_slice(&x, |values| {
        out.par_chunks_mut(d)
            .zip(values.par_chunks(d))
            .for_each(|(out, row)| f(row, out));
        Ok(())
    })?;
    Tensor::from_vec(out, (rows, d), x.device())
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{values, worst};
    use super::*;

    #[test]
    fn norms_equal_candles_own() -> Result<()> {
        let (weight, bias) = (values(&[53], 2)?, values(&[53], 3)?);
        let x = (values(&[6, 53], 1)? + 0.5)?;
        let want = candle_nn::ops::rms_norm_slow(&x, &weight, 1e-6)?;
        assert!(worst(&RmsNorm::new(weight.clone(), 1e-6).forward(&x)?, &want)? < 1e-5);
        let want = candle_nn::ops::layer_norm_slow(&x, &weight, &bias, 1e-6)?;
        assert!(worst(&LayerNorm::new(weight, bias, 1e-6).forward(&x)?, &want)? < 1e-5);
        Ok(())
    }
}
