//! What the values of a benchmark are measured from, and in.

/// A center and a spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unit {
    /// The mean.
    pub center: f64,
    /// The sample deviation: 1 where values do not differ by more than rounding.
    pub spread: f64,
}

impl Unit {
    /// Of some values.
    pub fn of(values: &[f64]) -> Self {
        let (center, deviation) = moments(values);
        let n = values.len() as f64;
        let spread = deviation * (n / (n - 1.0).max(1.0)).sqrt();
        let usable = spread.is_finite() && spread > 0.0;
        Self {
            center,
            spread: if usable { spread } else { 1.0 },
        }
    }
}

/// The mean of values, and their deviation from it: exactly 0 where they differ by no more than rounding. Neither overflows
/// before the values do.
pub(super) fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len().max(1) as f64;
    let mean = values.iter().map(|value| value / n).sum::<f64>();
    let largest = values
        .iter()
        .fold(0.0_f64, |most, value| most.max((value - mean).abs()));
    if largest <= 1e-12 * mean.abs() {
        return (mean, 0.0);
    }
    // In units of the largest, whose square may overflow.
    let squares = values
        .iter()
        .map(|value| ((value - mean) / largest).powi(2));
    (mean, largest * (squares.sum::<f64>() / n).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_value_in_every_run_has_no_spread() {
        for value in [0.0, 0.1, 0.237, 0.43, -1e300] {
            for n in [1, 3, 10, 30] {
                let unit = Unit::of(&vec![value; n]);
                assert!((unit.spread - 1.0).abs() < 1e-300, "{value} {n} times");
                assert!((unit.center - value).abs() <= 1e-12 * value.abs());
            }
        }
        assert_eq!(
            Unit::of(&[]),
            Unit {
                center: 0.0,
                spread: 1.0
            }
        );
    }

    #[test]
    fn it_is_the_mean_and_the_sample_deviation() {
        for scale in [1.0, 1e-200, 1e200] {
            let unit = Unit::of(&[scale, 2.0 * scale, 6.0 * scale]);
            assert!((unit.center / scale - 3.0).abs() < 1e-12);
            assert!((unit.spread / scale - 7.0_f64.sqrt()).abs() < 1e-12);
        }
    }
}
