//! What is to be made large: benchmarks brought to one number, with what is not known of it.
//!
//! Every benchmark has a surrogate of its own; what they do not know is taken to be independent. A benchmark's unit is its
//! spread over the runs, turned so that more is better. The objective is the weighted mean of them, or the least of their
//! differences to today's mixture; the latter is no normal variable, and the mean and deviation given for it are those of
//! draws that are the same for every point.

use std::collections::BTreeMap;

use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;

use super::SearchError;
use super::normal::chance_above;
use super::unit::{Unit, moments};
use crate::atlas::Predicted;
use crate::atlas::chance::Chance;
use crate::atlas::space::Space;
use crate::atlas::surrogate::{Fit, Observations, Posterior, Surrogate, Widened};
use crate::config::{Benchmark, Combine};

/// Draws for the least of several benchmarks.
const DRAWS: usize = 256;
/// Points that are looked at together.
const CHUNK: usize = 64;

/// A finished run.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The point that was tried.
    pub point: Vec<f64>,
    /// What it gave.
    pub metrics: BTreeMap<String, f64>,
}

/// What is known of a value, its noise left out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Belief {
    /// The mean.
    pub mean: f64,
    /// The standard deviation.
    pub deviation: f64,
}

/// One benchmark at a point and at today's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// Its value at the point.
    pub value: Belief,
    /// Its value at today's point.
    pub today: Belief,
    /// The first less the second, of their joint distribution.
    pub difference: Belief,
}

/// What was learnt of all benchmarks, as one number: more is better.
pub struct Objective {
    parts: Vec<Part>,
    combine: Combine,
    today: Vec<f64>,
    /// The deviation of the objective over the runs.
    spread: f64,
    /// `[DRAWS][benchmarks]`, for the least of them.
    draws: Vec<Vec<f64>>,
}

struct Part {
    benchmark: Benchmark,
    surrogate: Box<dyn Surrogate>,
    unit: Unit,
}

impl Part {
    /// 1 over its unit, turned so that more is better.
    fn scale(&self) -> f64 {
        self.benchmark.goal.sign() / self.unit.spread
    }
}

impl Objective {
    /// Learns from runs. `units` are those of the benchmarks; those of the runs where there are none.
    ///
    /// # Errors
    /// When there is no benchmark, a run lacks one, or nothing can be learnt of one.
    pub fn fit(
        space: &Space,
        runs: &[Run],
        (benchmarks, units): (&[Benchmark], &[Unit]),
        combine: Combine,
        fit: &dyn Fit,
        seed: u64,
    ) -> Result<Self, SearchError> {
        if benchmarks.is_empty() {
            return Err(SearchError::NoBenchmark);
        }
        let parts = benchmarks
            .par_iter()
            .enumerate()
            .map(|(i, benchmark)| part(runs, (benchmark, units.get(i).copied()), fit, seed))
            .collect::<Vec<_>>()
            .into_iter()
            .collect::<Result<Vec<_>, _>>()?;
        let mut chance = Chance::of(seed, "least of benchmarks", 0);
        let mut draw = || (0..parts.len()).map(|_| chance.normal()).collect();
        let draws = match combine {
            Combine::Weighted => Vec::new(),
            Combine::Worst => (0..DRAWS).map(|_| draw()).collect(),
        };
        let mut objective = Self {
            parts,
            combine,
            today: space.today_point().to_vec(),
            spread: 1.0,
            draws,
        };
        objective.spread = Unit::of(&objective.observed(runs)).spread;
        Ok(objective)
    }

    /// The same with the deviations of each benchmark multiplied, where its intervals were found too narrow.
    #[must_use]
    pub fn widened(mut self, factors: &[f64]) -> Self {
        let parts = self.parts.into_iter().zip(factors);
        let parts = parts.map(|(part, factor)| Part {
            surrogate: Box::new(Widened::new(part.surrogate, *factor)),
            ..part
        });
        self.parts = parts.collect();
        self
    }

    /// What the runs gave, noise and all.
    pub fn observed(&self, runs: &[Run]) -> Vec<f64> {
        let today = self.at_today();
        let of = |run: &Run| {
            let values = self.parts.iter().zip(&today).map(|(part, today)| {
                let value = run.metrics.get(&part.benchmark.name).copied();
                let value = value.unwrap_or(f64::NAN);
                match self.combine {
                    Combine::Weighted => part.scale() * (value - part.unit.center),
                    Combine::Worst => part.scale() * (value - today.mean),
                }
            });
            match self.combine {
                Combine::Weighted => self.weights().zip(values).map(|(w, value)| w * value).sum(),
                Combine::Worst => values.fold(f64::INFINITY, f64::min),
            }
        };
        runs.iter().map(of).collect()
    }

    /// The deviation of the objective over the runs; 1 where they do not differ.
    pub fn spread(&self) -> f64 {
        self.spread
    }

    /// The benchmarks.
    pub fn benchmarks(&self) -> impl Iterator<Item = &Benchmark> {
        self.parts.iter().map(|part| &part.benchmark)
    }

    /// What was learnt of each benchmark, in the order of [`benchmarks`](Self::benchmarks).
    pub fn surrogates(&self) -> impl Iterator<Item = &dyn Surrogate> {
        self.parts.iter().map(|part| part.surrogate.as_ref())
    }

    fn weights(&self) -> impl Iterator<Item = f64> {
        let total: f64 = self.benchmarks().map(|benchmark| benchmark.weight).sum();
        self.benchmarks()
            .map(move |benchmark| benchmark.weight / total)
    }

    /// The benchmarks at today's point.
    pub fn at_today(&self) -> Vec<Belief> {
        let at = |part: &Part| belief(part.surrogate.predict(std::slice::from_ref(&self.today)));
        self.parts.iter().map(at).collect()
    }

    /// The objective at points. The same bits on any number of threads.
    pub fn beliefs(&self, points: &[Vec<f64>]) -> Vec<Belief> {
        points
            .par_chunks(CHUNK)
            .flat_map_iter(|points| match self.combine {
                Combine::Weighted => self.weighted(points),
                Combine::Worst => self.worst(points),
            })
            .collect()
    }

    fn weighted(&self, points: &[Vec<f64>]) -> Vec<Belief> {
        let mut beliefs = vec![Belief::default(); points.len()];
        for (part, weight) in self.parts.iter().zip(self.weights()) {
            let (means, variances) = part.surrogate.predict(points);
            let scale = weight * part.scale();
            for ((belief, mean), variance) in beliefs.iter_mut().zip(means).zip(variances) {
                belief.mean += scale * (mean - part.unit.center);
                belief.deviation += scale * scale * variance.max(0.0);
            }
        }
        for belief in &mut beliefs {
            belief.deviation = belief.deviation.sqrt();
        }
        beliefs
    }

    fn worst(&self, points: &[Vec<f64>]) -> Vec<Belief> {
        let mut with_today = vec![self.today.clone()];
        with_today.extend(points.iter().cloned());
        let posteriors: Vec<_> = self
            .parts
            .iter()
            .map(|part| (part.scale(), part.surrogate.posterior(&with_today)))
            .collect();
        let least = |i: usize| {
            let differences: Vec<Belief> = posteriors
                .iter()
                .map(|(scale, posterior)| {
                    let cov = &posterior.covariance;
                    let variance = cov[(i, i)] + cov[(0, 0)] - 2.0 * cov[(i, 0)];
                    Belief {
                        mean: scale * (posterior.mean[i] - posterior.mean[0]),
                        deviation: scale.abs() * variance.max(0.0).sqrt(),
                    }
                })
                .collect();
            let drawn: Vec<f64> = self
                .draws
                .iter()
                .map(|draw| {
                    let pairs = differences.iter().zip(draw);
                    pairs
                        .map(|(belief, z)| belief.mean + belief.deviation * z)
                        .fold(f64::INFINITY, f64::min)
                })
                .collect();
            drawn_belief(&drawn)
        };
        (1..with_today.len()).map(least).collect()
    }

    /// The weighted mean of the benchmarks at points, with covariances, also where the least of them is sought: that has
    /// none of its own.
    pub fn posterior(&self, points: &[Vec<f64>]) -> Posterior {
        let m = points.len();
        let mut all = Posterior {
            mean: DVector::zeros(m),
            covariance: DMatrix::zeros(m, m),
        };
        for (part, weight) in self.parts.iter().zip(self.weights()) {
            let scale = weight * part.scale();
            let Posterior { mean, covariance } = part.surrogate.posterior(points);
            all.mean += scale * mean.add_scalar(-part.unit.center);
            all.covariance += scale * scale * covariance;
        }
        all
    }

    /// What a run at a point is expected to give, by benchmark, its noise included.
    pub fn predicted(&self, point: &[f64]) -> BTreeMap<String, Predicted> {
        let at = |part: &Part| {
            let point = [point.to_vec()];
            let Belief { mean, deviation } = belief(part.surrogate.predict(&point));
            let noise: f64 = part.surrogate.noise_at(&point).iter().sum();
            let variance = deviation * deviation + noise.max(0.0);
            let deviation = variance.sqrt();
            (part.benchmark.name.clone(), Predicted { mean, deviation })
        };
        self.parts.iter().map(at).collect()
    }

    /// Every benchmark at a point and at today's.
    pub fn standings(&self, point: &[f64]) -> Vec<Standing> {
        let at = |part: &Part| {
            let posterior = part
                .surrogate
                .posterior(&[point.to_vec(), self.today.clone()]);
            let (mean, cov) = (&posterior.mean, &posterior.covariance);
            let belief = |mean: f64, variance: f64| Belief {
                mean,
                deviation: variance.max(0.0).sqrt(),
            };
            Standing {
                value: belief(mean[0], cov[(0, 0)]),
                today: belief(mean[1], cov[(1, 1)]),
                difference: belief(
                    mean[0] - mean[1],
                    cov[(0, 0)] + cov[(1, 1)] - 2.0 * cov[(0, 1)],
                ),
            }
        };
        self.parts.iter().map(at).collect()
    }

    /// What differences of the benchmarks to today's mixture come to: a gain of the weighted mean, or the least gain.
    pub fn gain(&self, differences: &[Belief]) -> Belief {
        let turned = self
            .parts
            .iter()
            .zip(differences)
            .map(|(part, difference)| {
                let scale = part.scale();
                Belief {
                    mean: scale * difference.mean,
                    deviation: scale.abs() * difference.deviation,
                }
            });
        match self.combine {
            Combine::Weighted => {
                let (mut mean, mut variance) = (0.0, 0.0);
                for (weight, belief) in self.weights().zip(turned) {
                    mean += weight * belief.mean;
                    variance += (weight * belief.deviation).powi(2);
                }
                let deviation = variance.sqrt();
                Belief { mean, deviation }
            }
            Combine::Worst => {
                let turned: Vec<Belief> = turned.collect();
                let least = |draw: &Vec<f64>| {
                    let pairs = turned.iter().zip(draw);
                    let drawn = pairs.map(|(belief, z)| belief.mean + belief.deviation * z);
                    drawn.fold(f64::INFINITY, f64::min)
                };
                drawn_belief(&self.draws.iter().map(least).collect::<Vec<_>>())
            }
        }
    }

    /// The chance that such differences are better than none: of the weighted mean, or of every benchmark.
    pub fn chance(&self, differences: &[Belief]) -> f64 {
        match self.combine {
            Combine::Weighted => {
                let Belief { mean, deviation } = self.gain(differences);
                chance_above(mean, deviation)
            }
            Combine::Worst => self
                .parts
                .iter()
                .zip(differences)
                .map(|(part, difference)| part.better(difference))
                .product(),
        }
    }

    /// The chance, by benchmark, that a difference is for the better.
    pub fn better(&self, differences: &[Belief]) -> Vec<f64> {
        let pairs = self.parts.iter().zip(differences);
        pairs
            .map(|(part, difference)| part.better(difference))
            .collect()
    }

    /// The same, with the points taken for seen, at what is expected of them: so that a batch does not pile up ("kriging
    /// believer"; with UCB this is GP-BUCB, Desautels, Krause and Burdick 2014).
    ///
    /// # Errors
    /// When a surrogate cannot take them.
    pub fn believing(&self, points: &[Vec<f64>]) -> Result<Self, SearchError> {
        let parts = self
            .parts
            .par_iter()
            .map(|part| {
                let seen = Observations {
                    points: points.to_vec(),
                    values: part.surrogate.predict(points).0,
                };
                let surrogate = part
                    .surrogate
                    .with(&seen)
                    .map_err(learning(&part.benchmark))?;
                Ok(Part {
                    benchmark: part.benchmark.clone(),
                    surrogate,
                    ..*part
                })
            })
            .collect::<Result<Vec<_>, SearchError>>()?;
        Ok(Self {
            parts,
            combine: self.combine,
            today: self.today.clone(),
            spread: self.spread,
            draws: self.draws.clone(),
        })
    }
}

impl Part {
    fn better(&self, difference: &Belief) -> f64 {
        let turned = self.scale().signum() * difference.mean;
        chance_above(turned, difference.deviation)
    }
}

fn learning(
    benchmark: &Benchmark,
) -> impl Fn(crate::atlas::surrogate::SurrogateError) -> SearchError {
    |source| SearchError::Surrogate {
        benchmark: benchmark.name.clone(),
        source,
    }
}

fn part(
    runs: &[Run],
    (benchmark, unit): (&Benchmark, Option<Unit>),
    fit: &dyn Fit,
    seed: u64,
) -> Result<Part, SearchError> {
    let value = |(i, run): (usize, &Run)| {
        let value = run.metrics.get(&benchmark.name).copied();
        value.ok_or_else(|| SearchError::NoMetric {
            run: i,
            benchmark: benchmark.name.clone(),
        })
    };
    let observations = Observations {
        points: runs.iter().map(|run| run.point.clone()).collect(),
        values: runs
            .iter()
            .enumerate()
            .map(value)
            .collect::<Result<_, _>>()?,
    };
    let unit = unit.unwrap_or_else(|| Unit::of(&observations.values));
    let surrogate = fit.fit(&observations, seed).map_err(learning(benchmark))?;
    Ok(Part {
        benchmark: benchmark.clone(),
        surrogate,
        unit,
    })
}

fn drawn_belief(values: &[f64]) -> Belief {
    let (mean, deviation) = moments(values);
    Belief { mean, deviation }
}

fn belief((means, variances): (Vec<f64>, Vec<f64>)) -> Belief {
    Belief {
        mean: means[0],
        deviation: variances[0].max(0.0).sqrt(),
    }
}
