//! Linear layers with what follows them fused in.

use candle_core::{Result, Tensor};
use rayon::prelude::*;

use super::activation::gelu_tanh_in_place;
use super::slices::{is_cpu_f32, with_slice};
use super::{Gemm, View};

/// What a linear layer's output goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// GELU with the error function (`gelu` of PyTorch).
    GeluErf,
    /// GELU's tanh approximation (`gelu_pytorch_tanh`).
    GeluTanh,
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

    /// `residual + forward(x)`.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn forward_residual(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        self.apply(x, None, Some(residual))
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
        if !is_cpu_f32(x) {
            return self.apply_with_candle(x, activation, residual);
        }
        let mut out = match residual {
            Some(residual) => with_slice(residual, |values| Ok(values.to_vec()))?,
            None => vec![0.0; rows * outputs],
        };
        if let Some(bias) = &self.bias {
            with_slice(bias, |bias| {
                out.par_chunks_mut(outputs).for_each(|row| {
                    for (value, bias) in row.iter_mut().zip(bias) {
                        *value += bias;
                    }
                });
                Ok(())
            })?;
        }
        let accumulate = self.bias.is_some() || residual.is_some();
        let x = x.contiguous()?;
        with_slice(&x, |x| {
            with_slice(&self.weight, |weight| {
                Gemm {
                    m: rows,
                    n: outputs,
                    k: inputs,
                    alpha: 1.0,
                    accumulate,
                    parallel: true,
                }
                .run(
                    &mut out,
                    outputs,
                    View {
                        data: x,
                        row_stride: inputs,
                        col_stride: 1,
                    },
                    View {
                        data: weight,
                        row_stride: 1,
                        col_stride: inputs,
                    },
                );
                Ok(())
            })
        })?;
        if activation == Some(Activation::GeluTanh) {
            gelu_tanh_in_place(&mut out);
        }
        let out = Tensor::from_vec(out, (rows, outputs), x.device())?;
        match activation {
            Some(Activation::GeluErf) => out.gelu_erf(),
            _ => Ok(out),
        }
    }

    fn apply_with_candle(
        &self,
        x: &Tensor,
        activation: Option<Activation>,
        residual: Option<&Tensor>,
    ) -> Result<Tensor> {
        let mut out = x.matmul(&self.weight.t()?)?;
        if let Some(bias) = &self.bias {
            out = out.broadcast_add(bias)?;
        }
        match activation {
            Some(Activation::GeluErf) => out = out.gelu_erf()?,
            Some(Activation::GeluTanh) => out = out.gelu()?,
            None => {}
        }
        match residual {
            Some(residual) => residual + out,
            None => Ok(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn fused_forms_equal_plain_candle_operations() -> Result<()> {
        let random = |shape: &[usize]| Tensor::randn(0f32, 1.0, shape, &Device::Cpu);
        let x = random(&[7, 19])?;
        let residual = random(&[7, 11])?;
        for bias in [None, Some(random(&[11])?)] {
            let layer = Linear::new(&random(&[11, 19])?, bias)?;
            for activation in [None, Some(Activation::GeluErf), Some(Activation::GeluTanh)] {
                for residual in [None, Some(&residual)] {
                    let fused = layer.apply(&x, activation, residual);
                    if activation.is_some() && residual.is_some() {
                        continue; // never asked for: the CPU form adds the residual first
                    }
                    let plain = layer.apply_with_candle(&x, activation, residual)?;
                    let worst = (fused? - plain)?.abs()?.max_all()?.to_scalar::<f32>()?;
                    assert!(worst < 1e-5, "{activation:?}: {worst}");
                }
            }
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
