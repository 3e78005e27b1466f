//! Leverages: how much of its own target a domain's score takes up.

use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;

use super::gram::Scaled;
use super::{MixError, Product, System};

/// Domains whose leverage is taken at a time.
const CHUNK: usize = 256;

impl System<'_> {
    /// The diagonal of `K^[v] (K + λI)⁻¹` per view: how much of a domain's own target its score takes up.
    pub(in crate::mix) fn leverages(&self, lambda: f64) -> Result<Vec<DVector<f64>>, MixError> {
        let inverse = self.factor(lambda)?.inverse();
        let k = self.views.first().map_or(0, |view| view.matrix.nrows());
        let mut leverages = Vec::new();
        let mut start = 0;
        for view in &self.views {
            let of_chunk = |first: usize| match &self.product {
                Product::Domains(_) => between(view, &inverse, first),
                Product::Columns(_) => self.through(view, &inverse, start, first),
            };
            let firsts: Vec<usize> = (0..k).step_by(CHUNK).collect();
            let chunks: Vec<Vec<f64>> = if firsts.len() > 1 {
                firsts.into_par_iter().map(of_chunk).collect()
            } else {
                firsts.into_iter().map(of_chunk).collect()
            };
            leverages.push(DVector::from_vec(chunks.concat()));
            start += view.matrix.ncols();
        }
        if leverages.iter().flatten().all(|value| value.is_finite()) {
            Ok(leverages)
        } else {
            Err(MixError::Unsolvable { lambda })
        }
    }

    /// The diagonal of `X^[v] [(XᵀX + λI)⁻¹ Xᵀ]_v` for a chunk of domains; the view's columns start at `start`.
    fn through(
        &self,
        view: &Scaled<'_>,
        inverse: &DMatrix<f64>,
        start: usize,
        first: usize,
    ) -> Vec<f64> {
        let (k, columns) = view.matrix.shape();
        let rows = CHUNK.min(k - first);
        let mut fitted = DMatrix::zeros(rows, columns);
        let mut from = 0;
        for other in &self.views {
            let width = other.matrix.ncols();
            let part = inverse.view((from, start), (width, columns));
            fitted.gemm(other.factor, &other.matrix.rows(first, rows), &part, 1.0);
            from += width;
        }
        let own = view.matrix.rows(first, rows);
        let diagonal = fitted.component_mul(&own).column_sum() * view.factor;
        diagonal.data.into()
    }
}

/// The diagonal of `K^[v] (K + λI)⁻¹` for a chunk of domains.
fn between(view: &Scaled<'_>, inverse: &DMatrix<f64>, first: usize) -> Vec<f64> {
    let k = view.matrix.nrows();
    let rows = CHUNK.min(k - first);
    let own = view.matrix.rows(first, rows).transpose();
    let mut kernel = DMatrix::zeros(k, rows);
    let square = view.factor * view.factor;
    kernel.gemm(square, view.matrix, &own, 0.0);
    let columns = kernel.column_iter().zip(inverse.column_iter().skip(first));
    columns
        .map(|(kernel, inverse)| kernel.dot(&inverse))
        .collect()
}
