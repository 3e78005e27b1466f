//! What shares do: main effects of concepts and tasks, and what pairs of them do together.
//!
//! A mixture is moved towards a level by giving the level more of it and every other cell less, in proportion, so all
//! shares stay shares. Means and deviations are of the surrogates' joint posterior, so that the uncertainty of a
//! difference is that of the difference.

use serde::{Deserialize, Serialize};

use super::Estimate;
use crate::atlas::space::Axis;
use crate::atlas::surrogate::Posterior;

/// Points of an effect's curve.
const POINTS: usize = 9;
/// The share that is moved to find out what two levels do together.
const STEP: f64 = 0.1;

/// A concept or a task, as coordinates of a point.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// Its axis.
    pub axis: Axis,
    /// Its name.
    pub name: String,
    /// The simplex that it is in, as the first of its coordinates and the one behind the last.
    pub simplex: (usize, usize),
    /// Its coordinates, all in the simplex.
    pub coordinates: Vec<usize>,
}

/// How the score changes with the share of a level, everything else in proportion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// The level's axis.
    pub axis: Axis,
    /// The level's name.
    pub level: String,
    /// Its share in the mixture that is moved.
    pub at: f64,
    /// Its shares.
    pub shares: Vec<f64>,
    /// The score at each, against that of the mixture that is moved.
    pub change: Vec<Estimate>,
}

/// What two levels do together beyond what each does alone: the change of the score by a tenth of the mixture moved to
/// both, less the changes by a tenth moved to each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interaction {
    /// The levels' names.
    pub levels: [String; 2],
    /// How much.
    pub change: Estimate,
}

impl Level {
    /// The level's share at a point.
    pub fn share(&self, point: &[f64]) -> f64 {
        self.coordinates.iter().map(|&i| point[i]).sum()
    }

    /// The point with another share of the level.
    pub fn moved(&self, point: &[f64], share: f64) -> Vec<f64> {
        let own = self.share(point);
        let mut moved = point.to_vec();
        let (start, end) = self.simplex;
        let others = (end - start) as f64 - self.coordinates.len() as f64;
        for (i, value) in moved.iter_mut().enumerate().take(end).skip(start) {
            let (whole, total, count) = if self.coordinates.contains(&i) {
                (own, share, self.coordinates.len() as f64)
            } else {
                (1.0 - own, 1.0 - share, others)
            };
            // What had nothing is filled evenly.
            *value = if whole > 1e-12 {
                *value / whole * total
            } else {
                total / count
            };
        }
        moved
    }
}

/// The effect of each level around `point`; `real` gives the shares that levels have in the mixture of a point, which are
/// not the point's where it holds factors, and `posterior` is of the score. A level that is all of its simplex has none.
pub fn effects(
    point: &[f64],
    levels: &[Level],
    real: &dyn Fn(&[f64]) -> Vec<f64>,
    posterior: &dyn Fn(&[Vec<f64>]) -> Posterior,
) -> Vec<Effect> {
    let of = |level: &Level| {
        let (start, end) = level.simplex;
        (level.coordinates.len() < end - start).then(|| effect(point, level, real, posterior))
    };
    levels.iter().filter_map(of).collect()
}

fn effect(
    point: &[f64],
    level: &Level,
    real: &dyn Fn(&[f64]) -> Vec<f64>,
    posterior: &dyn Fn(&[Vec<f64>]) -> Posterior,
) -> Effect {
    let at = level.share(point);
    // Further than twice the share, or half of what there is, tells of other mixtures than this.
    let most = (2.0 * at).clamp(0.2, 0.9);
    let shares: Vec<f64> = (0..POINTS)
        .map(|i| most * i as f64 / (POINTS - 1) as f64)
        .collect();
    let mut points: Vec<Vec<f64>> = shares
        .iter()
        .map(|&share| level.moved(point, share))
        .collect();
    points.push(point.to_vec());
    let found = posterior(&points);
    let change = (0..POINTS).map(|i| contrast(&found, &[(i, 1.0), (POINTS, -1.0)]));
    Effect {
        axis: level.axis,
        level: level.name.clone(),
        at: level.share(&real(point)),
        change: change.collect(),
        shares: points[..POINTS]
            .iter()
            .map(|point| level.share(&real(point)))
            .collect(),
    }
}

/// What each two levels of different axes, or of the same, do together around `point`; the surest first, `most` at most.
pub fn interactions(
    point: &[f64],
    levels: &[Level],
    most: usize,
    posterior: &dyn Fn(&[Vec<f64>]) -> Posterior,
) -> Vec<Interaction> {
    let towards = |level: &Level, point: &[f64]| {
        let share = level.share(point);
        level.moved(point, share + STEP * (1.0 - share))
    };
    let partial = |level: &&Level| {
        let (start, end) = level.simplex;
        level.coordinates.len() < end - start
    };
    let levels: Vec<&Level> = levels.iter().filter(partial).collect();
    let mut found = Vec::new();
    for (i, a) in levels.iter().enumerate() {
        for b in &levels[..i] {
            let [to_a, to_b] = [a, b].map(|level| towards(level, point));
            // Whatever the order, the same mixture.
            let both = mean(&towards(b, &to_a), &towards(a, &to_b));
            let posterior = posterior(&[both, to_a, to_b, point.to_vec()]);
            let change = contrast(&posterior, &[(0, 1.0), (1, -1.0), (2, -1.0), (3, 1.0)]);
            found.push(Interaction {
                levels: [b.name.clone(), a.name.clone()],
                change,
            });
        }
    }
    let sureness =
        |found: &Interaction| found.change.mean.abs() / found.change.deviation.max(1e-12);
    found.sort_by(|a, b| sureness(b).total_cmp(&sureness(a)));
    found.truncate(most);
    found
}

fn mean(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter()
        .zip(b)
        .map(|(a, b)| f64::midpoint(*a, *b))
        .collect()
}

/// Σ cᵢ fᵢ over some of the points.
fn contrast(posterior: &Posterior, terms: &[(usize, f64)]) -> Estimate {
    let mean = terms.iter().map(|&(i, c)| c * posterior.mean[i]).sum();
    let of = |&(i, a): &(usize, f64)| -> f64 {
        let row = terms.iter();
        row.map(|&(j, b)| a * b * posterior.covariance[(i, j)])
            .sum()
    };
    let variance: f64 = terms.iter().map(of).sum();
    Estimate {
        mean,
        deviation: variance.max(0.0).sqrt(),
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::{DMatrix, DVector};

    use super::*;

    fn level(axis: Axis, name: &str, coordinates: &[usize]) -> Level {
        Level {
            axis,
            name: name.into(),
            simplex: (0, 4),
            coordinates: coordinates.to_vec(),
        }
    }

    /// Of the score f(p), with unit variances and covariances of a half.
    fn known(f: impl Fn(&[f64]) -> f64) -> impl Fn(&[Vec<f64>]) -> Posterior {
        move |points: &[Vec<f64>]| {
            let m = points.len();
            Posterior {
                mean: DVector::from_iterator(m, points.iter().map(|point| f(point))),
                covariance: DMatrix::from_fn(m, m, |i, j| if i == j { 1.0 } else { 0.5 }),
            }
        }
    }

    #[test]
    fn a_moved_mixture_is_a_mixture_with_the_others_in_proportion() {
        let a = level(Axis::Concept, "a", &[0, 1]);
        let moved = a.moved(&[0.1, 0.3, 0.2, 0.4], 0.7);
        for (found, wanted) in moved.iter().zip([0.175, 0.525, 0.1, 0.2]) {
            assert!((found - wanted).abs() < 1e-12);
        }
        assert_eq!(
            a.moved(&[0.0, 0.0, 0.5, 0.5], 0.5),
            [0.25, 0.25, 0.25, 0.25]
        );
        assert_eq!(
            a.moved(&[0.5, 0.5, 0.0, 0.0], 0.5),
            [0.25, 0.25, 0.25, 0.25]
        );
    }

    #[test]
    fn effects_are_of_their_level_and_zero_where_nothing_moves() {
        let levels = [
            level(Axis::Concept, "a", &[0, 1]),
            level(Axis::Task, "t", &[0, 2]),
        ];
        let score = known(|p: &[f64]| 3.0 * (p[0] + p[1]));
        let found = effects(&[0.25; 4], &levels, &<[f64]>::to_vec, &score);
        let a = &found[0];
        assert_eq!((a.at, a.shares[0], a.shares[POINTS - 1]), (0.5, 0.0, 0.9));
        assert!((a.change[0].mean + 1.5).abs() < 1e-12);
        // var(f - g) = 1 + 1 - 2 · ½
        assert!((a.change[0].deviation - 1.0).abs() < 1e-12);
        assert!(
            found[1]
                .change
                .iter()
                .all(|change| change.mean.abs() < 1e-12)
        );
        let whole = level(Axis::Task, "all", &[0, 1, 2, 3]);
        assert!(effects(&[0.25; 4], &[whole], &<[f64]>::to_vec, &score).is_empty());
    }

    #[test]
    fn levels_that_only_help_together_interact() {
        let levels = [
            level(Axis::Concept, "a", &[0, 1]),
            level(Axis::Task, "t", &[0, 2]),
        ];
        let together = known(|p: &[f64]| (p[0] + p[1]) * (p[0] + p[2]));
        let found = interactions(&[0.25; 4], &levels, 5, &together);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].levels, ["a", "t"]);
        assert!(found[0].change.mean > 1e-4, "{:?}", found[0]);
        // 4 · 1 + 2 · ½ · (−1 −1 +1 +1 −1 −1) = 2
        assert!((found[0].change.deviation - 2.0_f64.sqrt()).abs() < 1e-12);
        let apart = known(|p: &[f64]| p[0] + p[1]);
        assert!(
            interactions(&[0.25; 4], &levels, 5, &apart)[0]
                .change
                .mean
                .abs()
                < 1e-12
        );
    }
}
