//! Activations over whole rows, vectorised for the processor at hand.

use candle_core::{D, Result, Tensor};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::slices::{is_cpu_f32, with_slice};

/// How many values are treated at a time; a multiple of every vector width in use.
pub(crate) const LANES: usize = 16;

/// One vector's worth of values.
pub(crate) type Lanes = [f32; LANES];

/// `exp(x)` to about 1 ulp for |x| < 87, saturating beyond; free of branches so that loops over it vectorise.
#[inline(always)]
fn exp(x: f32) -> f32 {
    // Adding 1.5·2²³ rounds to the nearest integer and leaves it in the low mantissa bits.
    const ROUND: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN2_HIGH - n * LN2_LOW;
    // Taylor's series to the seventh power: its remainder on |r| ≤ ln 2 / 2 is below half an ulp.
    let mut p = 1.0 / 5040.0;
    for c in [
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ] {
        p = p * r + c;
    }
    let exponent = shifted
        .to_bits()
        .wrapping_sub(ROUND.to_bits())
        .wrapping_add(127)
        << 23;
    p * f32::from_bits(exponent)
}

/// `x / (1 + exp(-x))`.
#[inline(always)]
fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

/// The tanh approximation of GELU, through `(1 + tanh u) / 2 = 1 / (1 + exp(-2u))`.
#[inline(always)]
fn gelu_tanh(x: f32) -> f32 {
    const SQRT_2_OVER_PI: f32 = 0.797_884_6;
    let u = SQRT_2_OVER_PI * (x + 0.044_715 * x * x * x);
    x / (1.0 + exp(-2.0 * u))
}

/// Replaces every value by `exp(value - shift)` and returns their sum.
#[inline(always)]
pub(crate) fn exp_in_place(values: &mut [f32], shift: f32) -> f32 {
    let mut sums: Lanes = [0.0; LANES];
    let (chunks, rest) = values.as_chunks_mut::<LANES>();
    for chunk in chunks {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *value = exp(*value - shift);
            *sum += *value;
        }
    }
    for (sum, value) in sums.iter_mut().zip(rest) {
        *value = exp(*value - shift);
        *sum += *value;
    }
    sums.iter().sum()
}

/// Applies GELU (tanh) to all values on all cores.
pub(super) fn gelu_tanh_in_place(values: &mut [f32]) {
    struct Chunk<'a>(&'a mut [f32]);
    impl WithSimd for Chunk<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            for x in self.0 {
                *x = gelu_tanh(*x);
            }
        }
    }
    values
        .par_chunks_mut(1 << 14)
        .for_each(|chunk| Arch::new().dispatch(Chunk(chunk)));
}

struct Gated<'a> {
    gate: &'a [f32],
    up: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for Gated<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for ((out, gate), up) in self.out.iter_mut().zip(self.gate).zip(self.up) {
            *out = silu(*gate) * up;
        }
    }
}

/// `silu(gate) · up` for rows that hold `[gate | up]`: `[n, 2·i]` to `[n, i]` (Qwen2's gated MLP).
///
/// # Errors
/// When the last dimension is odd, or a device operation fails.
pub fn swiglu(gate_up: &Tensor) -> Result<Tensor> {
    let (rows, width) = gate_up.dims2()?;
    let inner = width / 2;
    if !is_cpu_f32(gate_up) {
        let gate = gate_up.narrow(D::Minus1, 0, inner)?.contiguous()?;
        let up = gate_up.narrow(D::Minus1, inner, inner)?.contiguous()?;
        return gate.silu()? * up;
    }
    let mut out = vec![0.0; rows * inner];
    with_slice(gate_up, |values| {
        out.par_chunks_mut(inner.max(1))
            .zip(values.par_chunks(width.max(1)))
            .for_each(|(out, row)| {
                let (gate, up) = row.split_at(inner);
                Arch::new().dispatch(Gated { gate, up, out });
            });
        Ok(())
    })?;
    Tensor::from_vec(out, (rows, inner), gate_up.device())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_within_two_ulp_of_the_double_precision_value() {
        let mut worst = 0.0_f64;
        for i in -86_000..88_000 {
            let x = i as f32 / 1000.0;
            let exact = f64::from(x).exp();
            worst = worst.max((f64::from(exp(x)) - exact).abs() / exact);
        }
        assert!(worst < 2.4e-7, "{worst}");
        assert!(exp(-1000.0) < 1e-37 && exp(1000.0) > 1e38);
    }

    #[test]
    fn gelu_and_silu_equal_their_definitions() {
        for i in -800..800 {
            let x = f64::from(i) / 50.0;
            let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
            let gelu = 0.5 * x * (1.0 + u.tanh());
            assert!((f64::from(gelu_tanh(x as f32)) - gelu).abs() <= 3e-7 * (1.0 + gelu.abs()));
            let want = x / (1.0 + (-x).exp());
            assert!((f64::from(silu(x as f32)) - want).abs() <= 3e-7 * (1.0 + want.abs()));
        }
    }

    #[test]
    fn swiglu_equals_its_form_in_candle_operations() -> Result<()> {
        let device = candle_core::Device::Cpu;
        let x = Tensor::randn(0f32, 2.0, (5, 2 * 37), &device)?;
        let want = (x.narrow(1, 0, 37)?.silu()? * x.narrow(1, 37, 37)?)?;
        let difference = (swiglu(&x)? - want)?.abs()?.max_all()?.to_scalar::<f32>()?;
        assert!(difference < 1e-6, "{difference}");
        Ok(())
    }
}
