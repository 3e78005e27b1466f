//! Shares that sum to 1, each within bounds.

use serde::{Deserialize, Serialize};

use super::SpaceError;
use crate::atlas::chance::Chance;

/// What the shares of a simplex are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Axis {
    /// Concepts.
    Concept,
    /// Tasks.
    Task,
    /// Cells, or whatever a table names.
    Cell,
}

impl Axis {
    /// Its name in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Concept => "concept",
            Self::Task => "task",
            Self::Cell => "cell",
        }
    }
}

/// A simplex with bounds.
#[derive(Clone, Debug, PartialEq)]
pub struct Simplex {
    /// What it is shared among.
    pub axis: Axis,
    /// The names of what it is shared among `[d]`.
    pub levels: Vec<String>,
    /// Least shares `[d]`.
    pub min: Vec<f64>,
    /// Largest shares `[d]`.
    pub max: Vec<f64>,
}

/// What sums may miss by rounding.
const ROUNDING: f64 = 1e-9;

impl Simplex {
    /// One without bounds.
    pub(super) fn free(axis: Axis, levels: Vec<String>) -> Self {
        let d = levels.len();
        Self {
            axis,
            levels,
            min: vec![0.0; d],
            max: vec![1.0; d],
        }
    }

    /// Refuses bounds that no mixture keeps.
    pub(super) fn check(&self) -> Result<(), SpaceError> {
        let axis = self.axis.as_str();
        for ((level, min), max) in self.levels.iter().zip(&self.min).zip(&self.max) {
            if min > max {
                return Err(SpaceError::Crossed {
                    axis,
                    level: level.clone(),
                    min: *min,
                    max: *max,
                });
            }
        }
        let (least, most): (f64, f64) = (self.min.iter().sum(), self.max.iter().sum());
        if least > 1.0 + ROUNDING {
            return Err(SpaceError::TooMuch { axis, sum: least });
        }
        if most < 1.0 - ROUNDING {
            return Err(SpaceError::TooLittle { axis, sum: most });
        }
        Ok(())
    }

    /// How many shares there are.
    pub fn len(&self) -> usize {
        self.levels.len()
    }

    /// Whether it is shared among nothing.
    pub fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// Puts shares at the nearest place (Euclidean) within the bounds where they sum to 1: all lose the same, as far as
    /// their bounds let them.
    pub fn project(&self, shares: &mut [f64]) {
        let bounds = || self.min.iter().zip(&self.max);
        let sum = |shares: &[f64], off: f64| -> f64 {
            let held = shares.iter().zip(bounds());
            held.map(|(x, (min, max))| (x - off).clamp(*min, *max))
                .sum()
        };
        // A sum of many shares is off by more than one rounding.
        if (sum(shares, 0.0) - 1.0).abs() > 1e-12 {
            let ends = shares.iter().zip(bounds());
            let (mut low, mut high) = ends
                .fold((f64::MAX, f64::MIN), |(low, high), (x, (a, b))| {
                    (low.min(x - b), high.max(x - a))
                });
            // The sum falls as `off` grows; halving ends where floats do.
            for _ in 0..200 {
                let middle = 0.5 * (low + high);
                if middle <= low || middle >= high {
                    break;
                }
                if sum(shares, middle) > 1.0 {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            let off = 0.5 * (low + high);
            for x in shares.iter_mut() {
                *x -= off;
            }
        }
        for (x, (min, max)) in shares.iter_mut().zip(bounds()) {
            *x = x.clamp(*min, *max);
        }
    }

    /// The level that is out of its bounds by more than `tolerance`.
    pub(super) fn beyond(&self, shares: &[f64], tolerance: f64) -> Option<usize> {
        (0..self.len())
            .find(|&i| !(self.min[i] - tolerance..=self.max[i] + tolerance).contains(&shares[i]))
    }

    /// Dirichlet shares around `mean` within the bounds. What bounds demand is given first and the rest is drawn; what is
    /// then too much is put back by [`project`](Self::project).
    pub(crate) fn draw(&self, mean: &[f64], strength: f64, chance: &mut Chance) -> Vec<f64> {
        let rest = 1.0 - self.min.iter().sum::<f64>();
        if rest <= ROUNDING {
            return self.min.clone();
        }
        let free = |(mean, min): (&f64, &f64)| ((mean - min) / rest).max(0.0);
        let center: Vec<f64> = mean.iter().zip(&self.min).map(free).collect();
        let drawn = chance.dirichlet(&center, strength);
        let mut shares: Vec<f64> = drawn
            .iter()
            .zip(&self.min)
            .map(|(share, min)| min + rest * share)
            .collect();
        self.project(&mut shares);
        shares
    }

    /// The same share for each level, as far as bounds allow.
    pub fn uniform(&self) -> Vec<f64> {
        let mut shares = vec![1.0 / self.len() as f64; self.len()];
        self.project(&mut shares);
        shares
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounded(min: &[f64], max: &[f64]) -> Simplex {
        let levels = (0..min.len()).map(|i| i.to_string()).collect();
        let mut simplex = Simplex::free(Axis::Cell, levels);
        simplex.min = min.to_vec();
        simplex.max = max.to_vec();
        simplex
    }

    #[test]
    fn projection_is_the_nearest_point_that_keeps_the_bounds() {
        let simplex = bounded(&[0.1, 0.0, 0.0, 0.2], &[0.3, 0.5, 1.0, 0.6]);
        let mut chance = Chance::new(3);
        let squared =
            |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum() };
        for _ in 0..50 {
            let from: Vec<f64> = (0..4).map(|_| 2.0 * chance.uniform() - 0.5).collect();
            let mut to = from.clone();
            simplex.project(&mut to);
            assert!((to.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{to:?}");
            assert_eq!(simplex.beyond(&to, 1e-12), None);
            for _ in 0..200 {
                let other = simplex.draw(&simplex.uniform(), 3.0, &mut chance);
                assert!(squared(&from, &to) <= squared(&from, &other) + 1e-12);
            }
        }
    }

    #[test]
    fn what_is_within_stays() {
        let simplex = bounded(&[0.0; 3], &[1.0; 3]);
        let mut shares = vec![0.2, 0.3, 0.5];
        simplex.project(&mut shares);
        assert_eq!(shares, [0.2, 0.3, 0.5]);
        // Nor do many shares move whose sum is rounded.
        let simplex = bounded(&[0.0; 57], &[1.0; 57]);
        let before = vec![1.0 / 57.0; 57];
        let mut shares = before.clone();
        assert!((shares.iter().sum::<f64>() - 1.0).abs() > 1e-15);
        simplex.project(&mut shares);
        assert_eq!(shares, before);
    }

    #[test]
    fn draws_keep_bounds_and_their_mean() {
        let simplex = bounded(&[0.3, 0.0, 0.0], &[1.0, 1.0, 1.0]);
        let mut chance = Chance::new(5);
        let mut sum = [0.0; 3];
        for _ in 0..4000 {
            let shares = simplex.draw(&[0.5, 0.3, 0.2], 8.0, &mut chance);
            assert!(shares[0] >= 0.3 && (shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            sum.iter_mut()
                .zip(&shares)
                .for_each(|(sum, x)| *sum += x / 4000.0);
        }
        for (mean, expected) in sum.iter().zip([0.5, 0.3, 0.2]) {
            assert!((mean - expected).abs() < 0.01, "{sum:?}");
        }
        let fixed = bounded(&[0.3, 0.7], &[0.3, 0.7]);
        assert_eq!(fixed.draw(&[0.3, 0.7], 1.0, &mut chance), [0.3, 0.7]);
    }

    #[test]
    fn bounds_that_nothing_keeps_are_refused() {
        for (simplex, word) in [
            (bounded(&[0.6, 0.5], &[1.0, 1.0]), "1.1"),
            (bounded(&[0.0, 0.0], &[0.4, 0.5]), "0.9"),
            (bounded(&[0.3, 0.0], &[0.2, 1.0]), "0.3"),
        ] {
            let error = simplex.check().unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
        assert!(bounded(&[0.5, 0.5], &[0.5, 0.5]).check().is_ok());
    }
}
