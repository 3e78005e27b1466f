//! The coupled least-squares problem behind MaD-Mix, and the softmax that makes weights of scores.
//!
//! With `X^[v]` the centroids of modality v `[k, d_v]`, `K^[v] = X^[v] X^[v]ᵀ` (raw: no centring, no scaling) and
//! `K = Σ_v K^[v]`, the dual variables are `α = (K + λI)⁻¹ δ` and the scores `S^[v] = K^[v] α` (arXiv 2602.07790).
//! With `X = [X^[1] … X^[V]]` side by side, `K = XXᵀ`: the primal `w = (XᵀX + λI)⁻¹ Xᵀδ` gives the same
//! `S^[v] = X^[v] w^[v]` for less work when X has fewer columns than rows.

use nalgebra::{Cholesky, DMatrix, DVector};

use super::MixError;

/// The solution of the coupled problem.
pub(super) struct Coupled {
    /// `S^[v]` per view, `[k]` each.
    pub(super) scores: Vec<DVector<f64>>,
    /// The dual variables α `[k]`.
    pub(super) alpha: DVector<f64>,
}

/// Solves for views `[k, d_v]` and δ `[k]`, by whichever of the two systems is smaller.
pub(super) fn couple(
    views: &[&DMatrix<f64>],
    delta: &DVector<f64>,
    lambda: f64,
) -> Result<Coupled, MixError> {
    let columns: usize = views.iter().map(|view| view.ncols()).sum();
    let coupled = if columns < delta.len() {
        primal(views, delta, lambda, columns)
    } else {
        dual(views, delta, lambda)
    };
    let finite = |coupled: &Coupled| {
        coupled
            .scores
            .iter()
            .chain([&coupled.alpha])
            .flat_map(|v| v.iter())
            .all(|value| value.is_finite())
    };
    coupled
        .filter(finite)
        .ok_or(MixError::Unsolvable { lambda })
}

fn dual(views: &[&DMatrix<f64>], delta: &DVector<f64>, lambda: f64) -> Option<Coupled> {
    let k = delta.len();
    let mut system = DMatrix::from_diagonal_element(k, k, lambda);
    for view in views {
        system += *view * view.transpose();
    }
    let alpha = Cholesky::new(system)?.solve(delta);
    let scores = views
        .iter()
        .map(|view| *view * view.tr_mul(&alpha))
        .collect();
    Some(Coupled { scores, alpha })
}

fn primal(
    views: &[&DMatrix<f64>],
    delta: &DVector<f64>,
    lambda: f64,
    columns: usize,
) -> Option<Coupled> {
    let mut x = DMatrix::zeros(delta.len(), columns);
    let mut start = 0;
    for view in views {
        x.columns_mut(start, view.ncols()).copy_from(view);
        start += view.ncols();
    }
    let system = x.tr_mul(&x) + DMatrix::from_diagonal_element(columns, columns, lambda);
    let w = Cholesky::new(system)?.solve(&x.tr_mul(delta));
    let mut start = 0;
    let score = |view: &&DMatrix<f64>| {
        let part = w.rows(start, view.ncols());
        start += view.ncols();
        *view * part
    };
    let scores: Vec<DVector<f64>> = views.iter().map(score).collect();
    let fitted: DVector<f64> = scores.iter().sum();
    Some(Coupled {
        alpha: (delta - fitted) / lambda,
        scores,
    })
}

/// exp(sᵢ) / Σ exp(sⱼ), without overflow.
pub(super) fn softmax(scores: &DVector<f64>) -> Vec<f64> {
    let largest = scores.max();
    let powers: Vec<f64> = scores.iter().map(|score| (score - largest).exp()).collect();
    let total: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / total).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primal_and_dual_agree() {
        let a = DMatrix::from_fn(7, 2, |i, j| ((3 * i + 5 * j) as f64).sin() * 4.0);
        let b = DMatrix::from_fn(7, 3, |i, j| ((2 * i + 7 * j) as f64).cos() * 9.0);
        let delta = DVector::from_fn(7, |i, _| 1.0 + f64::from(u8::from(i % 2 == 0)));
        for lambda in [0.1, 10.0, 1000.0] {
            let dual = dual(&[&a, &b], &delta, lambda).unwrap();
            let primal = primal(&[&a, &b], &delta, lambda, 5).unwrap();
            for (d, p) in dual.scores.iter().zip(&primal.scores) {
                assert!((d - p).amax() < 1e-11, "{d} {p}");
            }
            assert!((dual.alpha - primal.alpha).amax() < 1e-11);
        }
    }

    #[test]
    fn softmax_survives_scores_whose_powers_overflow() {
        let weights = softmax(&DVector::from_vec(vec![2000.0, 2000.0, -2000.0]));
        assert_eq!(weights, [0.5, 0.5, 0.0]);
    }

    #[test]
    fn a_kernel_that_overflows_is_an_error() {
        let x = DMatrix::from_element(3, 4, 1e200);
        let delta = DVector::from_element(3, 1.0);
        assert!(matches!(
            couple(&[&x], &delta, 10.0),
            Err(MixError::Unsolvable { .. })
        ));
    }
}
