//! The coupled least-squares problem behind MaD-Mix, and the softmax that makes weights of scores.
//!
//! With `X^[v]` the centroids of modality v `[k, d_v]`, `K^[v] = X^[v] X^[v]ᵀ` (raw: no centring, no scaling) and
//! `K = Σ_v K^[v]`, the dual variables are `α = (K + λI)⁻¹ δ` and the scores `S^[v] = K^[v] α` (arXiv 2602.07790).
//! With `X = [X^[1] … X^[V]]` side by side, `K = XXᵀ`: the primal `w = (XᵀX + λI)⁻¹ Xᵀδ` gives the same
//! `S^[v] = X^[v] w^[v]` for less work when X has fewer columns than rows.

mod cholesky;
mod gram;
mod leverage;
mod spectrum;

use nalgebra::{DMatrix, DVector};

pub(crate) use self::cholesky::Factor;
pub(super) use self::gram::Scaled;
use self::gram::{between_columns, between_domains};
use super::total::total;
use super::{Centroids, MixError, Scaling};

/// Views with the smaller of their two products, which serves every λ.
pub(super) struct System<'a> {
    views: Vec<Scaled<'a>>,
    product: Product,
}

enum Product {
    /// K `[k, k]`.
    Domains(DMatrix<f64>),
    /// `XᵀX` `[Σ d_v, Σ d_v]`.
    Columns(DMatrix<f64>),
}

/// The solution of the coupled problem.
pub(super) struct Coupled {
    /// `S^[v]` per view, `[k]` each.
    pub(super) scores: Vec<DVector<f64>>,
    /// The dual variables α `[k]`.
    pub(super) alpha: DVector<f64>,
}

impl<'a> System<'a> {
    /// The system of all modalities.
    pub(super) fn of_modalities(centroids: &'a Centroids, scaling: Scaling) -> Self {
        let views = centroids.modalities().values();
        Self::new(views.map(|view| &view.matrix), scaling)
    }

    /// The system of views `[k, d_v]` over the same domains.
    pub(super) fn new(views: impl IntoIterator<Item = &'a DMatrix<f64>>, scaling: Scaling) -> Self {
        let scaled = |matrix| Scaled {
            matrix,
            factor: factor(matrix, scaling),
        };
        Self::of(views.into_iter().map(scaled).collect())
    }

    /// The system of views with their factors.
    pub(super) fn of(views: Vec<Scaled<'a>>) -> Self {
        let k = views.first().map_or(0, |view| view.matrix.nrows());
        let columns: usize = views.iter().map(|view| view.matrix.ncols()).sum();
        let product = if columns < k {
            Product::Columns(between_columns(&views, k))
        } else {
            Product::Domains(between_domains(&views, k))
        };
        Self { views, product }
    }

    /// The scores and dual variables for δ `[k]`.
    pub(super) fn solve(&self, delta: &DVector<f64>, lambda: f64) -> Result<Coupled, MixError> {
        let factor = self.factor(lambda)?;
        let coupled = match &self.product {
            Product::Domains(_) => {
                let alpha = factor.solve(delta);
                let scores = self.views.iter().map(|view| {
                    view.matrix * view.matrix.tr_mul(&alpha) * (view.factor * view.factor)
                });
                Coupled {
                    scores: scores.collect(),
                    alpha,
                }
            }
            Product::Columns(_) => {
                let w = factor.solve(&self.project(delta));
                let mut start = 0;
                let scores = self.views.iter().map(|view| {
                    let part = w.rows(start, view.matrix.ncols());
                    start += view.matrix.ncols();
                    view.matrix * part * view.factor
                });
                let scores: Vec<DVector<f64>> = scores.collect();
                let fitted: DVector<f64> = scores.iter().sum();
                Coupled {
                    alpha: (delta - fitted) / lambda,
                    scores,
                }
            }
        };
        let lists = coupled.scores.iter().chain([&coupled.alpha]);
        if lists.flatten().all(|value| value.is_finite()) {
            Ok(coupled)
        } else {
            Err(MixError::Unsolvable { lambda })
        }
    }

    /// The Cholesky factor of the smaller product + λI.
    fn factor(&self, lambda: f64) -> Result<Factor, MixError> {
        let (Product::Domains(product) | Product::Columns(product)) = &self.product;
        let mut system = product.clone();
        for i in 0..system.nrows() {
            system[(i, i)] += lambda;
        }
        Factor::new(system).ok_or(MixError::Unsolvable { lambda })
    }

    /// Xᵀδ `[Σ d_v]`.
    fn project(&self, delta: &DVector<f64>) -> DVector<f64> {
        let mut parts = Vec::new();
        for view in &self.views {
            parts.extend_from_slice((view.matrix.tr_mul(delta) * view.factor).as_slice());
        }
        DVector::from_vec(parts)
    }
}

/// What stands before a view's centroids.
pub(super) fn factor(matrix: &DMatrix<f64>, scaling: Scaling) -> f64 {
    match scaling {
        Scaling::None => 1.0,
        // The trace of XXᵀ is the sum of all squares. A kernel of zeros stays one.
        Scaling::UnitTrace => match matrix.norm() {
            0.0 => 1.0,
            norm => norm.recip(),
        },
    }
}

/// exp(sᵢ/T) / Σ exp(sⱼ/T), without overflow.
pub(super) fn softmax(scores: &DVector<f64>, temperature: f64) -> Vec<f64> {
    softmax_over(scores, &vec![true; scores.len()], temperature)
}

/// The softmax over the domains that are present; exactly 0 elsewhere.
pub(super) fn softmax_over(scores: &DVector<f64>, present: &[bool], temperature: f64) -> Vec<f64> {
    let pairs = || scores.iter().zip(present);
    let there = pairs().filter(|(_, present)| **present);
    let largest = there
        .map(|(score, _)| *score)
        .fold(f64::NEG_INFINITY, f64::max);
    // The largest is taken off first: dividing alone could overflow.
    let power = |(score, present): (&f64, &bool)| match present {
        true => ((score - largest) / temperature).exp(),
        false => 0.0,
    };
    let powers: Vec<f64> = pairs().map(power).collect();
    let total = total(powers.iter().copied());
    powers.into_iter().map(|power| power / total).collect()
}

#[cfg(test)]
mod tests;
