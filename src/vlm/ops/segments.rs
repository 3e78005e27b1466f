//! Sums over some rows of a matrix, for many sets of rows at once.

use candle_core::{DType, Device, Result, Tensor};
use rayon::prelude::*;

use super::slices::{is_cpu_f32, with_slice};
use crate::vlm::device::transfer::upload;
use crate::vlm::kernels::{self, Chunks};
use crate::vlm::profile::section;

/// Rows of a chunk: few enough that a long set is summed by many blocks, many enough that their sums are a small part
/// of what is read.
const CHUNK: usize = 32;

/// Sets of rows.
#[derive(Clone, Debug)]
pub struct Segments {
    /// The rows of all sets one after the other.
    rows: Vec<u32>,
    /// Where each set begins in `rows`; one more entry than there are sets.
    starts: Vec<usize>,
    /// One more than the largest row.
    rows_needed: usize,
    /// The same, where kernels read it.
    chunks: Option<Chunks>,
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
        let rows = sets.concat();
        Ok(Self {
            rows_needed: rows.iter().max().map_or(0, |&row| row as usize + 1),
            chunks: kernels::run_on(device)
                .then(|| chunks(sets, rows.clone(), device))
                .transpose()?,
            rows,
            starts,
            device: device.clone(),
        })
    }

    /// The sum of each set's rows of `x`, `[n, d]`, in f32: `[sets, d]`. Rows are added in their order.
    ///
    /// # Errors
    /// When a row is not there, or a device operation fails.
    pub fn sums(&self, x: &Tensor) -> Result<Tensor> {
        let n = x.dim(0)?;
        if self.rows_needed > n {
            candle_core::bail!("row {} of a matrix of {n} rows", self.rows_needed - 1);
        }
        section("pool", || match &self.chunks {
            Some(chunks) if kernels::apply_to(x) => kernels::segment_sums(x, chunks),
            _ if is_cpu_f32(x) => self.sums_on_host(x),
            _ => self.sums_with_candle(x),
        })
    }

    fn sums_on_host(&self, x: &Tensor) -> Result<Tensor> {
        let (_, d) = x.dims2()?;
        let sets = self.starts.len() - 1;
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
    fn sums_with_candle(&self, x: &Tensor) -> Result<Tensor> {
        let (n, sets) = (x.dim(0)?, self.starts.len() - 1);
        let mut members = vec![0.0_f32; sets * n];
        for (set, ends) in self.starts.windows(2).enumerate() {
            for &row in &self.rows[ends[0]..ends[1]] {
                members[set * n + row as usize] += 1.0;
            }
        }
        upload(members, (sets, n), &self.device)?.matmul(&x.to_dtype(DType::F32)?)
    }
}

/// The sets cut into chunks, on their device.
fn chunks(sets: &[Vec<u32>], mut members: Vec<u32>, device: &Device) -> Result<Chunks> {
    let (mut chunk_starts, mut set_starts) = (vec![0_u32], vec![0_u32]);
    let mut end = 0;
    for set in sets {
        for chunk in set.chunks(CHUNK) {
            end += chunk.len() as u32;
            chunk_starts.push(end);
        }
        set_starts.push(chunk_starts.len() as u32 - 1);
    }
    // A device has no tensors of nothing.
    if members.is_empty() {
        members.push(0);
    }
    let list = |values: Vec<u32>| {
        let count = values.len();
        upload(values, count, device)
    };
    Ok(Chunks {
        members: list(members)?,
        chunk_starts: list(chunk_starts)?,
        set_starts: list(set_starts)?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::kernels::emulation;
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
        let want = segments.sums_with_candle(&x)?;
        let worst = worst(&segments.sums(&x)?, &want)?;
        assert!(worst < 1e-6, "{worst}");
        assert!(segments.sums(&x.narrow(0, 0, 49)?).is_err());
        Ok(())
    }

    #[test]
    fn the_kernels_sum_sets_of_any_length() -> Result<()> {
        let device = Device::Cpu;
        for width in [16, 9, 2056] {
            let x = values(&[200, width], 2)?;
            let sets = [
                vec![],
                (0..200).collect(),
                vec![199],
                (3..36).rev().collect(),
                (0..32).collect(),
                vec![],
            ];
            let want = Segments::new(&sets, &device)?.sums(&x)?;
            emulation::with(|| {
                let segments = Segments::new(&sets, &device)?;
                let found = worst(&segments.sums(&x)?, &want)?;
                assert!(found < 1e-6, "f32, {width}: {found}");
                let half = x.to_dtype(DType::BF16)?;
                let of_half = Segments::sums_on_host(&segments, &half.to_dtype(DType::F32)?)?;
                let found = worst(&segments.sums(&half)?, &of_half)?;
                assert!(found < 1e-6, "bf16, {width}: {found}");
                let nothing = Segments::new(&[vec![], vec![]], &device)?.sums(&x)?;
                assert!(nothing.abs()?.max_all()?.to_scalar::<f32>()? == 0.0);
                Ok(())
            })?;
        }
        Ok(())
    }
}
