//! Linear layers with what follows them fused in.

use candle_core::{DType, Result, Tensor};
use pulp::Arch;
use rayon::prelude::*;

use super::activation::Epilogue;
use super::rope::{RotaryTable, rotate_joint, split, split_qkv};
use super::slices::{is_cpu_f32, with_optional, with_slice, with_storage};
use super::{Gemm, Norm, View};
use crate::vlm::kernels::{self, Pointwise};
use crate::vlm::profile::section;

/// What a linear layer's output goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// GELU with the error function (`gelu` of PyTorch).
    GeluErf,
    /// GELU's tanh approximation (`gelu_pytorch_tanh`).
    GeluTanh,
    /// `x · sigmoid(1.702 x)` (`quick_gelu`).
    GeluQuick,
    /// `silu(gate) · up` for an output `[gate | up]`, which halves its width (a gated MLP).
    SwiGlu,
}

/// `x · Wᵀ + b` with `W` of shape `[out, in]`, as PyTorch stores it.
#[derive(Clone, Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// A layer from its weight `[out, in]` and bias `[out]`.
    ///
    /// # Errors
    /// When the weight is no contiguous matrix or the bias does not fit it.
    pub fn new(weight: &Tensor, bias: Option<Tensor>) -> Result<Self> {
        let (out, _) = weight.dims2()?;
        if let Some(bias) = &bias
            && bias.dims1()? != out
        {
            candle_core::bail!(
                "bias {:?} does not fit weight {:?}",
                bias.shape(),
                weight.shape()
            );
        }
        Ok(Self {
            weight: weight.contiguous()?,
            bias,
        })
    }

    /// Several layers over one input as one: their weights stacked in order.
    ///
    /// # Errors
    /// When their inputs differ in width, or only some have a bias.
    pub fn stacked(layers: &[(Tensor, Option<Tensor>)]) -> Result<Self> {
        let weights: Vec<&Tensor> = layers.iter().map(|(weight, _)| weight).collect();
        let biases: Vec<&Tensor> = layers
            .iter()
            .filter_map(|(_, bias)| bias.as_ref())
            .collect();
        let bias = match biases.len() {
            0 => None,
            n if n == layers.len() => Some(Tensor::cat(&biases, 0)?),
            _ => candle_core::bail!("some of the stacked layers have a bias and some have none"),
        };
        Self::new(&Tensor::cat(&weights, 0)?, bias)
    }

    /// `x` of shape `[n, in]` to `[n, out]`.
    ///
    /// # Errors
    /// When shapes do not fit or a device operation fails.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.apply(x, None, None)
    }

    /// The layer's output through an activation.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn forward_activated(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        self.apply(x, Some(activation), None)
    }

    /// `residual + forward(x)`. A residual of fewer rows is repeated.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn forward_residual(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        self.apply(x, None, Some(residual))
    }

    /// `residual + forward(x)`, and that normalised. A residual of fewer rows is repeated.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn forward_residual_normed(
        &self,
        x: &Tensor,
        residual: &Tensor,
        norm: &Norm,
    ) -> Result<[Tensor; 2]> {
        if kernels::apply_to(x) {
            let out = self.matmul(x)?;
            return section("norm", || {
                norm.operands().of_sum(&out, self.bias.as_ref(), residual)
            });
        }
        let sum = self.forward_residual(x, residual)?;
        let normed = norm.forward(&sum)?;
        Ok([sum, normed])
    }

    /// A joint projection `[query heads | key heads | value heads]`, with query and key rotated where there is a table:
    /// query `[n, heads, d]`, key and value `[n, kv_heads, d]`.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn forward_qkv(
        &self,
        x: &Tensor,
        heads: usize,
        kv_heads: usize,
        table: Option<&RotaryTable>,
    ) -> Result<[Tensor; 3]> {
        let Some(table) = table else {
            return split(&self.forward(x)?, heads, kv_heads);
        };
        if kernels::apply_to(x) {
            let joint = self.matmul(x)?;
            return section("rotary", || {
                let bias = self.bias.as_ref();
                split(
                    &rotate_joint(&joint, bias, heads, kv_heads, table)?,
                    heads,
                    kv_heads,
                )
            });
        }
        let joint = self.forward(x)?;
        section("rotary", || split_qkv(&joint, heads, kv_heads, table))
    }

    fn apply(
        &self,
        x: &Tensor,
        activation: Option<Activation>,
        residual: Option<&Tensor>,
    ) -> Result<Tensor> {
        let (rows, inputs) = x.dims2()?;
        let (outputs, width) = self.weight.dims2()?;
        if width != inputs {
            candle_core::bail!("a layer of {width} inputs was given {inputs}");
        }
        if kernels::apply_to(x) {
            return self.apply_with_kernels(x, activation, residual);
        }
        if !is_cpu_f32(x) {
            return self.apply_with_candle(x, activation, residual);
        }
        let residual_rows = match residual {
            Some(residual) => repeated_rows(residual, rows, outputs)?,
            None => rows,
        };
        let mut out = section("linear", || self.product(x))?;
        section("activation", || {
            with_optional(self.bias.as_ref(), |bias| {
                with_optional(residual, |residual| {
                    out.par_chunks_mut(outputs)
                        .enumerate()
                        .for_each(|(i, row)| {
                            Arch::new().dispatch(Epilogue {
                                row,
                                bias,
                                activation,
                                residual: residual.map(|values| {
                                    &values[i % residual_rows * outputs..][..outputs]
                                }),
                            });
                        });
                    Ok(())
                })
            })
        })?;
        let out = Tensor::from_vec(out, (rows, outputs), x.device())?;
        match activation {
            Some(Activation::GeluErf) => out.gelu_erf(),
            // The next layer reads the gate's half where it lies.
            Some(Activation::SwiGlu) => out.narrow(1, 0, outputs / 2),
            Some(Activation::GeluTanh | Activation::GeluQuick) | None => Ok(out),
        }
    }

    /// `x · Wᵀ` for an `x` whose rows may lie apart.
    fn product(&self, x: &Tensor) -> Result<Vec<f32>> {
        let (rows, inputs) = x.dims2()?;
        let (outputs, _) = self.weight.dims2()?;
        with_storage(x, |values, layout| {
            let &[row_stride, 1] = layout.stride() else {
                candle_core::bail!("a linear layer over strides {:?}", layout.stride());
            };
            with_slice(&self.weight, |weight| {
                let gemm = Gemm {
                    m: rows,
                    n: outputs,
                    k: inputs,
                    alpha: 1.0,
                    parallel: true,
                };
                let x = View {
                    data: &values[layout.start_offset()..],
                    row_stride,
                    col_stride: 1,
                };
                let weight = View {
                    data: weight,
                    row_stride: 1,
                    col_stride: inputs,
                };
                Ok(gemm.product(x, weight))
            })
        })
    }

    /// `x · Wᵀ` on a device.
    fn matmul(&self, x: &Tensor) -> Result<Tensor> {
        section("linear", || x.matmul(&self.weight.t()?))
    }

    fn apply_with_kernels(
        &self,
        x: &Tensor,
        activation: Option<Activation>,
        residual: Option<&Tensor>,
    ) -> Result<Tensor> {
        let out = self.matmul(x)?;
        let bias = self.bias.as_ref();
        let function = match (activation, residual) {
            (None, Some(residual)) => {
                return section("activation", || {
                    kernels::bias_residual(&out, bias, residual)
                });
            }
            (Some(_), Some(_)) => candle_core::bail!("an activation before a residual"),
            (None, None) if bias.is_none() => return Ok(out),
            (None, None) => Pointwise::Plain,
            (Some(Activation::GeluErf), None) => Pointwise::GeluErf,
            (Some(Activation::GeluTanh), None) => Pointwise::GeluTanh,
            (Some(Activation::GeluQuick), None) => Pointwise::GeluQuick,
            (Some(Activation::SwiGlu), None) => Pointwise::SwiGlu,
        };
        section("activation", || {
            kernels::bias_activation(&out, bias, function)
        })
    }

    fn apply_with_candle(
        &self,
        x: &Tensor,
        activation: Option<Activation>,
        residual: Option<&Tensor>,
    ) -> Result<Tensor> {
        let mut out = self.matmul(x)?;
        if let Some(bias) = &self.bias {
            out = out.broadcast_add(bias)?;
        }
        match activation {
            Some(Activation::GeluErf) => out = out.gelu_erf()?,
            Some(Activation::GeluTanh) => out = out.gelu()?,
            Some(Activation::GeluQuick) => {
                // In f32: in bf16 candle would multiply by 1.703125.
                let wide = out.to_dtype(DType::F32)?;
                let gate = candle_nn::ops::sigmoid(&(&wide * 1.702)?)?;
                out = (wide * gate)?.to_dtype(out.dtype())?;
            }
            Some(Activation::SwiGlu) => {
                let inner = out.dim(1)? / 2;
                let gate = out.narrow(1, 0, inner)?.contiguous()?;
                let up = out.narrow(1, inner, inner)?.contiguous()?;
                out = (gate.silu()? * up)?;
            }
            None => {}
        }
        match residual {
            Some(residual) => {
                let (rows, outputs) = out.dims2()?;
                match rows / repeated_rows(residual, rows, outputs)?.max(1) {
                    1 => residual + out,
                    times => residual.repeat((times, 1))? + out,
                }
            }
            None => Ok(out),
        }
    }
}

/// The rows of a residual that is repeated over `rows` rows.
fn repeated_rows(residual: &Tensor, rows: usize, width: usize) -> Result<usize> {
    let (own, of_residual) = residual.dims2()?;
    if of_residual != width || (rows > 0 && (own == 0 || !rows.is_multiple_of(own))) {
        candle_core::bail!("a residual of {:?} for [{rows}, {width}]", residual.shape());
    }
    Ok(own)
}

#[cfg(test)]
mod tests {
    use super::super::super::kernels::emulation;
    use super::super::super::testing::{values, worst};
    use super::super::{LayerNorm, RmsNorm, frequencies};
    use super::*;
    use candle_core::Device;

    #[test]
    fn fused_forms_equal_plain_candle_operations() -> Result<()> {
        let x = values(&[7, 19], 1)?;
        let residual = values(&[7, 12], 2)?;
        for bias in [None, Some(values(&[12], 3)?)] {
            let layer = Linear::new(&values(&[12, 19], 4)?, bias)?;
            let both = |activation, residual| -> Result<()> {
                let fused = layer.apply(&x, activation, residual)?;
                let plain = layer.apply_with_candle(&x, activation, residual)?;
                let worst = worst(&fused, &plain)?;
                assert!(worst < 1e-5, "{activation:?}: {worst}");
                Ok(())
            };
            both(None, None)?;
            both(None, Some(&residual))?;
            both(Some(Activation::GeluErf), None)?;
            both(Some(Activation::GeluTanh), None)?;
            both(Some(Activation::GeluQuick), None)?;
            both(Some(Activation::SwiGlu), None)?;
        }
        Ok(())
    }

    #[test]
    fn a_residual_of_fewer_rows_is_repeated() -> Result<()> {
        let layer = Linear::new(&values(&[16, 5], 1)?, Some(values(&[16], 2)?))?;
        let (x, residual) = (values(&[6, 5], 3)?, values(&[2, 16], 4)?);
        let want = (layer.forward(&x)? + residual.repeat((3, 1))?)?;
        let found = layer.forward_residual(&x, &residual)?;
        assert!(worst(&found, &want)? < 1e-6);
        let found = layer.apply_with_candle(&x, None, Some(&residual))?;
        assert!(worst(&found, &want)? < 1e-6);
        assert!(layer.forward_residual(&x, &values(&[4, 16], 4)?).is_err());
        Ok(())
    }

    #[test]
    fn layers_through_kernels_equal_those_on_the_processor() -> Result<()> {
        let (x, residual) = (values(&[7, 19], 1)?, values(&[7, 24], 2)?);
        let norms = [
            Norm::from(LayerNorm::new(values(&[24], 6)?, values(&[24], 7)?, 1e-6)),
            Norm::from(RmsNorm::new(values(&[24], 6)?, 1e-6)),
        ];
        let axes: Vec<_> = frequencies(4, 1e4).map(|f| (0, f)).collect();
        let positions: Vec<[u32; 1]> = (0..7).map(|i| [i * 3]).collect();
        let table = RotaryTable::new(&positions, &axes, &Device::Cpu)?;
        for bias in [None, Some(values(&[24], 3)?)] {
            let layer = Linear::new(&values(&[24, 19], 4)?, bias)?;
            let all = || -> Result<Vec<Tensor>> {
                let mut out = vec![layer.forward(&x)?, layer.forward_residual(&x, &residual)?];
                for activation in [
                    Activation::GeluErf,
                    Activation::GeluTanh,
                    Activation::GeluQuick,
                    Activation::SwiGlu,
                ] {
                    out.push(layer.forward_activated(&x, activation)?);
                }
                for norm in &norms {
                    out.push(norm.forward(&residual)?);
                    out.extend(layer.forward_residual_normed(&x, &residual, norm)?);
                }
                for table in [None, Some(&table)] {
                    out.extend(layer.forward_qkv(&x, 2, 2, table)?);
                }
                Ok(out)
            };
            let want = all()?;
            emulation::with(|| {
                for (i, (found, want)) in all()?.iter().zip(&want).enumerate() {
                    let worst = worst(found, want)?;
                    assert!(worst < 2e-6, "{i}: {worst}");
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    #[test]
    fn stacking_needs_a_bias_everywhere_or_nowhere() -> Result<()> {
        let weight = Tensor::zeros((2, 3), candle_core::DType::F32, &Device::Cpu)?;
        let bias = Tensor::zeros(2, candle_core::DType::F32, &Device::Cpu)?;
        assert!(Linear::stacked(&[(weight.clone(), Some(bias)), (weight, None)]).is_err());
        Ok(())
    }
}
