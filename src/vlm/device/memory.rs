//! How full a device's memory is.

use candle_core::Device;

/// A device's memory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// What this process could still take.
    pub free: u64,
    /// All there is.
    pub total: u64,
}

/// The memory of a CUDA device; `None` on the CPU.
pub fn memory(device: &Device) -> Option<Memory> {
    let _ = device;
    None
}

/// The most memory that this process has used on a CUDA device so far, in bytes; `None` on the CPU.
pub fn peak(device: &Device) -> Option<u64> {
    let _ = device;
    None
}
