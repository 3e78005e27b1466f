//! How full a device's memory is.

use std::fmt;

use candle_core::Device;
use indicatif::HumanBytes;

use crate::vlm::VlmError;

/// A device's memory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// What this process could still take.
    pub free: u64,
    /// All there is.
    pub total: u64,
}

/// As in "1.50 GiB of 80.00 GiB are free".
impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (free, total) = (HumanBytes(self.free), HumanBytes(self.total));
        write!(f, "{free} of {total} are free")
    }
}

/// The memory of a CUDA device; `None` on the CPU, or where the driver does not say.
///
/// What was freed and is kept for later tensors counts as free. What was freed by work that is still queued does too,
/// and will be free by the time that a new tensor is written.
pub fn memory(device: &Device) -> Option<Memory> {
    #[cfg(feature = "cuda")]
    if let Ok(device) = device.as_cuda_device() {
        return cuda::memory(device);
    }
    let _ = device;
    None
}

/// The most memory that tensors of this process have taken on a CUDA device so far, in bytes; `None` on the CPU, or
/// where the driver does not say. The driver's own share and cuBLAS's workspace, some hundred MiB, come on top.
pub fn peak(device: &Device) -> Option<u64> {
    #[cfg(feature = "cuda")]
    if let Ok(device) = device.as_cuda_device() {
        return cuda::peak(device);
    }
    let _ = device;
    None
}

/// Says of a full device how full it is and what was `asked` of it, such as "a batch of 9,000 tokens"; any other error
/// stays as it is, and so do all on the CPU. To be called after what the failed work had taken was dropped.
pub fn with_memory(error: VlmError, device: &Device, asked: &str) -> VlmError {
    match memory(device) {
        Some(memory) if error.is_out_of_memory() => full(error, memory, asked),
        _ => error,
    }
}

fn full(error: VlmError, memory: Memory, asked: &str) -> VlmError {
    VlmError::Full {
        asked: asked.to_owned(),
        memory,
        source: Box::new(error),
    }
}

#[cfg(feature = "cuda")]
mod cuda {
    use candle_core::CudaDevice;
    use candle_core::cuda::cudarc::driver::{CudaContext, result, sys};

    use super::Memory;

    pub(super) fn memory(device: &CudaDevice) -> Option<Memory> {
        let stream = device.cuda_stream();
        let (free, total) = stream.context().mem_get_info().ok()?;
        let kept = |context| {
            let reserved = of_pool(context, Attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT)?;
            let used = of_pool(context, Attribute::CU_MEMPOOL_ATTR_USED_MEM_CURRENT)?;
            Some(reserved.saturating_sub(used))
        };
        Some(Memory {
            free: free as u64 + kept(stream.context()).unwrap_or(0),
            total: total as u64,
        })
    }

    pub(super) fn peak(device: &CudaDevice) -> Option<u64> {
        let stream = device.cuda_stream();
        of_pool(stream.context(), Attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH)
    }

    use sys::CUmemPool_attribute as Attribute;

    /// An attribute of the pool that tensors come from, in bytes; `None` where there is no pool.
    fn of_pool(context: &CudaContext, attribute: Attribute) -> Option<u64> {
        if !context.has_async_alloc() {
            return None;
        }
        let mut bytes = 0_u64;
        #[expect(
            unsafe_code,
            reason = "the pool is the device's own, and its amounts of memory are numbers of 64 bits"
        )]
        unsafe {
            let pool = result::device::get_default_mem_pool(context.cu_device()).ok()?;
            result::mem_pool::get_attribute(pool, attribute, (&raw mut bytes).cast()).ok()?;
        }
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn out_of_memory() -> VlmError {
        let text = "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")";
        VlmError::Tensor(candle_core::Error::Cuda(text.into()))
    }

    #[test]
    fn a_full_device_says_what_was_asked_and_what_is_free() {
        let memory = Memory {
            free: 3 << 29,
            total: 80 << 30,
        };
        let error = full(out_of_memory(), memory, "a batch of 9,000 tokens");
        assert_eq!(
            error.to_string(),
            "the device's memory is full: a batch of 9,000 tokens did not fit, 1.50 GiB of 80.00 GiB are free"
        );
        assert!(error.is_out_of_memory());
        let source = std::error::Error::source(&error).unwrap();
        assert!(
            source.to_string().contains("CUDA_ERROR_OUT_OF_MEMORY"),
            "{source}"
        );
    }

    #[test]
    fn the_cpu_has_no_figures() {
        assert_eq!(memory(&Device::Cpu), None);
        assert_eq!(peak(&Device::Cpu), None);
        let error = with_memory(out_of_memory(), &Device::Cpu, "a batch");
        assert!(matches!(error, VlmError::Tensor(_)), "{error}");
    }
}
