//! The normal distribution.

use std::f64::consts::PI;

/// The density at `x`.
pub(crate) fn density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / (2.0 * PI).sqrt()
}

/// The chance of a value below `x`, to about 1e-15 (the series of Marsaglia, "Evaluating the Normal Distribution", 2004).
pub(crate) fn below(x: f64) -> f64 {
    if x.is_nan() {
        // The series would never end.
        return x;
    }
    if x.abs() > 8.0 {
        return if x > 0.0 { 1.0 } else { 0.0 };
    }
    let (mut sum, mut term, mut k) = (x, x, 1.0);
    loop {
        k += 2.0;
        term *= x * x / k;
        let next = sum + term;
        // Terms fall to what a float does not see.
        if (next - sum).abs() <= f64::EPSILON * sum.abs() {
            return (0.5 + sum * density(x)).clamp(0.0, 1.0);
        }
        sum = next;
    }
}

/// E[max(0, Z)] of a normal Z.
pub(crate) fn expected_gain(mean: f64, deviation: f64) -> f64 {
    if deviation <= 0.0 {
        return mean.max(0.0);
    }
    let z = mean / deviation;
    if z < -6.0 {
        // What is left when the two terms below cancel, as a series in 1/z² that is off by less than 2e-4 here.
        let u = 1.0 / (z * z);
        let series = 1.0 - 3.0 * u * (1.0 - 5.0 * u * (1.0 - 7.0 * u * (1.0 - 9.0 * u)));
        return deviation * density(z) * u * series;
    }
    mean * below(z) + deviation * density(z)
}

/// The chance that a normal value is above 0.
pub(crate) fn chance_above(mean: f64, deviation: f64) -> f64 {
    if deviation > 0.0 {
        below(mean / deviation)
    } else if mean == 0.0 {
        0.5
    } else {
        f64::from(u8::from(mean > 0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_scipy() {
        for (x, expected) in [
            (0.0, 0.5),
            (1.0, 0.841_344_746_068_542_9),
            (-2.5, 0.006_209_665_325_776_159),
            (1.644_853_626_951_472_2, 0.95),
        ] {
            assert!((below(x) - expected).abs() < 1e-14, "{x}: {}", below(x));
        }
        assert!((expected_gain(0.3, 2.0) - 0.956_843_969_526_850_7).abs() < 1e-12);
        assert!(
            (expected_gain(-1.0, 0.0)).abs() < 1e-300
                && (expected_gain(2.0, 0.0) - 2.0).abs() < 1e-300
        );
    }

    #[test]
    fn gains_do_not_jump_where_the_series_begins() {
        let (before, after) = (expected_gain(-6.0, 1.0), expected_gain(-6.0 - 1e-9, 1.0));
        assert!((after / before - 1.0).abs() < 2e-4, "{before} {after}");
    }

    #[test]
    fn what_is_no_number_stays_none() {
        assert!(below(f64::NAN).is_nan() && expected_gain(f64::NAN, 1.0).is_nan());
        assert!(expected_gain(1.0, f64::NAN).is_nan() && chance_above(f64::NAN, 1.0).is_nan());
        assert_eq!((below(f64::INFINITY), below(f64::NEG_INFINITY)), (1.0, 0.0));
    }

    #[test]
    fn gains_fall_with_the_mean_down_to_where_floats_end() {
        let gains: Vec<f64> = (0..60)
            .map(|i| expected_gain(f64::from(-i) / 2.0, 1.0))
            .collect();
        assert!(
            gains
                .windows(2)
                .all(|pair| pair[1] < pair[0] && pair[1] > 0.0),
            "{gains:?}"
        );
    }
}
