//! Values on their way between the host and a device.
//!
//! On CUDA the values do not go by the stream that computes. A copy from pageable memory first waits until its stream
//! has nothing left to do, so on a stream with a pass queued it would hold the host up for as long as the pass takes,
//! and the device would then stand idle while the host queues the next one. So each of them has another one for
//! copies alone beside it, and each use of it together with the stream that computes is ordered here. Nothing else orders it:
//! event tracking is off, so neither candle nor cudarc keeps track of who reads what.
//!
//! # Up: [`upload`]
//! 1. *Memory.* It is allocated on the copy stream and used there first. What the pool gives out may have been freed on
//!    the other stream: the driver's stream-ordered allocator gives such memory out only once its last use is over, or
//!    makes this stream wait for that.
//! 2. *Write before read.* An event recorded behind the copy is waited for by the computing stream before `upload`
//!    returns, so that all that is queued from here on, all of its readers, runs behind the copy.
//! 3. *Read before free.* The memory then changes hands: it belongs to the computing stream, where dropping the tensor
//!    frees it, in order behind every reader that was queued before the drop. The copy stream does not touch it again.
//! 4. *The host's values* may be dropped when `upload` returns: it waits for the copy, and for nothing else, since
//!    nothing else is on that stream.
//!
//! # Down: [`Wanted`]
//! 1. *Write before read.* [`Wanted::new`] records an event on the computing stream behind all that was queued, which
//!    includes what computes the tensor; [`Wanted::take`] makes the copy stream wait for it before it copies.
//! 2. *Read before free.* `take` holds the tensor until the copy stream has nothing left to do. Its memory is freed, on
//!    the computing stream, only after that. A `Wanted` that is dropped without being taken has queued no copy, and its
//!    memory is freed behind its writers as that of any tensor.
//! 3. *No longer than needed.* Only the copy stream is waited for, and on it nothing is queued that waits for later
//!    work of the other one: what was queued there behind the event goes on meanwhile.

use candle_core::{Device, Result, Shape, Tensor, WithDType};

#[cfg(feature = "cuda")]
mod cuda;

/// What can be copied to a device.
#[cfg(feature = "cuda")]
pub(crate) trait Value: WithDType + cuda::OnDevice {}
/// What can be copied to a device.
#[cfg(not(feature = "cuda"))]
pub(crate) trait Value: WithDType {}

impl Value for u8 {}
impl Value for u32 {}
impl Value for f32 {}

/// Copies values to a device, in row-major order. On CUDA this does not wait for what the device is computing.
///
/// # Errors
/// When the shape does not fit, or the device's memory is full.
pub(crate) fn upload<T: Value>(
    values: Vec<T>,
    shape: impl Into<Shape>,
    device: &Device,
) -> Result<Tensor> {
    let shape = shape.into();
    #[cfg(feature = "cuda")]
    if let Device::Cuda(device) = device
        && !values.is_empty()
        && values.len() == shape.elem_count()
    {
        return cuda::upload(&values, shape, device);
    }
    Tensor::from_vec(values, shape, device)
}

/// A tensor whose values are wanted on the host once they are computed.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// Contiguous.
    tensor: Tensor,
    /// Recorded behind what computes the tensor; none on the CPU, where it is computed.
    #[cfg(feature = "cuda")]
    computed: Option<cuda::Computed>,
}

impl Wanted {
    /// Wants a tensor of f32, with all that was queued before it and nothing that is queued from here on.
    ///
    /// # Errors
    /// When the device fails.
    pub(crate) fn new(tensor: Tensor) -> Result<Self> {
        // A copy that this needs has to be queued before the event.
        let tensor = if tensor.is_contiguous() {
            tensor
        } else {
            tensor.contiguous()?
        };
        Ok(Self {
            #[cfg(feature = "cuda")]
            computed: match tensor.device() {
                Device::Cuda(device) => Some(cuda::Computed::record(device)?),
                _ => None,
            },
            tensor,
        })
    }

    /// Whether the values are computed, so that taking them does not wait. A device that failed says so when they are
    /// taken.
    #[cfg(feature = "cuda")]
    pub(crate) fn is_computed(&self) -> bool {
        self.computed.as_ref().is_none_or(cuda::Computed::is_over)
    }

    /// Whether the values are computed: on the CPU always.
    #[cfg(not(feature = "cuda"))]
    #[expect(clippy::unused_self, reason = "with CUDA it is used")]
    pub(crate) fn is_computed(&self) -> bool {
        true
    }

    /// Waits for the values and copies them to the host, in row-major order.
    ///
    /// # Errors
    /// When the device fails.
    pub(crate) fn take(self) -> Result<Vec<f32>> {
        #[cfg(feature = "cuda")]
        if let Some(computed) = &self.computed {
            return computed.take(&self.tensor);
        }
        self.tensor.flatten_all()?.to_vec1()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_up_and_come_back() {
        let up = upload(
            vec![1.5_f32, -2.0, 0.25, 4.0, 5.0, 6.0],
            (3, 2),
            &Device::Cpu,
        )
        .unwrap();
        let wanted = Wanted::new(up.t().unwrap()).unwrap();
        assert!(wanted.is_computed());
        assert_eq!(wanted.take().unwrap(), [1.5, 0.25, 5.0, -2.0, 4.0, 6.0]);
        // A part of a storage.
        let wanted = Wanted::new(up.narrow(0, 1, 1).unwrap()).unwrap();
        assert_eq!(wanted.take().unwrap(), [0.25, 4.0]);
        let bytes = upload(vec![0_u8, 255, 3], 3, &Device::Cpu).unwrap();
        assert_eq!(bytes.to_vec1::<u8>().unwrap(), [0, 255, 3]);
        let ids = upload(vec![u32::MAX, 7], (2, 1), &Device::Cpu).unwrap();
        assert_eq!(ids.to_vec2::<u32>().unwrap(), [[u32::MAX], [7]]);
        assert_eq!(
            upload(Vec::<f32>::new(), (0, 4), &Device::Cpu)
                .unwrap()
                .dims(),
            [0, 4]
        );
        assert!(upload(vec![1_u8, 2], 3, &Device::Cpu).is_err());
    }
}
