//! Sums over some rows of a matrix, for many sets of rows at once.

use candle_core::{DType, Device, Result, Tensor};
use rayon::prelude::*;

use super::slices::{is_cpu_f32, with_slice};
use crate::vlm::device::transfer::upload;

/// Sets of rows.
#[derive(Clone, Debug)]
pub struct Segments {
    /// The rows of all sets one after the other.
    rows: Vec<u32>,
    /// Where each set begins in `rows`; one more entry than there are sets.
    starts: Vec<usize>,
    device: Device,
}

impl Segments {
    /// Sets of rows of matrices on `device`.
    ///
    /// # Errors
    /// When the upload fails.
    pub fn new(sets: &[Vec<u32>], device: &Device) -> Result<Self> {
        let mut starts = vec![0];
        starts.extend(sets.iter().scan(0, |end, set| {
            *end += set.len();
            Some(*end)
        }));
        Ok(Self {
            rows: sets.concat(),
            starts,
            device: device.clone(),
        })
    }

    /// The sum of each set's rows of `x`, `[n, d]`, in f32: `[sets, d]`. Rows are added in their order.
    ///
    /// # Errors
    /// When a row is not there, or a device operation fails.
    pub fn sums(&self, x: &Tensor) -> Result<Tensor> {
        let (n, d) = x.dims2()?;
        if let Some(row) = self.rows.iter().find(|&&row| row as usize >= n) {
            candle_core::bail!("row {row} of a matrix of {n} rows");
        }
        let sets = self.starts.len() - 1;
        if !is_cpu_f32(x) {
            return self.sums_with_candle(x, sets);
        }
        let mut sums = vec![0.0; sets * d];
        with_slice(&x.contiguous()?, |values| {
            let sets = sums.par_chunks_mut(d).zip(self.starts.par_windows(2));
            sets.for_each(|(sum, ends)| {
                for &row in &self.rows[ends[0]..ends[1]] {
                    let row = &values[row as usize * d..][..d];
                    sum.iter_mut()
                        .zip(row)
                        .for_each(|(sum, value)| *sum += value);
                }
            });
            Ok(())
        })?;
        Tensor::from_vec(sums, (sets, d), x.device())
    }

    /// A product with a matrix of zeros and ones.
    fn sums_with_candle(&self, x: &Tensor, sets: usize) -> Result<Tensor> {
        let n = x.dim(0)?;
        let mut members = vec![0.0_f32; sets * n];
        for (set, ends) in self.starts.windows(2).enumerate() {
            for &row in &self.rows[ends[0]..ends[1]] {
                members[set * n + row as usize] += 1.0;
            }
        }
        upload(members, (sets, n), &self.device)?.matmul(&x.to_dtype(DType::F32)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{values, worst};
    use super::*;

    #[test]
    fn sums_equal_a_product_with_zeros_and_ones() -> Result<()> {
        let x = values(&[50, 24], 1)?;
        let sets = [
            (0..50).collect(),
            vec![],
            vec![3, 4, 49],
            (10..31).rev().collect(),
        ];
        let segments = Segments::new(&sets, &Device::Cpu)?;
        let want = segments.sums_with_candle(&x, sets.len())?;
        let worst = worst(&segments.sums(&x)?, &want)?;
        assert!(worst < 1e-6, "{worst}");
        assert!(segments.sums(&x.narrow(0, 0, 49)?).is_err());
        Ok(())
    }
}
