//! What learns from finished runs what mixtures do.
//!
//! A point is what [a space](super) is searched in: shares, of one simplex or of several one after the other. A further
//! surrogate is one file that implements [`Fit`] and one line in [`SURROGATES`].

mod gp;
mod lbfgs;
mod linear;
mod trees;
mod widened;

pub use gp::{GaussianProcess, Gp, Hyperparameters};
pub use linear::{Linear, LinearRegression};
use nalgebra::{DMatrix, DVector};
pub use trees::{BoostedTrees, Trees};
pub use widened::Widened;

/// Why nothing can be learnt.
#[derive(Debug, thiserror::Error)]
pub enum SurrogateError {
    /// There are too few runs.
    #[error("{surrogate} needs at least {needed} finished runs, and there are {found}")]
    TooFew {
        /// What is to learn.
        surrogate: &'static str,
        /// How many runs it needs.
        needed: usize,
        /// How many there are.
        found: usize,
    },
    /// A number that is none, or points of different lengths.
    #[error("run {run}: {problem}")]
    Observation {
        /// Which of the observations, from 0.
        run: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// The covariance matrix has no Cholesky factor, whatever is added to its diagonal.
    #[error(
        "the covariance of {runs} runs cannot be factorised: are there values beyond all others?"
    )]
    Covariance {
        /// How many runs.
        runs: usize,
    },
}

/// Finished runs, of one benchmark.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observations {
    /// The mixtures that were tried, as points `[n][d]`: shares, not their roots.
    pub points: Vec<Vec<f64>>,
    /// What each gave `[n]`.
    pub values: Vec<f64>,
}

impl Observations {
    /// Refuses what nothing can be learnt from; `needed` is at least 1.
    fn check(&self, surrogate: &'static str, needed: usize) -> Result<(), SurrogateError> {
        let (found, points) = (self.values.len(), self.points.len());
        let fault = |run, problem| Err(SurrogateError::Observation { run, problem });
        if points != found {
            let problem = format!("there are {points} points for {found} values");
            return fault(points.min(found), problem);
        }
        let shares = self.points.first().map_or(0, Vec::len);
        for (run, (point, value)) in self.points.iter().zip(&self.values).enumerate() {
            if !value.is_finite() {
                return fault(run, format!("its value is {value}"));
            }
            if point.is_empty() || point.len() != shares {
                let problem = format!("it has {} shares, and the first run {shares}", point.len());
                return fault(run, problem);
            }
            // A share may have come below 0 by rounding.
            let sensible = |share: &f64| share.is_finite() && *share >= -1e-6;
            if let Some(share) = point.iter().find(|share| !sensible(share)) {
                return fault(run, format!("a share of it is {share}"));
            }
        }
        if found < needed {
            return Err(SurrogateError::TooFew {
                surrogate,
                needed,
                found,
            });
        }
        Ok(())
    }
}

/// What is known of the values at some points, without the noise of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Posterior {
    /// Their means `[m]`.
    pub mean: DVector<f64>,
    /// Their covariance `[m, m]`.
    pub covariance: DMatrix<f64>,
}

/// Learns from runs.
pub trait Fit: Sync {
    /// Learns, hyperparameters and all. The same observations and seed give the same bits, on any number of threads.
    ///
    /// # Errors
    /// When nothing can be learnt; see [`SurrogateError`].
    fn fit(
        &self,
        observations: &Observations,
        seed: u64,
    ) -> Result<Box<dyn Surrogate>, SurrogateError>;
}

/// What was learnt of one benchmark.
pub trait Surrogate: Send + Sync {
    /// Means `[m]` and variances `[m]` at points, without the noise of a run.
    fn predict(&self, points: &[Vec<f64>]) -> (Vec<f64>, Vec<f64>);

    /// Means and covariances at points, without the noise of a run. O(m²) memory.
    fn posterior(&self, points: &[Vec<f64>]) -> Posterior;

    /// The variance of a run's noise, on average over the runs that were seen.
    fn noise(&self) -> f64;

    /// The variances of the noise of runs at points `[m]`: with [`Surrogate::predict`]'s, what an interval for a run is
    /// made of.
    fn noise_at(&self, points: &[Vec<f64>]) -> Vec<f64> {
        vec![self.noise(); points.len()]
    }

    /// The same, once further runs are seen (or pretended to be); nothing else is learnt anew.
    ///
    /// # Errors
    /// As [`Fit::fit`].
    fn with(&self, further: &Observations) -> Result<Box<dyn Surrogate>, SurrogateError>;

    /// The derivatives of mean and variance at a point `[d]` each, where there are any.
    fn gradient(&self, point: &[f64]) -> Option<(Vec<f64>, Vec<f64>)> {
        let _ = point;
        None
    }
}

/// A surrogate and what it is called.
pub struct SurrogateEntry {
    /// The name in a config.
    pub name: &'static str,
    /// What it is, in a line.
    pub summary: &'static str,
    /// How it learns.
    pub fit: &'static dyn Fit,
}

/// Every surrogate, one line each.
pub const SURROGATES: &[SurrogateEntry] = &[
    SurrogateEntry {
        name: "gp",
        summary: "Gaussian process on the simplex",
        fit: &Gp,
    },
    SurrogateEntry {
        name: "linear",
        summary: "linear regression on the shares, as RegMix's",
        fit: &Linear,
    },
    SurrogateEntry {
        name: "trees",
        summary: "gradient-boosted trees on the shares, as RegMix's",
        fit: &Trees,
    },
];
