//! Every kernel in both precisions and widths against plain candle operations in f32, and whole models through all of
//! them.

mod models;

use candle_core::D;

use super::super::testing::values;
use super::launch::{Arg, BiasActivation, FAMILIES};
use super::*;

/// What an f32 kernel may be off by, relative to the largest value.
const F32_BOUND: f32 = 2e-6;

/// Runs `f` for both precisions and each shape: rows of whole 16 bytes and others, of one block and of several.
fn for_shapes(f: impl Fn(DType, usize, usize) -> Result<()>) -> Result<()> {
    emulation::with(|| {
        for dtype in [DType::F32, DType::BF16] {
            for (rows, width) in [
                (1, 8),
                (5, 24),
                (9, 37),
                (3, 1),
                (2, 2056),
                (2, 4304),
                (4, 2051),
            ] {
                f(dtype, rows, width)?;
            }
        }
        Ok(())
    })
}

/// An operand in a precision.
fn operand(shape: &[usize], seed: u64, dtype: DType) -> Result<Tensor> {
    values(shape, seed)?.to_dtype(dtype)
}

fn f32_of(tensor: &Tensor) -> Result<Tensor> {
    tensor.to_dtype(DType::F32)
}

/// The place of a bf16 among all of them in order.
fn rank(value: f32) -> i32 {
    let bits = (value.to_bits() >> 16) as i32;
    if bits < 0x8000 { bits } else { 0x8000 - bits }
}

/// Holds a result to the same in f32 arithmetic: in bf16, to what that rounds to or its neighbour, and to itself for all
/// but a few elements.
#[track_caller]
fn close(found: &Tensor, want: &Tensor) -> Result<()> {
    assert_eq!(found.dims(), want.dims());
    let flat = |x: &Tensor| f32_of(x)?.flatten_all()?.to_vec1::<f32>();
    if found.dtype() == DType::F32 {
        let largest = flat(want)?
            .into_iter()
            .fold(1e-30_f32, |most, v| most.max(v.abs()));
        for (i, (found, want)) in flat(found)?.into_iter().zip(flat(want)?).enumerate() {
            let error = (found - want).abs() / largest;
            assert!(error <= F32_BOUND, "{i}: {found} against {want}");
        }
        return Ok(());
    }
    let want = flat(&want.to_dtype(DType::BF16)?)?;
    let largest = want.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
    let mut others = 0;
    for (i, (found, &want)) in flat(found)?.into_iter().zip(&want).enumerate() {
        // Near zero the f32 error of a sum of larger numbers is more than a step of bf16.
        let near = (found - want).abs() <= F32_BOUND * largest;
        let steps = if near {
            0
        } else {
            (rank(found) - rank(want)).abs()
        };
        assert!(steps <= 1, "{i}: {found} against {want}");
        others += steps;
    }
    assert!(
        others as usize <= 1 + want.len() / 100,
        "{others} of {} differ",
        want.len()
    );
    Ok(())
}

fn add_all(x: &Tensor, others: &[Option<&Tensor>]) -> Result<Tensor> {
    let mut sum = f32_of(x)?;
    for other in others.iter().flatten() {
        sum = sum.broadcast_add(&f32_of(other)?)?;
    }
    Ok(sum)
}

#[test]
fn norms_of_sums() -> Result<()> {
    let norm_of = |operands: &NormOperands<'_>, x: &Tensor| -> Result<Tensor> {
        let mean = if operands.layer {
            x.mean_keepdim(D::Minus1)?
        } else {
            x.zeros_like()?.narrow(1, 0, 1)?
        };
        let centred = x.broadcast_sub(&mean)?;
        let scale = (centred.sqr()?.mean_keepdim(D::Minus1)? + operands.eps)?.sqrt()?;
        let normed = centred.broadcast_div(&scale)?;
        let normed = normed.broadcast_mul(&f32_of(operands.weight)?)?;
        add_all(&normed, &[operands.bias])
    };
    let check = |dtype, rows: usize, width: usize| -> Result<()> {
        let x = operand(&[rows, width], 1, dtype)?;
        let residual = operand(&[rows, width], 2, dtype)?;
        let repeated = operand(&[1, width], 3, dtype)?;
        let vector = |seed| operand(&[width], seed, dtype);
        let (bias, weight, norm_bias) = (vector(4)?, vector(5)?, vector(6)?);
        for (layer, norm_bias) in [(false, None), (true, Some(&norm_bias)), (true, None)] {
            let norm = NormOperands {
                weight: &weight,
                bias: norm_bias,
                eps: 1e-5,
                layer,
            };
            close(&norm.of(&x)?, &norm_of(&norm, &f32_of(&x)?)?)?;
            for bias in [None, Some(&bias)] {
                for residual in [&residual, &repeated] {
                    let [sum, normed] = norm.of_sum(&x, bias, residual)?;
                    close(&sum, &add_all(&x, &[bias, Some(residual)])?)?;
                    // What is normalised is the sum as it is stored.
                    close(&normed, &norm_of(&norm, &f32_of(&sum)?)?)?;
                }
            }
        }
        Ok(())
    };
    for_shapes(check)?;
    // Rows that are wider than a block of 1024 threads takes at once.
    emulation::with(|| {
        check(DType::BF16, 2, 8 * 1024 + 64)?;
        check(DType::F32, 1, 4 * 1024 + 4)
    })
}

#[test]
fn biases_activations_and_residuals() -> Result<()> {
    for_shapes(|dtype, rows, width| {
        // Values well into both tails.
        let x = (operand(&[rows, width], 1, dtype)? * 6.0)?;
        let bias = operand(&[width], 2, dtype)?;
        let residual = operand(&[rows, width], 3, dtype)?;
        for bias in [None, Some(&bias)] {
            let sum = add_all(&x, &[bias])?;
            let sigmoid = candle_nn::ops::sigmoid(&(&sum * 1.702)?)?;
            for (function, want) in [
                (Pointwise::Plain, sum.clone()),
                (Pointwise::GeluTanh, sum.gelu()?),
                (Pointwise::GeluErf, sum.gelu_erf()?),
                (Pointwise::GeluQuick, (&sum * sigmoid)?),
            ] {
                close(&bias_activation(&x, bias, function)?, &want)?;
            }
            let want = add_all(&sum, &[Some(&residual)])?;
            close(&bias_residual(&x, bias, &residual)?, &want)?;
            let first = residual.narrow(0, 0, 1)?;
            let want = add_all(&sum, &[Some(&first)])?;
            close(&bias_residual(&x, bias, &first)?, &want)?;
        }
        assert!(bias_residual(&x, Some(&x.narrow(0, 0, 1)?), &residual).is_err());
        let both = (operand(&[rows, 2 * width], 4, dtype)? * 3.0)?;
        let bias = operand(&[2 * width], 5, dtype)?;
        for bias in [None, Some(&bias)] {
            let sum = add_all(&both, &[bias])?;
            let want = (sum.narrow(1, 0, width)?.silu()? * sum.narrow(1, width, width)?)?;
            close(&bias_activation(&both, bias, Pointwise::SwiGlu)?, &want)?;
        }
        Ok(())
    })
}

#[test]
fn rotations() -> Result<()> {
    emulation::with(|| {
        for dtype in [DType::F32, DType::BF16] {
            // Head dims of the models, one of two values, and more pairs than a block has threads.
            for (rows, heads, rotated, d) in [
                (3, 4, 3, 64),
                (2, 3, 2, 72),
                (5, 6, 4, 80),
                (1, 3, 3, 128),
                (9, 2, 0, 2),
                (2, 36, 32, 128),
                (2, 48, 32, 72),
            ] {
                let x = operand(&[rows, heads * d], 1, dtype)?;
                let bias = operand(&[heads * d], 2, dtype)?;
                let angles = (values(&[rows, d / 2], 3)? * 3.0)?;
                let (cosines, sines) = (angles.cos()?, angles.sin()?);
                for bias in [None, Some(&bias)] {
                    let sum = add_all(&x, &[bias])?.reshape((1, rows, heads, d))?;
                    let part = |start, count| sum.narrow(2, start, count)?.contiguous();
                    let mut want = part(rotated, heads - rotated)?;
                    if rotated > 0 {
                        let turned =
                            candle_nn::rotary_emb::rope_thd(&part(0, rotated)?, &cosines, &sines)?;
                        want = Tensor::cat(&[turned, want], 2)?;
                    }
                    let found = rotate(&x, bias, [&cosines, &sines], heads, rotated)?;
                    close(&found, &want.reshape((rows, heads * d))?)?;
                }
            }
        }
        Ok(())
    })
}

#[test]
fn mixed_rows() -> Result<()> {
    for_shapes(|dtype, rows, width| {
        let x = operand(&[rows, width], 1, dtype)?;
        let last = rows as u32 - 1;
        let sources = Tensor::new(&[[0, last], [last, 0], [last, last]], x.device())?;
        let shares = Tensor::new(&[[0.25_f32, 0.75], [1.0, 0.0], [0.5, 0.125]], x.device())?;
        let row = |i| f32_of(&x.narrow(0, i as usize, 1)?);
        let want = [
            ((row(0)? * 0.25)? + (row(last)? * 0.75)?)?,
            row(last)?,
            (row(last)? * 0.625)?,
        ];
        close(
            &mix_rows(&x, &sources, Some(&shares))?,
            &Tensor::cat(&want, 0)?,
        )?;
        let want = [row(0)?, row(last)?, row(last)?];
        close(&mix_rows(&x, &sources, None)?, &Tensor::cat(&want, 0)?)
    })
}

#[test]
fn addresses_that_are_no_multiples_of_16_bytes_are_read_one_by_one() {
    let launch = |x| BiasActivation {
        function: Pointwise::Plain,
        x,
        bias: 0,
        out: 512,
        rows: 9,
        width: 64,
        dtype: DType::BF16,
    };
    assert_eq!(launch(256).launch().kernel, "bias_bf16x8");
    assert_eq!(launch(264).launch().kernel, "bias_bf16");
    assert_eq!(launch(264).launch().grid, [3, 1]);
    let f32 = BiasActivation {
        dtype: DType::F32,
        width: 2052,
        ..launch(256)
    }
    .launch();
    assert_eq!(
        (f32.kernel, f32.grid, f32.block),
        ("bias_f32x4", [3, 3], 192)
    );
}

/// The emulation itself: what a card would run into without a word.
#[test]
fn arguments_of_another_order_or_number_are_found() -> Result<()> {
    emulation::with(|| {
        let values = [0.0_f32; 8];
        let address = values.as_ptr().expose_provenance() as u64;
        let launch = BiasActivation {
            function: Pointwise::Plain,
            x: address,
            bias: address,
            out: address,
            rows: 0,
            width: 8,
            dtype: DType::F32,
        };
        let mut launch = launch.launch();
        launch.grid = [1, 1];
        emulation::start(&launch, false)?;
        let mut swapped = launch.clone();
        swapped.args.swap(2, 3);
        let error = emulation::start(&swapped, false).unwrap_err().to_string();
        assert!(
            error.contains("takes arguments pppuu, was given ppupu"),
            "{error}"
        );
        let mut missing = launch.clone();
        missing.args.pop();
        assert!(emulation::start(&missing, false).is_err());
        let mut other = launch.clone();
        other.args[3] = Arg::F32(1.0);
        assert!(emulation::start(&other, false).is_err());
        let mut block = launch.clone();
        block.block = 2048;
        assert!(emulation::start(&block, false).is_err());
        let mut unknown = launch;
        unknown.kernel = "no_such_kernel";
        assert!(emulation::start(&unknown, false).is_err());
        Ok(())
    })
}

#[test]
fn names_of_kernels_are_different() {
    let mut names: Vec<_> = FAMILIES.iter().flat_map(|family| family.names).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn operands_that_do_not_fit_are_refused_before_a_launch() -> Result<()> {
    emulation::with(|| {
        let x = values(&[4, 8], 1)?;
        let vector = values(&[8], 2)?;
        let (short, three) = (values(&[7], 3)?, values(&[3, 8], 4)?);
        let refused = [
            bias_activation(&x, Some(&short), Pointwise::Plain),
            bias_activation(&values(&[4, 7], 1)?, None, Pointwise::SwiGlu),
            bias_residual(&x, Some(&vector), &three),
            bias_residual(&x, Some(&vector.to_dtype(DType::BF16)?), &x),
            rotate(&x, None, [&three, &three], 2, 1),
            rotate(&x, None, [&values(&[4, 2], 1)?, &values(&[4, 2], 1)?], 2, 3),
            bias_activation(&values(&[8, 4], 1)?.t()?, None, Pointwise::Plain),
        ];
        for (i, result) in refused.into_iter().enumerate() {
            assert!(result.is_err(), "{i}");
        }
        Ok(())
    })?;
    // Without the emulation nothing is launched on the CPU.
    assert!(bias_activation(&values(&[4, 8], 1)?, None, Pointwise::Plain).is_err());
    Ok(())
}
