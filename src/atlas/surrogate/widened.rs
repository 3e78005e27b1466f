//! A surrogate whose intervals were held against what came of the runs.

use super::{Observations, Posterior, Surrogate, SurrogateError};

/// Another surrogate with all of its deviations, that of noise among them, multiplied.
pub struct Widened {
    inner: Box<dyn Surrogate>,
    factor: f64,
}

impl Widened {
    /// `inner` with deviations times `factor`.
    pub fn new(inner: Box<dyn Surrogate>, factor: f64) -> Self {
        Self { inner, factor }
    }

    fn square(&self) -> f64 {
        self.factor * self.factor
    }
}

impl Surrogate for Widened {
    fn predict(&self, points: &[Vec<f64>]) -> (Vec<f64>, Vec<f64>) {
        let (means, variances) = self.inner.predict(points);
        let wide = variances
            .into_iter()
            .map(|variance| variance * self.square());
        (means, wide.collect())
    }

    fn posterior(&self, points: &[Vec<f64>]) -> Posterior {
        let Posterior { mean, covariance } = self.inner.posterior(points);
        Posterior {
            mean,
            covariance: covariance * self.square(),
        }
    }

    fn noise(&self) -> f64 {
        self.inner.noise() * self.square()
    }

    fn noise_at(&self, points: &[Vec<f64>]) -> Vec<f64> {
        let noise = self.inner.noise_at(points).into_iter();
        noise.map(|variance| variance * self.square()).collect()
    }

    fn with(&self, further: &Observations) -> Result<Box<dyn Surrogate>, SurrogateError> {
        Ok(Box::new(Self::new(self.inner.with(further)?, self.factor)))
    }

    fn gradient(&self, point: &[f64]) -> Option<(Vec<f64>, Vec<f64>)> {
        let (mean, variance) = self.inner.gradient(point)?;
        let wide = variance.into_iter().map(|slope| slope * self.square());
        Some((mean, wide.collect()))
    }
}
