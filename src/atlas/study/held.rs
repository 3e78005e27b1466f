//! How much too narrow intervals were, by the runs that were predicted before they were made.

use crate::atlas::analysis::Estimate;
use crate::atlas::{Outcome, Trial};

/// With fewer predicted runs nothing is said.
const FEWEST: usize = 8;
/// The share of runs that intervals of 90 % are to hold.
const LEVEL: f64 = 0.9;

/// By what the deviations of a benchmark have to be multiplied for nine in ten of its predictions to have come true; 1
/// where that many have, or too few runs were predicted.
pub(super) fn factor(trials: &[Trial], benchmark: &str) -> f64 {
    let miss = |trial: &Trial| {
        let Some(Outcome::Told(metrics)) = &trial.outcome else {
            return None;
        };
        let predicted = trial.predicted.get(benchmark)?;
        let miss = (metrics.get(benchmark)? - predicted.mean).abs() / predicted.deviation;
        miss.is_finite().then_some(miss)
    };
    let mut misses: Vec<f64> = trials.iter().filter_map(miss).collect();
    if misses.len() < FEWEST {
        return 1.0;
    }
    misses.sort_by(f64::total_cmp);
    let at = (LEVEL * misses.len() as f64).ceil() as usize - 1;
    (misses[at] / Estimate::HALF_OF_90).max(1.0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::atlas::Predicted;

    fn trial(predicted: Option<f64>, observed: f64) -> Trial {
        let predicted = predicted.map(|mean| {
            let deviation = 0.1;
            ("a".to_owned(), Predicted { mean, deviation })
        });
        Trial {
            number: 1,
            space: "joint".into(),
            point: vec![1.0],
            weights: vec![1.0],
            seed: 0,
            by: "ucb".into(),
            predicted: predicted.into_iter().collect(),
            outcome: Some(Outcome::Told(BTreeMap::from([("a".into(), observed)]))),
        }
    }

    #[test]
    fn intervals_are_widened_until_nine_in_ten_runs_lie_within() {
        // Ten misses of 0.0, 0.1 … 0.9, so that nine lie within 0.8, which is 8 deviations.
        let trials: Vec<Trial> = (0..10)
            .map(|i| trial(Some(0.0), 0.1 * f64::from(i)))
            .collect();
        let wide = factor(&trials, "a");
        assert!((wide - 8.0 / Estimate::HALF_OF_90).abs() < 1e-9, "{wide}");
        assert_eq!(factor(&trials, "b").to_bits(), 1.0_f64.to_bits());
    }

    #[test]
    fn right_intervals_and_too_few_runs_change_nothing() {
        let right: Vec<Trial> = (0..10).map(|_| trial(Some(0.0), 0.1)).collect();
        let few: Vec<Trial> = (0..7).map(|_| trial(Some(0.0), 1.0)).collect();
        let design: Vec<Trial> = (0..20).map(|_| trial(None, 1.0)).collect();
        for trials in [right, few, design] {
            assert_eq!(factor(&trials, "a").to_bits(), 1.0_f64.to_bits());
        }
    }
}
