//! How values become what a Gaussian process is good at: of mean 0 and spread 1, and no longer skewed.
//!
//! What a mixture does differs more from mixture to mixture where a benchmark fares badly (a loss without any sample of
//! its domain) than where it fares well, and so do the errors of a surrogate: with one variance for all, intervals are
//! too narrow at one end and too wide at the other. `h(z) = z cosh a − √(1 + z²) sinh a` has the slope `e^a` at one end
//! and `e^−a` at the other, is monotone, and has the same form as its inverse. It is the sinh-arcsinh transformation
//! (Jones and Pewsey 2009) without its tail parameter, learnt with the other hyperparameters (a warped Gaussian process,
//! Snelson, Rasmussen and Ghahramani 2004).

/// From values to what is modelled, and back.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Warp {
    shift: f64,
    scale: f64,
    skew: f64,
}

/// What a modelled number is as a value.
pub(super) struct Unwarped {
    /// The value.
    pub(super) value: f64,
    /// Its first derivative by the modelled number; never negative.
    pub(super) slope: f64,
    /// Its second derivative.
    pub(super) bend: f64,
}

impl Warp {
    /// Values as they are, but for a skew.
    pub(super) fn plain(skew: f64) -> Self {
        Self {
            shift: 0.0,
            scale: 1.0,
            skew,
        }
    }

    /// The mean and the standard deviation of these values; `None` when they have none.
    pub(super) fn standard(values: &[f64], skew: f64) -> Option<Self> {
        let n = values.len() as f64;
        let shift = values.iter().map(|value| value / n).sum::<f64>();
        let largest = values
            .iter()
            .fold(0.0_f64, |most, value| most.max((value - shift).abs()));
        // Constant values, up to rounding.
        let scale = if largest <= 1e-12 * shift.abs() {
            1.0
        } else {
            // In units of the largest, whose square may overflow.
            let squares = values
                .iter()
                .map(|value| ((value - shift) / largest).powi(2));
            largest * (squares.sum::<f64>() / n).sqrt()
        };
        (shift.is_finite() && scale.is_finite() && scale > 0.0).then_some(Self {
            shift,
            scale,
            skew,
        })
    }

    /// The skew `a`.
    pub(super) fn skew(&self) -> f64 {
        self.skew
    }

    /// The same with another skew.
    pub(super) fn skewed(&self, skew: f64) -> Self {
        Self {
            skew,
            ..self.clone()
        }
    }

    /// The standard value z of a value.
    pub(super) fn standardised(&self, value: f64) -> f64 {
        (value - self.shift) / self.scale
    }

    /// The logarithm of what a density of standard values is multiplied by to be one of values.
    pub(super) fn log_density(&self) -> f64 {
        -self.scale.ln()
    }

    /// The value of a modelled number.
    pub(super) fn back(&self, modelled: f64) -> Unwarped {
        let (sinh, cosh) = (self.skew.sinh(), self.skew.cosh());
        let root = modelled.hypot(1.0);
        Unwarped {
            value: self.shift + self.scale * (modelled * cosh + root * sinh),
            slope: self.scale * (cosh + modelled / root * sinh),
            bend: self.scale * sinh / root.powi(3),
        }
    }
}

/// A standard value, skewed, with what likelihoods need.
pub(super) struct Skewed {
    /// h(z).
    pub(super) value: f64,
    /// ∂h/∂a.
    pub(super) by_skew: f64,
    /// log h′(z).
    pub(super) log_slope: f64,
    /// ∂ log h′(z) / ∂a.
    pub(super) log_slope_by_skew: f64,
}

/// Skews a standard value.
pub(super) fn skewed(z: f64, skew: f64) -> Skewed {
    let (sinh, cosh) = (skew.sinh(), skew.cosh());
    let root = z.hypot(1.0);
    let t = z / root;
    let slope = cosh - t * sinh;
    Skewed {
        value: z * cosh - root * sinh,
        by_skew: z * sinh - root * cosh,
        log_slope: slope.ln(),
        log_slope_by_skew: (sinh - t * cosh) / slope,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_is_the_inverse() {
        let warp = Warp::standard(&[3.0, 5.0, 4.0, 9.0], 0.7).unwrap();
        for value in [-2.0, 3.0, 5.2, 40.0] {
            let there = skewed(warp.standardised(value), warp.skew());
            let back = warp.back(there.value);
            assert!((back.value - value).abs() < 1e-12 * value.abs().max(1.0));
            // dh/dv · dv/dh = 1.
            let product = there.log_slope + warp.log_density() + back.slope.ln();
            assert!(product.abs() < 1e-10, "{product}");
        }
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let (e, warp) = (1e-6, Warp::standard(&[1.0, 2.0, 7.0], -0.4).unwrap());
        for x in [-3.0, -0.2, 0.0, 1.5] {
            let (less, more) = (warp.back(x - e), warp.back(x + e));
            let at = warp.back(x);
            assert!((at.slope - (more.value - less.value) / (2.0 * e)).abs() < 1e-7);
            assert!((at.bend - (more.slope - less.slope) / (2.0 * e)).abs() < 1e-7);
            let (less, more) = (skewed(x, 0.8 - e), skewed(x, 0.8 + e));
            let at = skewed(x, 0.8);
            assert!((at.by_skew - (more.value - less.value) / (2.0 * e)).abs() < 1e-7);
            let slope = (more.log_slope - less.log_slope) / (2.0 * e);
            assert!((at.log_slope_by_skew - slope).abs() < 1e-7);
        }
    }

    #[test]
    fn values_without_a_spread_keep_their_unit() {
        for values in [&[0.0][..], &[5.0, 5.0], &[0.1, 0.1, 0.1], &[-1e300, -1e300]] {
            let warp = Warp::standard(values, 0.0).unwrap();
            assert!(warp.standardised(values[0]).abs() < 1e-9 * values[0].abs().max(1.0));
        }
        let far = Warp::standard(&[0.0, 1e300, 0.0], 0.0).unwrap();
        assert!(far.standardised(1e300).is_finite());
        assert!(Warp::standard(&[f64::MAX, -f64::MAX, -f64::MAX], 0.0).is_none());
    }
}
