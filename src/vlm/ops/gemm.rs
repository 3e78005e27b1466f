//! A safe, strided f32 matrix product on the CPU, over the `gemm` crate that candle uses itself.
//!
//! candle's own `matmul` copies strided operands and zeroes its result first.

use std::mem::MaybeUninit;

/// A matrix that lies in `data` with any strides.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub data: &'a [f32],
    /// Distance from one row to the next, in elements.
    pub row_stride: usize,
    /// Distance from one column to the next, in elements.
    pub col_stride: usize,
}

/// `alpha · lhs · rhs`.
pub(crate) struct Gemm {
    /// Rows of the product and of `lhs`.
    pub m: usize,
    /// Columns of the product and of `rhs`.
    pub n: usize,
    /// Columns of `lhs`, rows of `rhs`.
    pub k: usize,
    pub alpha: f32,
    /// Whether the product itself runs on all cores; false inside a parallel loop.
    pub parallel: bool,
}

impl Gemm {
    /// The product in a new vector, `[m, n]`. It is not zeroed first: for a layer's output that would
    /// take a pass over memory on one core.
    ///
    /// # Panics
    /// When an operand reaches beyond its slice, or there is nothing to sum over.
    pub(crate) fn product(&self, lhs: View<'_>, rhs: View<'_>) -> Vec<f32> {
        let mut out = Vec::with_capacity(self.m * self.n);
        self.write(out.spare_capacity_mut(), self.n, lhs, rhs);
        #[expect(
            unsafe_code,
            reason = "the rows are as far apart as they are long, so all of them were written"
        )]
        unsafe {
            out.set_len(self.m * self.n);
        }
        out
    }

    /// Multiplies into `dst`, whose rows are contiguous and `dst_stride` elements apart.
    ///
    /// # Panics
    /// When a matrix reaches beyond its slice, or there is nothing to sum over.
    pub(crate) fn run(&self, dst: &mut [f32], dst_stride: usize, lhs: View<'_>, rhs: View<'_>) {
        #[expect(
            unsafe_code,
            reason = "values are valid where uninitialised ones may be, and only values are written"
        )]
        let dst = unsafe { &mut *(std::ptr::from_mut(dst) as *mut [MaybeUninit<f32>]) };
        self.write(dst, dst_stride, lhs, rhs);
    }

    fn write(&self, dst: &mut [MaybeUninit<f32>], dst_stride: usize, lhs: View<'_>, rhs: View<'_>) {
        if self.m == 0 || self.n == 0 {
            return;
        }
        assert!(self.k > 0, "a product over nothing");
        assert!(dst_stride >= self.n, "rows of the product overlap");
        assert!((self.m - 1) * dst_stride + self.n <= dst.len());
        assert!(lhs.holds(self.m, self.k), "left operand out of bounds");
        assert!(rhs.holds(self.k, self.n), "right operand out of bounds");
        let threads = if self.parallel {
            gemm::Parallelism::Rayon(0)
        } else {
            gemm::Parallelism::None
        };
        #[expect(
            unsafe_code,
            reason = "the crate takes raw pointers; the assertions above bound every access, and \
                      the destination is only written"
        )]
        unsafe {
            gemm::gemm(
                self.m,
                self.n,
                self.k,
                dst.as_mut_ptr().cast::<f32>(),
                1,
                dst_stride as isize,
                false,
                lhs.data.as_ptr(),
                lhs.col_stride as isize,
                lhs.row_stride as isize,
                rhs.data.as_ptr(),
                rhs.col_stride as isize,
                rhs.row_stride as isize,
                0.0,
                self.alpha,
                false,
                false,
                false,
                threads,
            );
        }
    }
}

impl View<'_> {
    fn holds(&self, rows: usize, cols: usize) -> bool {
        rows == 0
            || cols == 0
            || (rows - 1) * self.row_stride + (cols - 1) * self.col_stride < self.data.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strided_products_equal_the_sums_by_hand() {
        // lhs 2×3 by rows; rhs 3×2 stored transposed; dst rows 3 apart.
        let lhs = View {
            data: &[1., 2., 3., 4., 5., 6.],
            row_stride: 3,
            col_stride: 1,
        };
        let rhs = View {
            data: &[1., 0., 2., 0., 1., 1.],
            row_stride: 1,
            col_stride: 3,
        };
        let gemm = Gemm {
            m: 2,
            n: 2,
            k: 3,
            alpha: 2.0,
            parallel: false,
        };
        let mut dst = vec![10.0; 5];
        gemm.run(&mut dst, 3, lhs, rhs);
        assert_eq!(dst, [14.0, 10.0, 10.0, 32.0, 22.0]);
        assert_eq!(gemm.product(lhs, rhs), [14.0, 10.0, 32.0, 22.0]);
    }

    #[test]
    #[should_panic(expected = "right operand out of bounds")]
    fn an_operand_that_is_too_short_is_refused() {
        let view = |data| View {
            data,
            row_stride: 2,
            col_stride: 1,
        };
        let gemm = Gemm {
            m: 2,
            n: 2,
            k: 2,
            alpha: 1.0,
            parallel: false,
        };
        gemm.product(view(&[0.0; 4]), view(&[0.0; 3]));
    }
}
