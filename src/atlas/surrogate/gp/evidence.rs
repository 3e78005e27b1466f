//! Hyperparameters by their marginal likelihood, with weak priors that keep what the data don't say where it is usual.
//!
//! Priors are normal in the logarithm: lengths share a median of e (most of the simplex's size: no cell matters until
//! it is seen to), which is itself learnt, and differ from it by a factor of e^0.7; signal variance 1 within e^2; noise
//! variance e^−3 within e of that of the values; the skew is 0 ± 1. With 17 shares and 64 runs the likelihood alone
//! is flat, and its maximum overconfident.

use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;

use super::kernel::{each_column, matern, scaled, squared_distances};
use super::warp::skewed;
use super::{Hyperparameters, MEAN};
use crate::atlas::chance::Chance;
use crate::atlas::surrogate::lbfgs::{Point, minimise};
use crate::mix::kernel::Factor;

/// Means and standard deviations of the priors.
const OWN_LENGTH: (f64, f64) = (0.0, 0.7);
const LENGTH: (f64, f64) = (1.0, 1.0);
const SIGNAL: (f64, f64) = (0.0, 2.0);
const NOISE: (f64, f64) = (-3.0, 1.0);
const SKEW: (f64, f64) = (0.0, 1.0);

/// Hyperparameters beside the own lengths.
const SHARED: usize = 4;

/// Starts, the first of them at the priors' means; what is found from the best of them after a few iterations is refined.
const STARTS: u64 = 4;
const FEW: usize = 15;
const MANY: usize = 200;

/// Log variances beyond which nothing is sensible, and a line search has gone too far.
const FARTHEST: f64 = 40.0;

/// What hyperparameters are sought for.
pub(super) struct Evidence<'a> {
    /// Square roots of shares `[d, n]`.
    pub(super) coordinates: &'a DMatrix<f64>,
    /// Standard values `[n]`.
    pub(super) values: &'a [f64],
}

impl Evidence<'_> {
    /// The hyperparameters of the largest penalised likelihood; `None` when there is none anywhere.
    pub(super) fn maximise(&self, seed: u64) -> Option<Hyperparameters> {
        let variables = self.coordinates.nrows() + SHARED;
        let starts: Vec<Vec<f64>> = (0..STARTS)
            .map(|start| {
                let mut chance = Chance::of(seed, "start of hyperparameters", start);
                let spread = if start == 0 { 0.0 } else { 0.7 };
                (0..variables).map(|_| spread * chance.normal()).collect()
            })
            .collect();
        let few = |start| minimise(|x| self.evaluate(x), start, FEW);
        let found: Vec<Option<Point>> = starts.into_par_iter().map(few).collect();
        let best = found
            .into_iter()
            .flatten()
            .min_by(|a, b| a.value.total_cmp(&b.value))?;
        let refined = minimise(|x| self.evaluate(x), best.x, MANY)?;
        Some(self.hyperparameters(&refined.x))
    }

    /// What variables stand for: each is so many standard deviations of its prior from the mean.
    pub(super) fn hyperparameters(&self, x: &[f64]) -> Hyperparameters {
        let of = |x: f64, (mean, deviation): (f64, f64)| mean + deviation * x;
        let (own, shared) = x.split_at(self.coordinates.nrows());
        let length = of(shared[0], LENGTH);
        Hyperparameters {
            lengths: own
                .iter()
                .map(|x| (length + of(*x, OWN_LENGTH)).exp())
                .collect(),
            signal: of(shared[1], SIGNAL).exp(),
            noise: of(shared[2], NOISE).exp(),
            mean: MEAN,
            skew: of(shared[3], SKEW),
        }
    }

    /// The negative logarithm of likelihood × priors, up to a constant, and its gradient.
    pub(super) fn evaluate(&self, x: &[f64]) -> Option<(f64, Vec<f64>)> {
        let h = self.hyperparameters(x);
        let spread = |value: f64| value.ln().abs() < FARTHEST;
        let sensible = h.lengths.iter().all(|length| spread(*length))
            && spread(h.signal)
            && spread(h.noise)
            && h.skew.abs() < FARTHEST;
        if !sensible {
            return None;
        }
        let (d, n) = self.coordinates.shape();
        let points = scaled(self.coordinates.clone(), &h.lengths);
        let distances = squared_distances(&points, &points);
        let mut covariance = distances.clone();
        each_column(&mut covariance, &vec![(); n], |(values, ())| {
            for value in values {
                *value = h.signal * matern(*value).0 + MEAN;
            }
        });
        for i in 0..n {
            covariance[(i, i)] += h.noise;
        }
        let values: Vec<_> = self.values.iter().map(|z| skewed(*z, h.skew)).collect();
        let targets = DVector::from_iterator(n, values.iter().map(|value| value.value));
        let factor = Factor::new(covariance)?;
        let alpha = factor.solve(&targets);
        let mut log_slope = 0.0;
        let mut by_skew = 0.0;
        for (value, alpha) in values.iter().zip(&alpha) {
            log_slope += value.log_slope;
            by_skew += alpha * value.by_skew - value.log_slope_by_skew;
        }
        let mut value = 0.5 * (targets.dot(&alpha) + factor.log_determinant()) - log_slope;

        // dK/dθ enters as ½ tr(W dK/dθ), with W = K⁻¹ − ααᵀ.
        let mut pulls = factor.inverse();
        let diagonal = pulls.trace() - alpha.norm_squared();
        // tr(WK) is known, and of K only the part of the signal is sought.
        let whole = n as f64 - targets.dot(&alpha);
        let constant = pulls.sum() - alpha.sum().powi(2);
        let signal = whole - MEAN * constant - h.noise * diagonal;
        // W becomes what it pulls at the distances.
        let columns: Vec<_> = distances.column_iter().zip(&alpha).collect();
        each_column(&mut pulls, &columns, |(values, (distances, own))| {
            for ((value, distance), alpha) in values.iter_mut().zip(distances).zip(&alpha) {
                *value = (*value - alpha * *own) * h.signal * matern(*distance).1;
            }
        });
        let sums: Vec<f64> = pulls.column_iter().map(|column| column.sum()).collect();
        let moved = &points * &pulls;
        let mut gradient = vec![0.0; d + SHARED];
        for (i, sum) in sums.iter().enumerate() {
            let (own, moved) = (points.column(i), moved.column(i));
            for (gradient, (own, moved)) in gradient.iter_mut().zip(own.iter().zip(&moved)) {
                *gradient += own * (sum * own - moved);
            }
        }
        gradient[d] = gradient[..d].iter().sum::<f64>() * LENGTH.1;
        for gradient in &mut gradient[..d] {
            *gradient *= OWN_LENGTH.1;
        }
        gradient[d + 1] = 0.5 * signal * SIGNAL.1;
        gradient[d + 2] = 0.5 * diagonal * h.noise * NOISE.1;
        gradient[d + 3] = by_skew * SKEW.1;
        for (gradient, x) in gradient.iter_mut().zip(x) {
            *gradient += x;
            value += 0.5 * x * x;
        }
        Some((value, gradient))
    }
}
