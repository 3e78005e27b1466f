//! A Cholesky factor by blocks. nalgebra's own is column by column on one thread, which takes minutes for 10,000
//! domains; here all but the blocks on the diagonal is matrix products, shared by threads panel by panel. Every product
//! has a fixed shape, so the bits do not depend on the number of threads.

use std::ops::Range;

use nalgebra::{Cholesky, DMatrix, DMatrixViewMut, DVector};
use rayon::prelude::*;

use super::gram::each_panel;

/// Rows and columns of a block. Up to here a factor is nalgebra's own.
const BLOCK: usize = 128;

/// L of `A = LLᵀ` in the lower triangle, and Lᵀ in the upper one outside of the blocks on the diagonal.
pub(crate) struct Factor {
    both: DMatrix<f64>,
}

impl Factor {
    /// Factors the symmetric matrix whose lower triangle `matrix` holds; `None` when it is not positive definite.
    pub(crate) fn new(mut matrix: DMatrix<f64>) -> Option<Self> {
        let n = matrix.nrows();
        let mut start = 0;
        while start < n {
            let width = BLOCK.min(n - start);
            let end = start + width;
            let mut corner = matrix.view_mut((start, start), (width, width));
            let block = Cholesky::new(corner.clone_owned())?.unpack();
            corner.copy_from(&block);
            if end < n {
                // The rows below, transposed: each is solved for by itself.
                let mut below = matrix.view((end, start), (n - end, width)).transpose();
                let rows = below.as_mut_slice().par_chunks_mut(width * BLOCK);
                rows.for_each(|rows| {
                    let count = rows.len() / width;
                    let mut rows = DMatrixViewMut::from_slice(rows, width, count);
                    block.solve_lower_triangular_unchecked_mut(&mut rows);
                });
                let left = below.transpose();
                matrix
                    .view_mut((start, end), below.shape())
                    .copy_from(&below);
                matrix.view_mut((end, start), left.shape()).copy_from(&left);
                subtract(&mut matrix, end, &left, &below);
            }
            start = end;
        }
        Some(Self { both: matrix })
    }

    /// A⁻¹b.
    pub(crate) fn solve(&self, b: &DVector<f64>) -> DVector<f64> {
        let mut x = b.clone();
        self.both.solve_lower_triangular_unchecked_mut(&mut x);
        self.both.tr_solve_lower_triangular_unchecked_mut(&mut x);
        x
    }

    /// log det A.
    pub(crate) fn log_determinant(&self) -> f64 {
        2.0 * self.both.diagonal().iter().map(|x| x.ln()).sum::<f64>()
    }

    /// L⁻¹B, for `right` B `[n, m]`.
    pub(crate) fn solve_lower(&self, mut right: DMatrix<f64>) -> DMatrix<f64> {
        let n = self.both.nrows();
        let work = n * right.len();
        each_panel(&mut right, work, |_, mut panel| self.forward(&mut panel));
        right
    }

    /// A⁻¹.
    pub(crate) fn inverse(&self) -> DMatrix<f64> {
        let n = self.both.nrows();
        let mut inverse = DMatrix::identity(n, n);
        each_panel(&mut inverse, n * n * n, |_, mut panel| {
            self.forward(&mut panel);
            self.backward(&mut panel);
        });
        inverse
    }

    /// Turns B into L⁻¹B.
    fn forward(&self, panel: &mut DMatrixViewMut<'_, f64>) {
        for rows in self.blocks() {
            let (above, mut own) = panel.rows_range_pair_mut(..rows.start, rows.clone());
            let left = self.both.view_range(rows.clone(), ..rows.start);
            own.gemm(-1.0, &left, &above, 1.0);
            let corner = self.both.view_range(rows.clone(), rows);
            corner.solve_lower_triangular_unchecked_mut(&mut own);
        }
    }

    /// Turns B into L⁻ᵀB.
    fn backward(&self, panel: &mut DMatrixViewMut<'_, f64>) {
        for rows in self.blocks().rev() {
            let (mut own, under) = panel.rows_range_pair_mut(rows.clone(), rows.end..);
            let left = self.both.view_range(rows.clone(), rows.end..);
            own.gemm(-1.0, &left, &under, 1.0);
            let corner = self.both.view_range(rows.clone(), rows);
            corner.tr_solve_lower_triangular_unchecked_mut(&mut own);
        }
    }

    fn blocks(&self) -> impl DoubleEndedIterator<Item = Range<usize>> {
        let n = self.both.nrows();
        (0..n)
            .step_by(BLOCK)
            .map(move |start| start..(start + BLOCK).min(n))
    }
}

/// Takes the lower triangle of `left · right`, which is symmetric, from the lower right corner of `matrix` that starts
/// at `end`.
fn subtract(matrix: &mut DMatrix<f64>, end: usize, left: &DMatrix<f64>, right: &DMatrix<f64>) {
    let n = matrix.nrows();
    let panels = matrix.as_mut_slice()[end * n..].par_chunks_mut(n * BLOCK);
    panels.enumerate().for_each(|(panel, values)| {
        let first = panel * BLOCK;
        let columns = values.len() / n;
        let mut values = DMatrixViewMut::from_slice(values, n, columns);
        values.rows_range_mut(end + first..).gemm(
            -1.0,
            &left.rows_range(first..),
            &right.columns(first, columns),
            1.0,
        );
    });
}
