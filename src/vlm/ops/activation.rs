//! Activations over whole rows, vectorised for the processor at hand.

use pulp::{Simd, WithSimd};

use super::Activation;

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

/// `x · sigmoid(1.702 x)`.
#[inline(always)]
fn gelu_quick(x: f32) -> f32 {
    x / (1.0 + exp(-1.702 * x))
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

/// What one row of a linear layer's output goes through, in place: the bias, an activation, the residual.
pub(super) struct Epilogue<'a> {
    pub(super) row: &'a mut [f32],
    pub(super) bias: Option<&'a [f32]>,
    pub(super) activation: Option<Activation>,
    pub(super) residual: Option<&'a [f32]>,
}

impl WithSimd for Epilogue<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let row = self.row;
        if let Some(bias) = self.bias {
            add(row, bias);
        }
        match self.activation {
            Some(Activation::GeluTanh) => {
                for x in &mut *row {
                    *x = gelu_tanh(*x);
                }
            }
            Some(Activation::GeluQuick) => {
                for x in &mut *row {
                    *x = gelu_quick(*x);
                }
            }
            Some(Activation::SwiGlu) => {
                let (gate, up) = row.split_at_mut(row.len() / 2);
                for (gate, up) in gate.iter_mut().zip(up) {
                    *gate = silu(*gate) * *up;
                }
            }
            // Rare enough to be left to candle.
            Some(Activation::GeluErf) | None => {}
        }
        if let Some(residual) = self.residual {
            add(row, residual);
        }
    }
}

#[inline(always)]
fn add(row: &mut [f32], other: &[f32]) {
    for (value, other) in row.iter_mut().zip(other) {
        *value += other;
    }
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
            for (found, slope) in [(silu(x as f32), 1.0), (gelu_quick(x as f32), 1.702)] {
                let want = x / (1.0 + (-slope * x).exp());
                assert!((f64::from(found) - want).abs() <= 3e-7 * (1.0 + want.abs()));
            }
        }
    }
}
