//! The directions of K, and what δ has along them.

use nalgebra::DVector;

use super::{Product, System};
use crate::mix::SpectrumLine;

impl System<'_> {
    /// The directions of K whose eigenvalue is more than what rounding makes of 0, in descending order; none when the
    /// smaller product has more than `most` rows, because that would take minutes.
    pub(in crate::mix) fn spectrum(
        &self,
        delta: &DVector<f64>,
        lambda: f64,
        most: usize,
    ) -> Vec<SpectrumLine> {
        let (Product::Domains(product) | Product::Columns(product)) = &self.product;
        if product.nrows() > most {
            return Vec::new();
        }
        let mut whole = product.clone();
        whole.fill_upper_triangle_with_lower_triangle();
        let eigen = whole.symmetric_eigen();
        let floor = eigen.eigenvalues.amax() * f64::EPSILON * product.nrows() as f64;
        let along = match &self.product {
            Product::Domains(_) => eigen.eigenvectors.tr_mul(delta),
            Product::Columns(_) => eigen.eigenvectors.tr_mul(&self.project(delta)),
        };
        let line = |(&eigenvalue, along): (&f64, &f64)| {
            let squared = match &self.product {
                Product::Domains(_) => along * along,
                // To a unit eigenvector v of XᵀX belongs Xv/√σ of K.
                Product::Columns(_) => along * along / eigenvalue,
            };
            SpectrumLine {
                eigenvalue,
                filter: eigenvalue / (eigenvalue + lambda),
                delta: squared / delta.norm_squared(),
            }
        };
        let pairs = eigen.eigenvalues.iter().zip(along.iter());
        let mut lines: Vec<_> = pairs
            .filter(|(eigenvalue, _)| **eigenvalue > floor)
            .map(line)
            .collect();
        lines.sort_by(|a, b| b.eigenvalue.total_cmp(&a.eigenvalue));
        lines
    }
}
