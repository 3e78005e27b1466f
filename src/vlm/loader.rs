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
