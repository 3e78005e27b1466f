//! Taking the samples' noise out of a replicate's kernel.
//!
//! The mean of n vectors is longer than what it estimates: E |ĉ|² = |c|² + tr Σ / n. A replicate, drawn from the same
//! samples, adds that once more. Left alone, every replicate lies off to one side of the truth, and intervals from them
//! miss it; so twice the noise is taken off the kernel's diagonal. What is then below zero along some direction was noise
//! there, and is nothing.

use nalgebra::{DMatrix, SymmetricEigen};

use crate::mix::View;

/// A view whose kernel is that of `matrix` `[k, d]` without `noise` (E |ĉᵢ − cᵢ|² for each domain) twice, as its own
/// `[k, k]` square root. All that a method looks at are products of centroids.
pub(super) fn without_noise(matrix: &DMatrix<f64>, present: Vec<bool>, noise: &[f64]) -> View {
    let who: Vec<usize> = (0..present.len()).filter(|&i| present[i]).collect();
    let rows = matrix.select_rows(&who);
    let mut kernel = &rows * rows.transpose();
    for (place, &i) in who.iter().enumerate() {
        kernel[(place, place)] -= 2.0 * noise[i];
    }
    let SymmetricEigen {
        eigenvalues,
        mut eigenvectors,
    } = SymmetricEigen::new(kernel);
    for (mut column, value) in eigenvectors.column_iter_mut().zip(eigenvalues.iter()) {
        column *= value.max(0.0).sqrt();
    }
    let mut root = DMatrix::zeros(present.len(), who.len());
    for (place, &i) in who.iter().enumerate() {
        root.row_mut(i).copy_from(&eigenvectors.row(place));
    }
    View {
        matrix: root,
        present,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_loses_twice_the_noise_and_stays_a_kernel() {
        let matrix = DMatrix::from_row_slice(3, 2, &[3.0, 1.0, 0.0, 0.0, 1.0, 2.0]);
        let present = vec![true, false, true];
        let view = without_noise(&matrix, present.clone(), &[0.5, 9.0, 0.25]);
        let kernel = &view.matrix * view.matrix.transpose();
        let expected =
            DMatrix::from_row_slice(3, 3, &[9.0, 0.0, 5.0, 0.0, 0.0, 0.0, 5.0, 0.0, 4.5]);
        assert!((kernel - expected).amax() < 1e-12);
        let view = without_noise(&matrix, present, &[50.0, 0.0, 50.0]);
        assert!(view.matrix.amax() < 1e-12, "all of it was noise");
    }
}
