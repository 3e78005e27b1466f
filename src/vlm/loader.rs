//! Reading layers out of a checkpoint in the precision and onto the device they run on.

use candle_core::{DType, Device, Tensor};

use super::VlmError;
use super::ops::{LayerNorm, Linear, RmsNorm};
use crate::checkpoint::Weights;

/// A checkpoint's weights together with where they go.
#[derive(Clone, Copy)]
pub(crate) struct Loader<'a> {
    pub weights: &'a Weights,
    pub dtype: DType,
    pub device: &'a Device,
}

impl Loader<'_> {
    pub(crate) fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor, VlmError> {
        Ok(self.weights.get(name, shape, self.dtype, self.device)?)
    }

    /// `PREFIX.weight` `[outputs, inputs]` and, where the layer has one, `PREFIX.bias`.
    fn linear_parts(
        &self,
        prefix: &str,
        [inputs, outputs]: [usize; 2],
        bias: bool,
    ) -> Result<(Tensor, Option<Tensor>), VlmError> {
        let weight = self.tensor(&format!("{prefix}.weight"), &[outputs, inputs])?;
        let bias = bias
            .then(|| self.tensor(&format!("{prefix}.bias"), &[outputs]))
            .transpose()?;
        Ok((weight, bias))
    }

    pub(crate) fn linear(
        &self,
        prefix: &str,
        widths: [usize; 2],
        bias: bool,
    ) -> Result<Linear, VlmError> {
        let (weight, bias) = self.linear_parts(prefix, widths, bias)?;
        Ok(Linear::new(&weight, bias)?)
    }

    /// Layers `PREFIX.NAME` over the same input as one layer.
    pub(crate) fn stacked(
        &self,
        prefix: &str,
        inputs: usize,
        names_and_outputs: &[(&str, usize)],
        bias: bool,
    ) -> Result<Linear, VlmError> {
        let parts = names_and_outputs
            .iter()
            .map(|(name, outputs)| {
                self.linear_parts(&format!("{prefix}.{name}"), [inputs, *outputs], bias)
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Linear::stacked(&parts)?)
    }

    /// A gated MLP: `PREFIX.gate_proj` and `PREFIX.up_proj` as one layer, and `PREFIX.down_proj`.
    ///
    /// On CUDA an inner width whose rows are no multiple of 16 bytes, such as 3,420 of Qwen2.5-VL's tower, is filled up
    /// with zeros: fast matrix products ask for it. silu(0) · 0 is 0, and nothing is made of it.
    pub(crate) fn gated_mlp(
        &self,
        prefix: &str,
        [d, inner]: [usize; 2],
        bias: bool,
    ) -> Result<[Linear; 2], VlmError> {
        let filled = if self.device.is_cuda() {
            inner.next_multiple_of(8)
        } else {
            inner
        };
        let part = |name: &str| {
            let (weight, own) = self.linear_parts(&format!("{prefix}.{name}"), [d, inner], bias)?;
            fill_outputs(&weight, own.as_ref(), filled - inner)
        };
        let both = [part("gate_proj")?, part("up_proj")?];
        let (weight, own) = self.linear_parts(&format!("{prefix}.down_proj"), [inner, d], bias)?;
        let weight = weight.pad_with_zeros(1, 0, filled - inner)?;
        Ok([Linear::stacked(&both)?, Linear::new(&weight, own)?])
    }

    pub(crate) fn layer_norm(
        &self,
        prefix: &str,
        d: usize,
        eps: f64,
    ) -> Result<LayerNorm, VlmError> {
        let weight = self.tensor(&format!("{prefix}.weight"), &[d])?;
        let bias = self.tensor(&format!("{prefix}.bias"), &[d])?;
        Ok(LayerNorm::new(weight, bias, eps))
    }

    pub(crate) fn rms_norm(&self, prefix: &str, d: usize, eps: f64) -> Result<RmsNorm, VlmError> {
        Ok(RmsNorm::new(
            self.tensor(&format!("{prefix}.weight"), &[d])?,
            eps,
        ))
    }
}

/// A layer with `more` outputs that are always 0.
fn fill_outputs(
    weight: &Tensor,
    bias: Option<&Tensor>,
    more: usize,
) -> Result<(Tensor, Option<Tensor>), VlmError> {
    let bias = bias.map(|bias| bias.pad_with_zeros(0, 0, more));
    Ok((weight.pad_with_zeros(0, 0, more)?, bias.transpose()?))
}

#[cfg(test)]
mod tests {
    use super::super::ops::Activation;
    use super::super::testing::{values, worst};
    use super::*;

    #[test]
    fn outputs_of_zeros_change_nothing_behind_a_gate() -> Result<(), VlmError> {
        let (d, inner, more) = (10, 12, 4);
        let part = |seed| -> candle_core::Result<_> {
            Ok((
                values(&[inner, d], seed)?,
                Some(values(&[inner], seed + 1)?),
            ))
        };
        let (gate, up, down) = (part(1)?, part(3)?, values(&[d, inner], 5)?);
        let filled = [
            fill_outputs(&gate.0, gate.1.as_ref(), more)?,
            fill_outputs(&up.0, up.1.as_ref(), more)?,
        ];
        let x = values(&[7, d], 6)?;
        let through = |both: &[_], down: &Tensor| {
            let inner = Linear::stacked(both)?.forward_activated(&x, Activation::SwiGlu)?;
            Linear::new(down, None)?.forward(&inner)
        };
        let want = through(&[gate, up], &down)?;
        let found = through(&filled, &down.pad_with_zeros(1, 0, more)?)?;
        assert!(worst(&found, &want)? < 1e-6);
        Ok(())
    }
}
