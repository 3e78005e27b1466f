//! Gradient-boosted trees, the better of `RegMix`'s two regressions (arXiv 2407.01492), by the crate smartcore.
//!
//! Trees have no variance of their own. Members learn without a tenth of the runs each: what each is wrong by on the runs
//! that it has not seen is what a prediction is wrong by, and how they differ is how much of it more runs would mend (the
//! jackknife of deleted groups). Further runs shift the weights between members, as in a Kalman filter of an ensemble.

use std::sync::Arc;

use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::xgboost::{XGRegressor, XGRegressorParameters};

use super::{Fit, Observations, Posterior, Surrogate, SurrogateError};
use crate::atlas::chance::Chance;

/// Members; fewer where there are fewer runs.
const MEMBERS: usize = 10;

/// Runs that are needed.
const NEEDED: usize = 4;

/// Shallow trees and small steps, each on half of the runs: measured on the table of `RegMix`, see the tests.
const TREES: usize = 300;
const DEPTH: u16 = 4;
const STEP: f64 = 0.05;
const HALF: f64 = 0.5;
const LEAST_IN_LEAF: usize = 2;

type Member = XGRegressor<f64, f64, DenseMatrix<f64>, Vec<f64>>;

/// Learns [`BoostedTrees`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Trees;

impl Fit for Trees {
    fn fit(
        &self,
        observations: &Observations,
        seed: u64,
    ) -> Result<Box<dyn Surrogate>, SurrogateError> {
        Ok(Box::new(BoostedTrees::new(observations, seed)?))
    }
}

/// Members that learnt from different runs.
///
/// What is known is `f(x) = Σ_k f_k(x) / K + Σ_k (f_k(x) − mean) ξ_k`, with ξ normal.
pub struct BoostedTrees {
    members: Arc<Vec<Member>>,
    /// The mean of ξ `[K]`.
    mean: DVector<f64>,
    /// Its covariance `[K, K]`.
    covariance: DMatrix<f64>,
    /// The variance of a run's noise.
    noise: f64,
}

impl BoostedTrees {
    /// Of these runs.
    ///
    /// # Errors
    /// When there are fewer than four runs, or one is none.
    pub fn new(observations: &Observations, seed: u64) -> Result<Self, SurrogateError> {
        observations.check("trees", NEEDED)?;
        let n = observations.values.len();
        let count = MEMBERS.min(n);
        let mut order: Vec<usize> = (0..n).collect();
        Chance::of(seed, "groups of trees", 0).shuffle(&mut order);
        let groups = (0..count).into_par_iter().map(|group| {
            let of = |own: bool| {
                let runs = order.iter().enumerate();
                runs.filter(move |(i, _)| (i % count == group) == own)
                    .map(|(_, run)| *run)
                    .collect::<Vec<usize>>()
            };
            let seed = Chance::of(seed, "trees", group as u64).bits();
            let member = learn(observations, &of(false), seed)?;
            let unseen = of(true);
            let points: Vec<Vec<f64>> = unseen
                .iter()
                .map(|run| observations.points[*run].clone())
                .collect();
            let errors = predictions(&member, &points).into_iter().zip(unseen);
            let squares = errors.map(|(found, run)| (found - observations.values[run]).powi(2));
            Ok((member, squares.sum::<f64>()))
        });
        let groups: Vec<(Member, f64)> = groups.collect::<Result<_, SurrogateError>>()?;
        let squares: f64 = groups.iter().map(|(_, squares)| squares).sum();
        let members = groups.into_iter().map(|(member, _)| member).collect();
        let mut trees = Self {
            members: Arc::new(members),
            mean: DVector::zeros(count),
            covariance: DMatrix::identity(count, count) * ((count - 1) as f64 / count as f64),
            noise: 0.0,
        };
        let (means, variances) = trees.predict(&observations.points);
        // What the members disagree on is not noise.
        let total = squares / n as f64;
        let known = variances.iter().sum::<f64>() / n as f64;
        trees.noise = (total - known).max(0.1 * total);
        if trees.noise.is_finite() && means.iter().all(|mean| mean.is_finite()) {
            Ok(trees)
        } else {
            Err(SurrogateError::Covariance { runs: n })
        }
    }

    /// The mean of the members `[m]`, and how they differ from it `[K, m]`.
    fn members(&self, points: &[Vec<f64>]) -> (DVector<f64>, DMatrix<f64>) {
        let rows: Vec<Vec<f64>> = self
            .members
            .par_iter()
            .map(|member| predictions(member, points))
            .collect();
        let values = rows.into_iter().flatten();
        let mut members = DMatrix::from_row_iterator(self.members.len(), points.len(), values);
        let mean = members.row_mean().transpose();
        for (mut column, mean) in members.column_iter_mut().zip(&mean) {
            column.add_scalar_mut(-mean);
        }
        (mean, members)
    }
}

/// Trees of some of the runs.
fn learn(observations: &Observations, runs: &[usize], seed: u64) -> Result<Member, SurrogateError> {
    let points: Vec<Vec<f64>> = runs
        .iter()
        .map(|run| observations.points[*run].clone())
        .collect();
    let values: Vec<f64> = runs.iter().map(|run| observations.values[*run]).collect();
    let n = values.len() as f64;
    let parameters = XGRegressorParameters::default()
        .with_n_estimators(TREES)
        .with_max_depth(DEPTH)
        .with_learning_rate(STEP)
        .with_subsample(HALF)
        .with_min_child_weight(LEAST_IN_LEAF)
        .with_base_score(values.iter().map(|value| value / n).sum())
        .with_seed(seed);
    matrix(&points)
        .and_then(|points| XGRegressor::fit(&points, &values, parameters).ok())
        .ok_or(SurrogateError::Covariance { runs: runs.len() })
}

fn matrix(points: &[Vec<f64>]) -> Option<DenseMatrix<f64>> {
    let columns = points.first()?.len();
    let values = points.iter().flatten().copied().collect();
    DenseMatrix::new(points.len(), columns, values, false).ok()
}

/// Of one member; none for no points.
fn predictions(member: &Member, points: &[Vec<f64>]) -> Vec<f64> {
    matrix(points).map_or_else(Vec::new, |points| {
        member
            .predict(&points)
            .expect("points have the columns that it learnt from")
    })
}

impl Surrogate for BoostedTrees {
    fn predict(&self, points: &[Vec<f64>]) -> (Vec<f64>, Vec<f64>) {
        let (mean, members) = self.members(points);
        let spread = &self.covariance * &members;
        let columns = members.column_iter().zip(spread.column_iter());
        let variances = columns.map(|(members, spread)| members.dot(&spread).max(0.0));
        let variances = variances.collect();
        let mean = mean + members.tr_mul(&self.mean);
        (mean.as_slice().to_vec(), variances)
    }

    fn posterior(&self, points: &[Vec<f64>]) -> Posterior {
        let (mean, members) = self.members(points);
        Posterior {
            mean: mean + members.tr_mul(&self.mean),
            covariance: members.transpose() * (&self.covariance * &members),
        }
    }

    fn noise(&self) -> f64 {
        self.noise
    }

    fn with(&self, further: &Observations) -> Result<Box<dyn Surrogate>, SurrogateError> {
        let mut after = Self {
            members: Arc::clone(&self.members),
            mean: self.mean.clone(),
            covariance: self.covariance.clone(),
            noise: self.noise,
        };
        if !further.values.is_empty() {
            further.check("trees", 1)?;
            let (means, members) = self.members(&further.points);
            for (i, value) in further.values.iter().enumerate() {
                let member = members.column(i).clone_owned();
                let gain = &after.covariance * &member;
                let variance = member.dot(&gain) + self.noise;
                // All members agree, and nothing is uncertain.
                if variance > 0.0 {
                    let surprise = value - means[i] - member.dot(&after.mean);
                    after.mean += &gain * (surprise / variance);
                    after.covariance -= &gain * gain.transpose() / variance;
                }
            }
        }
        Ok(Box::new(after))
    }
}
