//! What the tests of several parts share.

use nalgebra::{Cholesky, DMatrix, DVector};

use super::surrogate::{Fit, Observations, Posterior, Surrogate, SurrogateError};
use super::{Cell, CellDataset, Grid};

/// Two concepts, three tasks, four cells.
pub(crate) fn grid() -> Grid {
    let cell = |name: &str, concept, task, today, samples: &[(&str, u64)]| Cell {
        name: name.into(),
        concept,
        task,
        today,
        datasets: samples
            .iter()
            .map(|&(name, samples)| CellDataset {
                name: name.into(),
                samples,
                tokens: 10 * samples,
            })
            .collect(),
    };
    let names = |names: &[&str]| names.iter().map(|&name| name.into()).collect();
    Grid {
        concepts: names(&["chart", "photo"]),
        tasks: names(&["ocr", "caption", "vqa"]),
        cells: vec![
            cell("chart × ocr", 0, 0, 0.1, &[("a", 200)]),
            cell("chart × vqa", 0, 2, 0.2, &[("a", 100), ("b", 200)]),
            cell("photo × caption", 1, 1, 0.4, &[("b", 300)]),
            cell("photo × vqa", 1, 2, 0.3, &[("b", 200)]),
        ],
    }
}

/// A Gaussian process with fixed hyperparameters, plain enough to be trusted: the squared exponential kernel on roots of
/// shares, with noise.
pub(crate) struct PlainGp;

const LENGTH: f64 = 0.4;
const NOISE: f64 = 1e-4;

struct Learnt {
    seen: Observations,
    mean: f64,
    scale: f64,
    factor: Cholesky<f64, nalgebra::Dyn>,
    alpha: DVector<f64>,
}

fn kernel(a: &[f64], b: &[f64]) -> f64 {
    let squared: f64 = a
        .iter()
        .zip(b)
        .map(|(a, b)| (a.sqrt() - b.sqrt()).powi(2))
        .sum();
    (-0.5 * squared / (LENGTH * LENGTH)).exp()
}

fn learn(seen: Observations, mean: f64, scale: f64) -> Box<dyn Surrogate> {
    let n = seen.points.len();
    let gram = DMatrix::from_fn(n, n, |i, j| {
        kernel(&seen.points[i], &seen.points[j]) + if i == j { NOISE } else { 0.0 }
    });
    let factor = Cholesky::new(gram).unwrap();
    let centred = seen.values.iter().map(|value| (value - mean) / scale);
    let alpha = factor.solve(&DVector::from_iterator(n, centred));
    Box::new(Learnt {
        seen,
        mean,
        scale,
        factor,
        alpha,
    })
}

impl Fit for PlainGp {
    fn fit(&self, seen: &Observations, _: u64) -> Result<Box<dyn Surrogate>, SurrogateError> {
        let n = seen.values.len();
        if n < 3 {
            return Err(SurrogateError::TooFew {
                surrogate: "plain",
                needed: 3,
                found: n,
            });
        }
        let mean = seen.values.iter().sum::<f64>() / n as f64;
        let squares: f64 = seen.values.iter().map(|y| (y - mean).powi(2)).sum();
        let scale = (squares / n as f64).sqrt().max(1e-12);
        Ok(learn(seen.clone(), mean, scale))
    }
}

impl Surrogate for Learnt {
    fn predict(&self, points: &[Vec<f64>]) -> (Vec<f64>, Vec<f64>) {
        let Posterior { mean, covariance } = self.posterior(points);
        (
            mean.iter().copied().collect(),
            covariance.diagonal().iter().copied().collect(),
        )
    }

    fn posterior(&self, points: &[Vec<f64>]) -> Posterior {
        let m = points.len();
        let cross = DMatrix::from_fn(self.seen.points.len(), m, |i, j| {
            kernel(&self.seen.points[i], &points[j])
        });
        let own = DMatrix::from_fn(m, m, |i, j| kernel(&points[i], &points[j]));
        let mean = cross.transpose() * &self.alpha;
        let covariance = own - cross.transpose() * self.factor.solve(&cross);
        Posterior {
            mean: mean.map(|value| self.mean + self.scale * value),
            covariance: covariance * self.scale.powi(2),
        }
    }

    fn noise(&self) -> f64 {
        NOISE * self.scale.powi(2)
    }

    fn with(&self, further: &Observations) -> Result<Box<dyn Surrogate>, SurrogateError> {
        let mut seen = self.seen.clone();
        seen.points.extend(further.points.iter().cloned());
        seen.values.extend(&further.values);
        Ok(learn(seen, self.mean, self.scale))
    }
}
