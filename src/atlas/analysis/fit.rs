//! Whether predictions came true.

use serde::{Deserialize, Serialize};

use super::Estimate;

/// A run, and what was expected of it by those that were known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fitted {
    /// The trial.
    pub trial: u32,
    /// What came of it.
    pub observed: f64,
    /// What was expected, the noise of a run included.
    pub expected: Estimate,
    /// Whether it was said before the run was made; else it is what all other runs say of it.
    pub ahead: bool,
}

/// How many runs lie within an interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    /// The share that should.
    pub level: f64,
    /// The share that does.
    pub holds: f64,
}

/// Half the widths of central intervals of a normal distribution, in standard deviations, by their level.
const HALVES: [(f64, f64); 5] = [
    (0.5, 0.674_489_750_196_081_7),
    (0.68, 0.994_457_883_209_753),
    (0.8, 1.281_551_565_544_600_4),
    (0.9, Estimate::HALF_OF_90),
    (0.95, 1.959_963_984_540_054),
];

/// How many of the runs lie within intervals of several levels; nothing without runs.
pub fn bands(runs: &[Fitted]) -> Vec<Band> {
    if runs.is_empty() {
        return Vec::new();
    }
    let band = |(level, half): (f64, f64)| {
        let within = runs.iter().filter(|run| {
            (run.observed - run.expected.mean).abs() <= half * run.expected.deviation
        });
        Band {
            level,
            holds: within.count() as f64 / runs.len() as f64,
        }
    };
    HALVES.into_iter().map(band).collect()
}

/// Spearman's rank correlation of what was expected with what was observed; `None` where it is not defined.
pub type Ranks = Option<f64>;

/// Spearman's rank correlation of what was expected with what was observed.
pub fn ranks(runs: &[Fitted]) -> Ranks {
    let expected: Vec<f64> = runs.iter().map(|run| run.expected.mean).collect();
    let observed: Vec<f64> = runs.iter().map(|run| run.observed).collect();
    correlation(&ranked(&expected), &ranked(&observed))
}

/// The rank of each value; equal ones share theirs.
fn ranked(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    for group in order.chunk_by(|&a, &b| values[a].total_cmp(&values[b]).is_eq()) {
        let before = order.iter().position(|i| *i == group[0]).unwrap_or(0);
        for &i in group {
            ranks[i] = before as f64 + (group.len() - 1) as f64 / 2.0;
        }
    }
    ranks
}

fn correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    let n = a.len() as f64;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / n;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let product = |a: &[f64], mean_a: f64, b: &[f64], mean_b: f64| -> f64 {
        let pairs = a.iter().zip(b);
        pairs.map(|(x, y)| (x - mean_a) * (y - mean_b)).sum()
    };
    let spread = product(a, mean_a, a, mean_a) * product(b, mean_b, b, mean_b);
    (spread > 0.0).then(|| product(a, mean_a, b, mean_b) / spread.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(observed: f64, mean: f64, deviation: f64) -> Fitted {
        Fitted {
            trial: 1,
            observed,
            expected: Estimate { mean, deviation },
            ahead: true,
        }
    }

    #[test]
    fn bands_count_what_lies_within() {
        let runs = [
            run(0.5, 0.0, 1.0),
            run(1.5, 0.0, 1.0),
            run(-3.0, 0.0, 1.0),
            run(2.0, 2.0, 0.0),
        ];
        let holds: Vec<f64> = bands(&runs).iter().map(|band| band.holds).collect();
        assert_eq!(holds, [0.5, 0.5, 0.5, 0.75, 0.75]);
        assert!(bands(&[]).is_empty());
    }

    #[test]
    fn ranks_are_spearmans() {
        let of = |pairs: &[(f64, f64)]| {
            ranks(
                &pairs
                    .iter()
                    .map(|(x, y)| run(*x, *y, 1.0))
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(of(&[(1.0, 10.0), (2.0, 11.0), (9.0, 12.0)]), Some(1.0));
        assert_eq!(of(&[(1.0, 3.0), (2.0, 2.0), (9.0, 1.0)]), Some(-1.0));
        // scipy.stats.spearmanr([1, 2, 2, 4], [3, 1, 2, 4])
        let found = of(&[(1.0, 3.0), (2.0, 1.0), (2.0, 2.0), (4.0, 4.0)]).unwrap();
        assert!((found - 0.316_227_766_016_837_94).abs() < 1e-12, "{found}");
        assert_eq!(of(&[(1.0, 1.0), (1.0, 2.0)]), None);
        assert_eq!(of(&[]), None);
    }
}
