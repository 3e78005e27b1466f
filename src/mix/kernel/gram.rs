//! Products of centroids with themselves: K between the domains, or `XᵀX` between the columns.
//!
//! Only the lower triangle is computed, a panel of columns at a time. Every panel is one unthreaded product of a fixed
//! shape, so the bits do not depend on how many threads share the panels. The views are read slice by slice: side by
//! side in one matrix they would be a second copy of what may be gigabytes.

use nalgebra::{DMatrix, DMatrixView, DMatrixViewMut};
use rayon::prelude::*;

/// Columns of a panel.
const PANEL: usize = 128;

/// Rows or columns of the views that are read at a time.
const SLICE: usize = 1024;

/// Multiplications from which threads pay; below, a caller's own threads are better used (a bootstrap solves thousands
/// of small systems side by side).
const WORTH_THREADS: usize = 1 << 24;

/// A view's centroids `[k, d]` and the factor that stands before them.
#[derive(Clone, Copy)]
pub(in crate::mix) struct Scaled<'a> {
    pub(in crate::mix) matrix: &'a DMatrix<f64>,
    pub(in crate::mix) factor: f64,
}

/// The lower triangle of `Σ_v X^[v] X^[v]ᵀ` `[k, k]`.
pub(super) fn between_domains(views: &[Scaled<'_>], k: usize) -> DMatrix<f64> {
    let mut product = DMatrix::zeros(k, k);
    for view in views {
        for (first, columns) in slices(view.matrix.ncols()) {
            let slice = view.matrix.columns(first, columns);
            let transposed = slice.transpose();
            add_product(&mut product, view.factor * view.factor, &slice, &transposed);
        }
    }
    product
}

/// The lower triangle of `XᵀX` `[Σ d_v, Σ d_v]`, where X is the views side by side.
pub(super) fn between_columns(views: &[Scaled<'_>], k: usize) -> DMatrix<f64> {
    let columns = views.iter().map(|view| view.matrix.ncols()).sum();
    let mut product = DMatrix::zeros(columns, columns);
    for (first, rows) in slices(k) {
        let mut slice = DMatrix::zeros(rows, columns);
        let mut start = 0;
        for view in views {
            let width = view.matrix.ncols();
            let part = view.matrix.rows(first, rows);
            let scale = |into: &mut f64, value: f64| *into = view.factor * value;
            slice.columns_mut(start, width).zip_apply(&part, scale);
            start += width;
        }
        let transposed = slice.transpose();
        add_product(&mut product, 1.0, &transposed.as_view(), &slice);
    }
    product
}

/// Adds the lower triangle of `factor · left · right`, which is symmetric, to `product`.
pub(super) fn add_product(
    product: &mut DMatrix<f64>,
    factor: f64,
    left: &DMatrixView<'_, f64>,
    right: &DMatrix<f64>,
) {
    let work = left.len() * right.ncols();
    each_panel(product, work, |first, mut panel| {
        let right = right.columns(first, panel.ncols());
        let left = left.rows_range(first..);
        panel
            .rows_range_mut(first..)
            .gemm(factor, &left, &right, 1.0);
    });
}

/// Calls `fill` with the first column and the columns of each panel of `matrix`; on all threads when `work`, a number of
/// multiplications, is worth it.
pub(super) fn each_panel(
    matrix: &mut DMatrix<f64>,
    work: usize,
    fill: impl Fn(usize, DMatrixViewMut<'_, f64>) + Sync,
) {
    let rows = matrix.nrows();
    let fill = |(panel, values): (usize, &mut [f64])| {
        let columns = values.len() / rows;
        fill(
            panel * PANEL,
            DMatrixViewMut::from_slice(values, rows, columns),
        );
    };
    let values = matrix.as_mut_slice();
    if work < WORTH_THREADS {
        values.chunks_mut(rows * PANEL).enumerate().for_each(fill);
    } else {
        values
            .par_chunks_mut(rows * PANEL)
            .enumerate()
            .for_each(fill);
    }
}

/// 0…n as (first, length).
fn slices(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n)
        .step_by(SLICE)
        .map(move |first| (first, SLICE.min(n - first)))
}
