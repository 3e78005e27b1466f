//! What is launched: each kernel's geometry and the order of its arguments, from shapes and addresses alone.

use candle_core::DType;

/// One launch of a kernel, as a driver takes it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Launch {
    /// The source file that the kernel is in.
    pub(super) source: Source,
    pub(super) kernel: &'static str,
    /// Blocks along x and y.
    pub(super) grid: [u32; 2],
    /// Threads of a block.
    pub(super) block: u32,
    pub(super) args: Vec<Arg>,
}

/// An argument of a kernel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Arg {
    /// An address on the device; 0 for an operand that is not there.
    Pointer(u64),
    U32(u32),
    F32(f32),
}

/// A file of kernels, which is a module on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Activation,
    Norm,
    Patches,
    Rotary,
    Segments,
}

/// A kernel in all its precisions and widths.
pub(super) struct Family {
    source: Source,
    /// bf16 by 16 bytes and one by one, f32 by 16 bytes and one by one.
    pub(super) names: [&'static str; 4],
}

macro_rules! families {
    ($($constant:ident = $source:ident, $name:literal;)*) => {
        $(
            const $constant: Family = Family {
                source: Source::$source,
                names: [
                    concat!($name, "_bf16x8"),
                    concat!($name, "_bf16"),
                    concat!($name, "_f32x4"),
                    concat!($name, "_f32"),
                ],
            };
        )*

        /// All of them; `sum_sets` is there in f32 alone.
        #[cfg(test)]
        pub(super) const FAMILIES: &[Family] = &[$($constant),*];
    };
}

families! {
    BIAS = Activation, "bias";
    GELU_TANH = Activation, "bias_gelu_tanh";
    GELU_ERF = Activation, "bias_gelu_erf";
    GELU_QUICK = Activation, "bias_gelu_quick";
    BIAS_RESIDUAL = Activation, "bias_residual";
    SWIGLU = Activation, "swiglu";
    RMS_NORM = Norm, "rms_norm";
    LAYER_NORM = Norm, "layer_norm";
    ROTATE = Rotary, "rotate";
    CUT_PATCHES = Patches, "cut_patches";
    SUM_CHUNKS = Segments, "sum_chunks";
    SUM_SETS = Segments, "sum_sets";
    MIX_ROWS = Segments, "mix_rows";
}

/// The most threads of a block where a row may be spread over several blocks.
const THREADS: usize = 256;

/// Rows that a thread goes through where it keeps something of its columns in registers.
const ROWS_PER_THREAD: usize = 4;

impl Family {
    /// The form for a precision, and how many values a thread treats at a time: more than one where all `widths` (in
    /// values) and `addresses` are multiples of 16 bytes.
    fn form(&self, dtype: DType, widths: &[usize], addresses: &[u64]) -> (&'static str, usize) {
        let (first, many) = if dtype == DType::BF16 { (0, 8) } else { (2, 4) };
        let wide = widths.iter().all(|width| width.is_multiple_of(many))
            && addresses.iter().all(|address| address.is_multiple_of(16));
        if wide {
            (self.names[first], many)
        } else {
            (self.names[first + 1], 1)
        }
    }
}

/// Blocks that a row of so many threads is spread over, and the threads of each.
fn spread(threads: usize) -> (u32, u32) {
    let blocks = threads.div_ceil(THREADS).max(1);
    let block = threads.div_ceil(blocks).next_multiple_of(32).max(32);
    (blocks as u32, block as u32)
}

fn u32s<const N: usize>(values: [usize; N]) -> impl Iterator<Item = Arg> {
    values.into_iter().map(|value| Arg::U32(value as u32))
}

fn pointers<const N: usize>(values: [u64; N]) -> impl Iterator<Item = Arg> {
    values.into_iter().map(Arg::Pointer)
}

/// `sum = x + bias + residual` and a norm of it, all `[rows, width]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Norm {
    pub(super) x: u64,
    /// `[width]`, or 0.
    pub(super) bias: u64,
    /// `[residual_rows, width]`, repeated; or 0.
    pub(super) residual: u64,
    pub(super) residual_rows: usize,
    pub(super) weight: u64,
    /// What is added to the normalised rows: `[width]`, or 0.
    pub(super) offset: u64,
    pub(super) eps: f32,
    /// 0 where the sum is not wanted.
    pub(super) sum: u64,
    pub(super) normed: u64,
    pub(super) rows: usize,
    pub(super) width: usize,
    pub(super) dtype: DType,
    /// Layer norm, else RMS norm.
    pub(super) layer: bool,
}

impl Norm {
    pub(super) fn launch(self) -> Launch {
        let family = if self.layer { LAYER_NORM } else { RMS_NORM };
        let addresses = [
            self.x,
            self.bias,
            self.residual,
            self.weight,
            self.offset,
            self.sum,
            self.normed,
        ];
        let (kernel, many) = family.form(self.dtype, &[self.width], &addresses);
        let mut args: Vec<Arg> = pointers([self.x, self.bias, self.residual]).collect();
        args.extend(u32s([self.residual_rows.max(1)]));
        args.extend(pointers([self.weight, self.offset]));
        args.push(Arg::F32(self.eps));
        args.extend(pointers([self.sum, self.normed]));
        args.extend(u32s([self.width]));
        // One thread for each access of a row, as far as a block goes.
        let block = self.width.div_ceil(many).next_multiple_of(32).min(1024);
        Launch {
            source: family.source,
            kernel,
            grid: [self.rows as u32, 1],
            block: block as u32,
            args,
        }
    }
}

/// What is made of a row and its bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pointwise {
    /// The sum alone.
    Plain,
    GeluTanh,
    GeluErf,
    GeluQuick,
    /// `silu(gate) · up` of `[gate | up]`.
    SwiGlu,
}

/// `out = f(x + bias)`, `[rows, width]`; for `SwiGlu` the width of `out`, half of that of `x` and `bias`.
#[derive(Clone, Copy, Debug)]
pub(super) struct BiasActivation {
    pub(super) function: Pointwise,
    pub(super) x: u64,
    /// 0 where there is none.
    pub(super) bias: u64,
    pub(super) out: u64,
    pub(super) rows: usize,
    pub(super) width: usize,
    pub(super) dtype: DType,
}

impl BiasActivation {
    pub(super) fn launch(self) -> Launch {
        let family = match self.function {
            Pointwise::Plain => BIAS,
            Pointwise::GeluTanh => GELU_TANH,
            Pointwise::GeluErf => GELU_ERF,
            Pointwise::GeluQuick => GELU_QUICK,
            Pointwise::SwiGlu => SWIGLU,
        };
        let addresses = [self.x, self.bias, self.out];
        let (kernel, many) = family.form(self.dtype, &[self.width], &addresses);
        let args = pointers(addresses).chain(u32s([self.rows, self.width]));
        by_columns(
            &family,
            kernel,
            self.rows,
            self.width.div_ceil(many),
            args.collect(),
        )
    }
}

/// `out = x + bias + residual`, `[rows, width]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct BiasResidual {
    pub(super) x: u64,
    /// 0 where there is none.
    pub(super) bias: u64,
    /// `[residual_rows, width]`, repeated.
    pub(super) residual: u64,
    pub(super) residual_rows: usize,
    pub(super) out: u64,
    pub(super) rows: usize,
    pub(super) width: usize,
    pub(super) dtype: DType,
}

impl BiasResidual {
    pub(super) fn launch(self) -> Launch {
        let addresses = [self.x, self.bias, self.residual, self.out];
        let (kernel, many) = BIAS_RESIDUAL.form(self.dtype, &[self.width], &addresses);
        let mut args: Vec<Arg> = pointers([self.x, self.bias, self.residual]).collect();
        args.extend(u32s([self.residual_rows]));
        args.extend(pointers([self.out]));
        args.extend(u32s([self.rows, self.width]));
        let threads = self.width.div_ceil(many);
        by_columns(&BIAS_RESIDUAL, kernel, self.rows, threads, args)
    }
}

/// Bias and rotation of `[rows, heads · 2 · half]`, of which the first `rotated` heads turn by `[rows, half]` angles.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rotate {
    pub(super) x: u64,
    /// 0 where there is none.
    pub(super) bias: u64,
    pub(super) cosines: u64,
    pub(super) sines: u64,
    pub(super) out: u64,
    pub(super) rows: usize,
    pub(super) heads: usize,
    pub(super) rotated: usize,
    pub(super) half: usize,
    pub(super) dtype: DType,
}

impl Rotate {
    pub(super) fn launch(self) -> Launch {
        let addresses = [self.x, self.bias, self.cosines, self.sines, self.out];
        let (kernel, many) = ROTATE.form(self.dtype, &[self.half], &addresses);
        let args =
            pointers(addresses).chain(u32s([self.rows, self.heads, self.rotated, self.half]));
        let threads = self.heads * self.half / many;
        by_columns(&ROTATE, kernel, self.rows, threads, args.collect())
    }
}

/// Patches `[rows, width]` of pictures in 8-bit levels.
#[derive(Clone, Copy, Debug)]
pub(super) struct CutPatches {
    pub(super) levels: u64,
    /// `[rows, depth, 4]`.
    pub(super) corners: u64,
    /// `[tables, 3, 256]`.
    pub(super) tables: u64,
    pub(super) out: u64,
    pub(super) rows: usize,
    pub(super) side: usize,
    pub(super) depth: usize,
    pub(super) width: usize,
    pub(super) dtype: DType,
}

impl CutPatches {
    pub(super) fn launch(self) -> Launch {
        let (kernel, many) = CUT_PATCHES.form(self.dtype, &[self.width], &[self.out]);
        let args = pointers([self.levels, self.corners, self.tables, self.out])
            .chain(u32s([self.rows, self.side, self.depth, self.width]));
        let threads = self.width.div_ceil(many);
        by_columns(&CUT_PATCHES, kernel, self.rows, threads, args.collect())
    }
}

/// The f32 sums `[sets, width]` of chosen rows of `x`.
#[derive(Clone, Copy, Debug)]
pub(super) struct SegmentSums {
    pub(super) x: u64,
    /// The rows of all chunks, one after the other.
    pub(super) members: u64,
    /// `[chunks + 1]`: where each chunk begins among them.
    pub(super) chunk_starts: u64,
    /// `[sets + 1]`: where each set begins among the chunks.
    pub(super) set_starts: u64,
    /// `[chunks, width]`, scratch.
    pub(super) partial: u64,
    pub(super) sums: u64,
    pub(super) chunks: usize,
    pub(super) sets: usize,
    pub(super) width: usize,
    pub(super) dtype: DType,
}

impl SegmentSums {
    pub(super) fn launches(self) -> Vec<Launch> {
        let (kernel, many) = SUM_CHUNKS.form(self.dtype, &[self.width], &[self.x, self.partial]);
        let (parts, block) = spread(self.width.div_ceil(many));
        let first = Launch {
            source: SUM_CHUNKS.source,
            kernel,
            grid: [self.chunks as u32, parts],
            block,
            args: pointers([self.x, self.members, self.chunk_starts, self.partial])
                .chain(u32s([self.width]))
                .collect(),
        };
        let (kernel, many) = SUM_SETS.form(DType::F32, &[self.width], &[self.partial, self.sums]);
        let (parts, block) = spread(self.width.div_ceil(many));
        let second = Launch {
            source: SUM_SETS.source,
            kernel,
            grid: [self.sets as u32, parts],
            block,
            args: pointers([self.partial, self.set_starts, self.sums])
                .chain(u32s([self.width]))
                .collect(),
        };
        vec![first, second]
    }
}

/// Rows `[rows, width]` mixed of `corners` rows of `x` each.
#[derive(Clone, Copy, Debug)]
pub(super) struct MixRows {
    pub(super) x: u64,
    /// `[rows, corners]`.
    pub(super) sources: u64,
    /// `[rows, corners]` in f32, or 0 where the first source is all.
    pub(super) shares: u64,
    pub(super) out: u64,
    pub(super) rows: usize,
    pub(super) corners: usize,
    pub(super) width: usize,
    pub(super) dtype: DType,
}

impl MixRows {
    pub(super) fn launch(self) -> Launch {
        let (kernel, many) = MIX_ROWS.form(self.dtype, &[self.width], &[self.x, self.out]);
        let args = pointers([self.x, self.sources, self.shares, self.out]).chain(u32s([
            self.rows,
            self.corners,
            self.width,
        ]));
        let threads = self.width.div_ceil(many);
        by_columns(&MIX_ROWS, kernel, self.rows, threads, args.collect())
    }
}

/// A launch whose threads have their columns, `threads` for a row, and go through several rows.
fn by_columns(
    family: &Family,
    kernel: &'static str,
    rows: usize,
    threads: usize,
    args: Vec<Arg>,
) -> Launch {
    let (parts, block) = spread(threads);
    Launch {
        source: family.source,
        kernel,
        grid: [rows.div_ceil(ROWS_PER_THREAD) as u32, parts],
        block,
        args,
    }
}
