//! A safe, strided f32 matrix product on the CPU, over the `gemm` crate that candle uses itself.
//!
//! candle's own `matmul` copies strided operands and cannot add into its destination; attention needs
//! the first, a linear layer with bias or residual the second.

/// A matrix that lies in `data` with any strides.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub data: &'a [f32],
    /// Distance from one row to the next, in elements.
    pub row_stride: usize,
    /// Distance from one column to the next, in elements.
    pub col_stride: usize,
}

/// `dst = alpha · lhs · rhs`, or `dst += …` where `accumulate` is set.
pub(crate) struct Gemm {
    /// Rows of `dst` and `lhs`.
    pub m: usize,
    /// Columns of `dst` and `rhs`.
    pub n: usize,
    /// Columns of `lhs`, rows of `rhs`.
    pub k: usize,
    pub alpha: f32,
    pub accumulate: bool,
    /// Whether the product itself runs on all cores; false inside a parallel loop.
    pub parallel: bool,
}

impl Gemm {
    /// Multiplies into `dst`, whose rows are contiguous and `dst_stride` elements apart.
    ///
    /// # Panics
    /// When a matrix reaches beyond its slice.
    pub(crate) fn run(&self, dst: &mut [f32], dst_stride: usize, lhs: View<'_>, rhs: View<'_>) {
        if self.m == 0 || self.n == 0 {
            return;
        }
        assert!(dst_stride >= self.n, "rows of the product overlap");
        assert!((self.m - 1) * dst_stride + self.n <= dst.len());
        assert!(lhs.holds(self.m, self.k), "left operand out of bounds");
        assert!(rhs.holds(self.k, self.n), "right operand out of bounds");
        let threads = if self.parallel {
            gemm::Parallelism::Rayon(0)
        } else {
            gemm::Parallelism::None
        };
        let beta = if self.accumulate { 1.0 } else { 0.0 };
        #[expect(
            unsafe_code,
            reason = "the crate takes raw pointers; the assertions above bound every access"
        )]
        unsafe {
            gemm::gemm(
                self.m,
                self.n,
                self.k,
                dst.as_mut_ptr(),
                1,
                dst_stride as isize,
                self.accumulate,
                lhs.data.as_ptr(),
                lhs.col_stride as isize,
                lhs.row_stride as isize,
                rhs.data.as_ptr(),
                rhs.col_stride as isize,
                rhs.row_stride as isize,
                beta,
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
    fn strided_product_with_accumulation_equals_the_sum_by_hand() {
        // lhs 2×3 by rows; rhs 3×2 stored transposed; dst rows 3 apart.
        let lhs = [1., 2., 3., 4., 5., 6.];
        let rhs_t = [1., 0., 2., 0., 1., 1.];
        let mut dst = vec![10.0; 5];
        Gemm {
            m: 2,
            n: 2,
            k: 3,
            alpha: 2.0,
            accumulate: true,
            parallel: false,
        }
        .run(
            &mut dst,
            3,
            View {
                data: &lhs,
                row_stride: 3,
                col_stride: 1,
            },
            View {
                data: &rhs_t,
                row_stride: 1,
                col_stride: 3,
            },
        );
        assert_eq!(dst, [24.0, 20.0, 10.0, 42.0, 32.0]);
    }

    #[test]
    #[should_panic(expected = "right operand out of bounds")]
    fn an_operand_that_is_too_short_is_refused() {
        let mut dst = [0.0; 4];
        let view = View {
            data: &[0.0; 4],
            row_stride: 2,
            col_stride: 1,
        };
        let short = View {
            data: &[0.0; 3],
            row_stride: 2,
            col_stride: 1,
        };
        Gemm {
            m: 2,
            n: 2,
            k: 2,
            alpha: 1.0,
            accumulate: false,
            parallel: false,
        }
        .run(&mut dst, 2, view, short);
    }
}
