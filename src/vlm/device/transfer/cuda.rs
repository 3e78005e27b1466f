//! Copies by a stream of their own. Why each is in order is said in the module above.

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::cuda::cudarc::driver::{CudaEvent, CudaStream, DeviceRepr};
use candle_core::cuda_backend::{CudaDType, WrapErr};
use candle_core::op::BackpropOp;
use candle_core::{CudaDevice, CudaStorage, Result, Shape, Storage, Tensor, WithDType};

/// What both candle and the driver take.
pub(crate) trait OnDevice: CudaDType + DeviceRepr {}

impl<T: CudaDType + DeviceRepr> OnDevice for T {}

/// The stream for copies beside `compute`.
///
/// There is one for each computing stream that was ever asked for, and both are kept to the end of the process: so a
/// stream found here cannot be another one that came to lie at the same address. Models that share a card have streams
/// of their own, and never wait for each other's passes.
fn copies(compute: &Arc<CudaStream>) -> Result<Arc<CudaStream>> {
    static STREAMS: Mutex<Vec<[Arc<CudaStream>; 2]>> = Mutex::new(Vec::new());
    // Nothing panics while it is held, and a list without its last entry is as good.
    let mut streams = STREAMS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some([_, copies]) = streams
        .iter()
        .find(|[known, _]| Arc::ptr_eq(known, compute))
    {
        return Ok(Arc::clone(copies));
    }
    let stream = compute.context().new_stream().w()?;
    streams.push([Arc::clone(compute), Arc::clone(&stream)]);
    Ok(stream)
}

/// Copies as many values as the shape has, at least one.
pub(super) fn upload<T: WithDType + OnDevice>(
    values: &[T],
    shape: Shape,
    device: &CudaDevice,
) -> Result<Tensor> {
    let compute = device.cuda_stream();
    let copies = copies(&compute)?;
    let copied = copies.clone_htod(values).w()?;
    // Some machines read the host's memory later than when the call returns.
    copies.synchronize().w()?;
    compute.join(&copies).w()?;
    let pointer = copied.leak();
    #[expect(
        unsafe_code,
        reason = "the pointer is of an allocation of as many values, all written, which nobody else frees: it was \
                  leaked in the line above; and this stream waits for the copy"
    )]
    let owned = unsafe { compute.upgrade_device_ptr::<T>(pointer, values.len()) };
    let storage = CudaStorage::wrap_cuda_slice(owned, device.clone());
    let none = BackpropOp::none();
    Ok(Tensor::from_storage(
        Storage::Cuda(storage),
        shape,
        none,
        false,
    ))
}

/// A point on the stream that computes.
#[derive(Debug)]
pub(super) struct Computed {
    event: CudaEvent,
    copies: Arc<CudaStream>,
}

impl Computed {
    /// The point behind all that is queued on the device's stream.
    pub(super) fn record(device: &CudaDevice) -> Result<Self> {
        let compute = device.cuda_stream();
        Ok(Self {
            event: compute.record_event(None).w()?,
            copies: copies(&compute)?,
        })
    }

    /// Whether the device has got there, or failed.
    pub(super) fn is_over(&self) -> bool {
        !matches!(self.event.try_is_complete(), Ok(false))
    }

    /// The values of a contiguous tensor that is computed at this point.
    pub(super) fn take(&self, tensor: &Tensor) -> Result<Vec<f32>> {
        let (storage, layout) = tensor.storage_and_layout();
        let Storage::Cuda(storage) = &*storage else {
            candle_core::bail!("the values wanted of a CUDA device are elsewhere");
        };
        let Some((start, end)) = layout.contiguous_offsets() else {
            candle_core::bail!("the values wanted of a CUDA device do not lie together");
        };
        let values = storage.as_cuda_slice::<f32>()?.slice(start..end);
        self.copies.wait(&self.event).w()?;
        let values = self.copies.clone_dtoh(&values).w()?;
        self.copies.synchronize().w()?;
        Ok(values)
    }
}
