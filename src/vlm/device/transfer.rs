//! Values on their way between the host and a device.

use candle_core::{Device, Result, Shape, Tensor, WithDType};

/// Copies values to a device. On CUDA this does not wait for what the device is computing.
///
/// # Errors
/// When the shape does not fit, or the device's memory is full.
pub(crate) fn upload<T: WithDType>(
    values: Vec<T>,
    shape: impl Into<Shape>,
    device: &Device,
) -> Result<Tensor> {
    Tensor::from_vec(values, shape.into(), device)
}

/// A tensor whose values are wanted on the host once they are computed.
#[derive(Debug)]
pub(crate) struct Wanted {
    tensor: Tensor,
}

impl Wanted {
    /// Wants a tensor of f32, with all that was queued before it and nothing that is queued from here on.
    ///
    /// # Errors
    /// When the device fails.
    pub(crate) fn new(tensor: Tensor) -> Result<Self> {
        Ok(Self { tensor })
    }

    /// Waits for the values and copies them to the host, in row-major order.
    ///
    /// # Errors
    /// When the device fails.
    pub(crate) fn take(self) -> Result<Vec<f32>> {
        self.tensor.flatten_all()?.to_vec1()
    }
}
