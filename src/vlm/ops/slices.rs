//! Borrowing the f32 values of CPU tensors.

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor, bail};

/// Whether the fused f32 CPU form of an operation applies to `tensor`.
pub(crate) fn is_cpu_f32(tensor: &Tensor) -> bool {
    tensor.device().is_cpu() && tensor.dtype() == candle_core::DType::F32
}

/// Calls `f` with the values of a contiguous f32 CPU tensor.
pub(crate) fn with_slice<R>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> Result<R>) -> Result<R> {
    with_storage(tensor, |values, layout| match layout.contiguous_offsets() {
        Some((start, end)) => f(&values[start..end]),
        None => bail!("expected a contiguous tensor, got {layout:?}"),
    })
}

/// Calls `f` with the values of a tensor, if there is one, as [`with_slice`].
pub(crate) fn with_optional<R>(
    tensor: Option<&Tensor>,
    f: impl FnOnce(Option<&[f32]>) -> Result<R>,
) -> Result<R> {
    match tensor {
        Some(tensor) => with_slice(tensor, |values| f(Some(values))),
        None => f(None),
    }
}

/// Calls `f` with the whole storage of an f32 CPU tensor and the layout that says where its values lie.
pub(crate) fn with_storage<R>(
    tensor: &Tensor,
    f: impl FnOnce(&[f32], &Layout) -> Result<R>,
) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(CpuStorage::F32(values)) => f(values, layout),
        _ => bail!("expected an f32 tensor on the CPU"),
    }
}
