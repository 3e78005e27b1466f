//! The Matérn 5/2 kernel in square-root coordinates.
//!
//! Mixtures with shares p lie on a sphere in the coordinates √p, where distances are those of Hellinger: a percent
//! matters more where there is little than where there is much. Every coordinate has a length of its own.

use nalgebra::DMatrix;
use rayon::prelude::*;

/// √5.
const ROOT: f64 = 2.236_067_977_499_79;

/// Numbers from which threads pay.
const WORTH_THREADS: usize = 1 << 14;

/// The square roots of shares `[d, n]`, a column for each point. Shares below 0, by rounding, are 0.
pub(super) fn roots<'a>(
    points: impl ExactSizeIterator<Item = &'a Vec<f64>>,
    d: usize,
) -> DMatrix<f64> {
    let n = points.len();
    let values = points.flat_map(|point| point.iter().map(|share| share.max(0.0).sqrt()));
    DMatrix::from_iterator(d, n, values)
}

/// Coordinates in units of their lengths.
pub(super) fn scaled(mut coordinates: DMatrix<f64>, lengths: &[f64]) -> DMatrix<f64> {
    for mut column in coordinates.column_iter_mut() {
        for (value, length) in column.iter_mut().zip(lengths) {
            *value /= length;
        }
    }
    coordinates
}

/// The squared distances `[n, m]` between the columns of `left` `[d, n]` and of `right` `[d, m]`.
pub(super) fn squared_distances(left: &DMatrix<f64>, right: &DMatrix<f64>) -> DMatrix<f64> {
    let squares = |matrix: &DMatrix<f64>| -> Vec<f64> {
        let columns = matrix.column_iter();
        columns.map(|column| column.norm_squared()).collect()
    };
    let (rows, columns) = (squares(left), squares(right));
    // Both are matrices of their own: of a view, nalgebra's product goes out of bounds.
    let mut product = left.transpose() * right;
    let fill = |(values, square): (&mut [f64], &f64)| {
        for (value, row) in values.iter_mut().zip(&rows) {
            *value = (row + square - 2.0 * *value).max(0.0);
        }
    };
    each_column(&mut product, &columns, fill);
    product
}

/// Turns squared distances into covariances of variance 1.
pub(super) fn covariances(distances: &mut DMatrix<f64>) {
    let columns = vec![(); distances.ncols()];
    each_column(distances, &columns, |(values, ())| {
        for value in values {
            *value = matern(*value).0;
        }
    });
}

/// The covariance at a squared distance q in units of lengths, and −2 times its derivative by q.
#[inline(always)]
pub(super) fn matern(squared: f64) -> (f64, f64) {
    let r = ROOT * squared.sqrt();
    let decay = (-r).exp();
    (
        (1.0 + r + 5.0 / 3.0 * squared) * decay,
        5.0 / 3.0 * (1.0 + r) * decay,
    )
}

/// Calls `fill` with every column of `matrix` and what belongs to it, on all threads when that pays.
pub(super) fn each_column<T: Sync>(
    matrix: &mut DMatrix<f64>,
    with: &[T],
    fill: impl Fn((&mut [f64], &T)) + Sync,
) {
    let rows = matrix.nrows().max(1);
    let columns = matrix.as_mut_slice();
    if columns.len() < WORTH_THREADS {
        columns.chunks_mut(rows).zip(with).for_each(&fill);
    } else {
        columns.par_chunks_mut(rows).zip(with).for_each(&fill);
    }
}
