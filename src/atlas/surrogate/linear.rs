//! Linear regression on the shares, the baseline of `RegMix` (arXiv 2407.01492): ordinary least squares.
//!
//! Shares sum to 1, so one direction is never seen, and early in a search most are not; weights there are 0, as in the
//! solution of minimum norm. What a mixture has there is uncertain all the same: weights along it may be as large as those
//! that were found.

use nalgebra::{DMatrix, DVector};

use super::{Fit, Observations, Posterior, Surrogate, SurrogateError};

/// Singular values below this share of the largest are those of a direction that was not seen.
const RANK: f64 = 1e-10;

/// Learns a [`LinearRegression`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Linear;

impl Fit for Linear {
    fn fit(
        &self,
        observations: &Observations,
        _seed: u64,
    ) -> Result<Box<dyn Surrogate>, SurrogateError> {
        Ok(Box::new(LinearRegression::new(observations.clone(), None)?))
    }
}

/// Weights of shares, with what is known of them.
pub struct LinearRegression {
    observations: Observations,
    /// The mean of the shares `[d]` and of the values.
    center: DVector<f64>,
    mean: f64,
    /// The weights of shares `[d]`.
    weights: DVector<f64>,
    /// The directions that were seen `[d, r]`, of unit length, and the same over how much was seen of them.
    seen: DMatrix<f64>,
    precise: DMatrix<f64>,
    /// The variance of a run's noise.
    noise: f64,
    /// The variance of weights in a direction that was not seen.
    unseen: f64,
}

impl LinearRegression {
    /// Of these runs; with the noise from their residuals if it is not said.
    ///
    /// # Errors
    /// When there are fewer than two runs, or one is none.
    pub fn new(observations: Observations, noise: Option<f64>) -> Result<Self, SurrogateError> {
        observations.check("linear", 2)?;
        let (n, d) = (observations.values.len(), observations.points[0].len());
        let fault = SurrogateError::Covariance { runs: n };
        let mut points =
            DMatrix::from_row_iterator(n, d, observations.points.iter().flatten().copied());
        let center = points.row_mean().transpose();
        for mut row in points.row_iter_mut() {
            row -= center.transpose();
        }
        let mut values = DVector::from_column_slice(&observations.values);
        let mean = values.iter().map(|value| value / n as f64).sum::<f64>();
        values.add_scalar_mut(-mean);

        let svd = points.clone().svd(true, true);
        let (Some(left), Some(right)) = (&svd.u, &svd.v_t) else {
            return Err(fault);
        };
        let largest = svd.singular_values.max();
        let rank: Vec<usize> = (0..svd.singular_values.len())
            .filter(|i| svd.singular_values[*i] > RANK * largest)
            .collect();
        let seen = right.select_rows(&rank).transpose();
        let mut precise = seen.clone();
        let mut parts = left.select_columns(&rank).tr_mul(&values);
        for (i, line) in rank.iter().enumerate() {
            let inverse = svd.singular_values[*line].recip();
            precise.column_mut(i).scale_mut(inverse);
            parts[i] *= inverse;
        }
        let weights = &seen * parts;
        let residuals = (&values - &points * &weights).norm_squared();
        let found = match n.saturating_sub(1 + rank.len()) {
            // All runs are met, and nothing tells noise from what mixtures do: it may be all that is seen.
            0 => values.norm_squared() / (n - 1) as f64,
            freedom => residuals / freedom as f64,
        };
        let unseen = weights.norm_squared() / rank.len().max(1) as f64;
        if !(found.is_finite() && unseen.is_finite() && mean.is_finite()) {
            return Err(fault);
        }
        Ok(Self {
            observations,
            center,
            mean,
            weights,
            seen,
            precise,
            noise: noise.unwrap_or(found),
            unseen,
        })
    }

    /// The weights of shares `[d]`, of the least norm where the runs leave a choice.
    pub fn weights(&self) -> &[f64] {
        self.weights.as_slice()
    }

    /// How points differ from the center `[d, m]`.
    fn centred(&self, points: &[Vec<f64>]) -> DMatrix<f64> {
        let values = points.iter().flatten().copied();
        let mut matrix = DMatrix::from_iterator(self.center.len(), points.len(), values);
        for mut column in matrix.column_iter_mut() {
            column -= &self.center;
        }
        matrix
    }

    /// What points are where runs were seen, over how much was seen `[r, m]`, and where none were `[d, m]`.
    fn split(&self, centred: &DMatrix<f64>) -> (DMatrix<f64>, DMatrix<f64>) {
        let within = self.seen.transpose() * centred;
        let outside = centred - &self.seen * within;
        (self.precise.transpose() * centred, outside)
    }

    fn means(&self, centred: &DMatrix<f64>) -> DVector<f64> {
        centred.tr_mul(&self.weights).add_scalar(self.mean)
    }

    /// The variance of the mean at the center.
    fn central(&self) -> f64 {
        self.noise / self.observations.values.len() as f64
    }
}

impl Surrogate for LinearRegression {
    fn predict(&self, points: &[Vec<f64>]) -> (Vec<f64>, Vec<f64>) {
        let centred = self.centred(points);
        let (within, outside) = self.split(&centred);
        let columns = within.column_iter().zip(outside.column_iter());
        let variance = |(within, outside): (
            nalgebra::DVectorView<'_, f64>,
            nalgebra::DVectorView<'_, f64>,
        )| {
            self.central()
                + self.noise * within.norm_squared()
                + self.unseen * outside.norm_squared()
        };
        let variances = columns.map(variance).collect();
        (self.means(&centred).as_slice().to_vec(), variances)
    }

    fn posterior(&self, points: &[Vec<f64>]) -> Posterior {
        let centred = self.centred(points);
        let (within, outside) = self.split(&centred);
        let covariance = within.transpose() * &within * self.noise
            + outside.transpose() * &outside * self.unseen;
        Posterior {
            mean: self.means(&centred),
            covariance: covariance.add_scalar(self.central()),
        }
    }

    fn noise(&self) -> f64 {
        self.noise
    }

    fn with(&self, further: &Observations) -> Result<Box<dyn Surrogate>, SurrogateError> {
        let mut observations = self.observations.clone();
        observations.points.extend(further.points.iter().cloned());
        observations.values.extend(&further.values);
        Ok(Box::new(Self::new(observations, Some(self.noise))?))
    }

    fn gradient(&self, point: &[f64]) -> Option<(Vec<f64>, Vec<f64>)> {
        let centred = self.centred(&[point.to_vec()]);
        let (within, outside) = self.split(&centred);
        let by_variance = (&self.precise * within * self.noise + outside * self.unseen) * 2.0;
        Some((self.weights().to_vec(), by_variance.as_slice().to_vec()))
    }
}
