//! The kernels as functions of tensors. Operands are checked here: a kernel cannot.

use candle_core::{DType, Device, Result, Tensor, bail};

use super::launch::{
    BiasActivation, BiasResidual, CutPatches, Launch, MixRows, Norm, Pointwise, Rotate, SegmentSums,
};
use super::run;

/// One tensor made as [`run`] makes several.
fn run_for_one(
    device: &Device,
    inputs: &[Option<&Tensor>],
    output: (&[usize], DType),
    launch: impl FnOnce(&[u64], u64) -> Launch,
) -> Result<Tensor> {
    let [made] = take(run(device, inputs, &[output], |inputs, outputs| {
        vec![launch(inputs, outputs[0])]
    })?)?;
    Ok(made)
}

fn take<const N: usize>(tensors: Vec<Tensor>) -> Result<[Tensor; N]> {
    let count = tensors.len();
    tensors
        .try_into()
        .map_err(|_| candle_core::Error::Msg(format!("{count} tensors instead of {N}")))
}

/// Refuses operands that a kernel would read beyond their ends or in another precision.
fn check(what: &str, tensor: Option<&Tensor>, shape: &[usize], dtype: DType) -> Result<()> {
    match tensor {
        Some(tensor) if tensor.dims() != shape || tensor.dtype() != dtype => bail!(
            "{what} is {:?} of {:?} instead of {shape:?} of {dtype:?}",
            tensor.shape(),
            tensor.dtype()
        ),
        _ => Ok(()),
    }
}

/// The rows of a residual that is repeated over `rows` rows.
fn residual_rows(residual: &Tensor, rows: usize, width: usize, dtype: DType) -> Result<usize> {
    let own = residual.dim(0)?;
    check("the residual", Some(residual), &[own, width], dtype)?;
    if own == 0 || !rows.is_multiple_of(own) {
        bail!("a residual of {own} rows for {rows}");
    }
    Ok(own)
}

/// A norm over the last dimension.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NormOperands<'a> {
    pub(crate) weight: &'a Tensor,
    pub(crate) bias: Option<&'a Tensor>,
    pub(crate) eps: f64,
    /// Layer norm, else RMS norm.
    pub(crate) layer: bool,
}

impl NormOperands<'_> {
    fn launch_over(
        &self,
        x: &Tensor,
        bias: Option<&Tensor>,
        residual: Option<&Tensor>,
    ) -> Result<Vec<Tensor>> {
        let (rows, width) = x.dims2()?;
        let dtype = x.dtype();
        check("the bias", bias, &[width], dtype)?;
        check("the norm's weight", Some(self.weight), &[width], dtype)?;
        check("the norm's bias", self.bias, &[width], dtype)?;
        let residual_rows = residual
            .map(|residual| residual_rows(residual, rows, width, dtype))
            .transpose()?;
        let changes = bias.is_some() || residual.is_some();
        let shape = [rows, width];
        let outputs = [(&shape[..], dtype); 2];
        let inputs = [Some(x), bias, residual, Some(self.weight), self.bias];
        let outputs = if changes { &outputs[..] } else { &outputs[1..] };
        run(x.device(), &inputs, outputs, |inputs, outputs| {
            let norm = Norm {
                x: inputs[0],
                bias: inputs[1],
                residual: inputs[2],
                residual_rows: residual_rows.unwrap_or(1),
                weight: inputs[3],
                offset: inputs[4],
                eps: self.eps as f32,
                sum: if changes { outputs[0] } else { 0 },
                normed: outputs[outputs.len() - 1],
                rows,
                width,
                dtype,
                layer: self.layer,
            };
            vec![norm.launch()]
        })
    }

    /// The norm of `x`, `[n, d]`.
    pub(crate) fn of(&self, x: &Tensor) -> Result<Tensor> {
        let [normed] = take(self.launch_over(&x.contiguous()?, None, None)?)?;
        Ok(normed)
    }

    /// `x + bias + residual`, and its norm. A residual of fewer rows is repeated.
    pub(crate) fn of_sum(
        &self,
        x: &Tensor,
        bias: Option<&Tensor>,
        residual: &Tensor,
    ) -> Result<[Tensor; 2]> {
        take(self.launch_over(x, bias, Some(residual))?)
    }
}

/// `f(x + bias)`; for [`Pointwise::SwiGlu`] half as wide as `x`.
pub(crate) fn bias_activation(
    x: &Tensor,
    bias: Option<&Tensor>,
    function: Pointwise,
) -> Result<Tensor> {
    let (rows, of_x) = x.dims2()?;
    check("the bias", bias, &[of_x], x.dtype())?;
    let width = match function {
        Pointwise::SwiGlu if of_x % 2 == 1 => bail!("a gate and its values in rows of {of_x}"),
        Pointwise::SwiGlu => of_x / 2,
        _ => of_x,
    };
    let dtype = x.dtype();
    run_for_one(
        x.device(),
        &[Some(x), bias],
        (&[rows, width], dtype),
        |inputs, out| {
            BiasActivation {
                function,
                x: inputs[0],
                bias: inputs[1],
                out,
                rows,
                width,
                dtype,
            }
            .launch()
        },
    )
}

/// `x + bias + residual`. A residual of fewer rows is repeated.
pub(crate) fn bias_residual(
    x: &Tensor,
    bias: Option<&Tensor>,
    residual: &Tensor,
) -> Result<Tensor> {
    let (rows, width) = x.dims2()?;
    let dtype = x.dtype();
    check("the bias", bias, &[width], dtype)?;
    let residual_rows = residual_rows(residual, rows, width, dtype)?;
    let inputs = [Some(x), bias, Some(residual)];
    run_for_one(
        x.device(),
        &inputs,
        (&[rows, width], dtype),
        |inputs, out| {
            BiasResidual {
                x: inputs[0],
                bias: inputs[1],
                residual: inputs[2],
                residual_rows,
                out,
                rows,
                width,
                dtype,
            }
            .launch()
        },
    )
}

/// `x + bias` of `heads` heads side by side, the first `rotated` of them turned by f32 angles `[n, head_dim / 2]`.
pub(crate) fn rotate(
    x: &Tensor,
    bias: Option<&Tensor>,
    [cosines, sines]: [&Tensor; 2],
    heads: usize,
    rotated: usize,
) -> Result<Tensor> {
    let (rows, width) = x.dims2()?;
    let half = width / (2 * heads);
    if half * 2 * heads != width || rotated > heads {
        bail!("{rotated} of {heads} heads to rotate in rows of {width}");
    }
    let dtype = x.dtype();
    check("the bias", bias, &[width], dtype)?;
    check("the cosines", Some(cosines), &[rows, half], DType::F32)?;
    check("the sines", Some(sines), &[rows, half], DType::F32)?;
    let inputs = [Some(x), bias, Some(cosines), Some(sines)];
    run_for_one(
        x.device(),
        &inputs,
        (&[rows, width], dtype),
        |inputs, out| {
            Rotate {
                x: inputs[0],
                bias: inputs[1],
                cosines: inputs[2],
                sines: inputs[3],
                out,
                rows,
                heads,
                rotated,
                half,
                dtype,
            }
            .launch()
        },
    )
}

/// What [`cut_patches`] cuts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Levels<'a> {
    /// The levels of all pictures.
    pub(crate) values: &'a Tensor,
    /// Where each patch begins at each time, `[n, depth, 4]`: see `patches.cu`. The kernel does not check them.
    pub(crate) corners: &'a Tensor,
    /// `[tables, 3, 256]` in f32.
    pub(crate) tables: &'a Tensor,
    /// Side of a patch in pixels.
    pub(crate) side: usize,
}

/// Normalised patches `[n, width]`, with zeros behind the `3 · depth · side²` values of each.
pub(crate) fn cut_patches(from: Levels<'_>, width: usize, dtype: DType) -> Result<Tensor> {
    let (rows, depth, _) = from.corners.dims3()?;
    let side = from.side;
    check(
        "the corners",
        Some(from.corners),
        &[rows, depth, 4],
        DType::U32,
    )?;
    check(
        "the levels",
        Some(from.values),
        &[from.values.dim(0)?],
        DType::U8,
    )?;
    check(
        "the tables",
        Some(from.tables),
        &[from.tables.dim(0)?, 3, 256],
        DType::F32,
    )?;
    if width < 3 * depth * side * side {
        bail!("patches of {side} pixels a side and {depth} deep do not fit {width} values");
    }
    let inputs = [Some(from.values), Some(from.corners), Some(from.tables)];
    let device = from.values.device();
    run_for_one(device, &inputs, (&[rows, width], dtype), |inputs, out| {
        CutPatches {
            levels: inputs[0],
            corners: inputs[1],
            tables: inputs[2],
            out,
            rows,
            side,
            depth,
            width,
            dtype,
        }
        .launch()
    })
}

/// Sets of rows on the device, cut into chunks that are summed apart from each other.
#[derive(Clone, Debug)]
pub(crate) struct Chunks {
    /// The rows of all chunks, one after the other.
    pub(crate) members: Tensor,
    /// `[chunks + 1]`: where each chunk begins among them.
    pub(crate) chunk_starts: Tensor,
    /// `[sets + 1]`: where each set begins among the chunks.
    pub(crate) set_starts: Tensor,
}

/// The f32 sums `[sets, d]` of rows of `x`, `[n, d]`. The kernel does not check that the rows are there.
pub(crate) fn segment_sums(x: &Tensor, of: &Chunks) -> Result<Tensor> {
    let (_, width) = x.dims2()?;
    let dtype = x.dtype();
    let (chunks, sets) = (of.chunk_starts.dim(0)? - 1, of.set_starts.dim(0)? - 1);
    let x = x.contiguous()?;
    let inputs = [&x, &of.members, &of.chunk_starts, &of.set_starts].map(Some);
    let (partial, sums) = ([chunks, width], [sets, width]);
    let outputs = [(&partial[..], DType::F32), (&sums[..], DType::F32)];
    let [_, sums] = take(run(x.device(), &inputs, &outputs, |inputs, outputs| {
        SegmentSums {
            x: inputs[0],
            members: inputs[1],
            chunk_starts: inputs[2],
            set_starts: inputs[3],
            partial: outputs[0],
            sums: outputs[1],
            chunks,
            sets,
            width,
            dtype,
        }
        .launches()
    })?)?;
    Ok(sums)
}

/// Rows mixed of rows of `x`, `[n, d]`: `sources` and, in f32, `shares` are `[rows, corners]`; without shares a row is
/// that of its first source. The kernel does not check that the sources are there.
pub(crate) fn mix_rows(x: &Tensor, sources: &Tensor, shares: Option<&Tensor>) -> Result<Tensor> {
    let (_, width) = x.dims2()?;
    let (rows, corners) = sources.dims2()?;
    let dtype = x.dtype();
    check("the sources", Some(sources), &[rows, corners], DType::U32)?;
    check("the shares", shares, &[rows, corners], DType::F32)?;
    let x = x.contiguous()?;
    let inputs = [Some(&x), Some(sources), shares];
    run_for_one(
        x.device(),
        &inputs,
        (&[rows, width], dtype),
        |inputs, out| {
            MixRows {
                x: inputs[0],
                sources: inputs[1],
                shares: inputs[2],
                out,
                rows,
                corners,
                width,
                dtype,
            }
            .launch()
        },
    )
}
