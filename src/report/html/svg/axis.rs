//! Axes: where ticks stand, and where a value does.

/// Values from `low` to `high`, and a position between 0 and 1 for each.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Scale {
    low: f64,
    high: f64,
    logarithmic: bool,
}

impl Scale {
    /// An even scale that holds all the values and 0.
    pub(in super::super) fn linear(values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = ends(values.into_iter().chain([0.0])).unwrap_or((0.0, 1.0));
        let high = if high > low { high } else { low + 1.0 };
        Self {
            low,
            high,
            logarithmic: false,
        }
    }

    /// An even scale that holds all the values, 0 or not, with a little room at both ends.
    pub(in super::super) fn tight(values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = ends(values.into_iter()).unwrap_or((0.0, 1.0));
        let room = if high > low {
            0.04 * (high - low)
        } else {
            0.5 * low.abs().max(1.0)
        };
        Self {
            low: low - room,
            high: high + room,
            logarithmic: false,
        }
    }

    /// A scale of powers that holds all the values above 0, if there are any.
    pub(in super::super) fn logarithmic(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let (low, high) = ends(values.into_iter().filter(|value| *value > 0.0))?;
        let (low, high) = if high > low {
            (low, high)
        } else {
            (low / 2.0, high * 2.0)
        };
        Some(Self {
            low,
            high,
            logarithmic: true,
        })
    }

    /// Where a value stands: 0 at the low end, 1 at the high one. Values beyond stand at the end.
    pub(in super::super) fn at(&self, value: f64) -> f64 {
        let of = |x: f64| if self.logarithmic { x.ln() } else { x };
        let place = (of(value) - of(self.low)) / (of(self.high) - of(self.low));
        if place.is_nan() {
            0.0
        } else {
            place.clamp(0.0, 1.0)
        }
    }

    /// At most about `most` round values on the scale.
    pub(in super::super) fn ticks(&self, most: usize) -> Vec<f64> {
        if self.logarithmic {
            self.powers(most)
        } else {
            self.steps(most)
        }
    }

    fn steps(&self, most: usize) -> Vec<f64> {
        let rough = (self.high - self.low) / most.max(1) as f64;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .map(|times| times * power)
            .into_iter()
            .find(|step| *step >= rough * (1.0 - 1e-9))
            .unwrap_or(10.0 * power);
        let first = (self.low / step - 1e-9).ceil() as i64;
        let last = (self.high / step + 1e-9).floor() as i64;
        (first..=last).map(|n| n as f64 * step).collect()
    }

    fn powers(&self, most: usize) -> Vec<f64> {
        let first = (self.low.log10() - 1e-9).ceil() as i32;
        let last = (self.high.log10() + 1e-9).floor() as i32;
        let every = ((last - first) as usize / most.max(1)) as i32 + 1;
        let powers: Vec<f64> = (first..=last)
            .filter(|n| n.rem_euclid(every) == 0)
            .map(|n| 10_f64.powi(n))
            .collect();
        // Within one power of ten, the ends say more than nothing.
        if powers.len() < 2 {
            vec![self.low, self.high]
        } else {
            powers
        }
    }
}

fn ends(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let finite = values.filter(|value| value.is_finite());
    finite.fold(None, |ends, value| {
        let (low, high) = ends.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_on_the_scale() {
        let scale = Scale::linear([24.3, 5.1]);
        assert_eq!(scale.ticks(5), [0.0, 5.0, 10.0, 15.0, 20.0]);
        assert_eq!(Scale::linear([-0.5, 1.0]).ticks(4), [-0.5, 0.0, 0.5, 1.0]);
        assert_eq!(Scale::logarithmic([0.01, 100.0]).unwrap().ticks(9).len(), 5);
        assert_eq!(Scale::logarithmic([3.0, 4.0]).unwrap().ticks(9), [3.0, 4.0]);
    }

    fn stand(scale: &Scale, values: &[f64], places: &[f64]) {
        for (value, place) in values.iter().zip(places) {
            assert!((scale.at(*value) - place).abs() < 1e-12, "{value}");
        }
    }

    #[test]
    fn a_value_stands_between_the_ends() {
        let scale = Scale::linear([-1.0, 3.0, f64::NAN]);
        stand(
            &scale,
            &[-1.0, 0.0, 3.0, 9.0, f64::NAN],
            &[0.0, 0.25, 1.0, 1.0, 0.0],
        );
        let scale = Scale::logarithmic([0.1, 0.0, 10.0]).unwrap();
        stand(&scale, &[1.0, 0.0, -1.0], &[0.5, 0.0, 0.0]);
    }

    #[test]
    fn nothing_and_sameness_have_scales() {
        stand(&Scale::linear([]), &[1.0], &[1.0]);
        stand(&Scale::linear([0.0]), &[0.0], &[0.0]);
        stand(
            &Scale::tight([5.0, 6.0]),
            &[5.5, 4.96, 9.0],
            &[0.5, 0.0, 1.0],
        );
        stand(&Scale::tight([5.0]), &[5.0], &[0.5]);
        assert!(Scale::logarithmic([0.0, -1.0]).is_none());
        stand(&Scale::logarithmic([7.0]).unwrap(), &[7.0], &[0.5]);
    }
}
