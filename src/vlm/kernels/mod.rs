//! Our own CUDA kernels, for what candle has no fused form of.
//!
//! The matrix products of a forward pass are bound by arithmetic; everything between them is bound by memory, and what
//! counts is how often an activation is read and written. candle's operations each make one pass: a bias, a residual
//! and a norm are three, and a strided operand is copied or walked element by element besides. Each kernel here makes
//! one pass over what lies between two matrix products, with 16 bytes an access where widths and addresses allow,
//! arithmetic in f32 and sums in a fixed order.
//!
//! [`launch`] says how each is launched, from shapes and addresses alone; [`run`] finds the addresses. Outside CUDA
//! nothing here is reached: the operations of [`super::ops`] have forms of their own.
//!
//! # What is expected
//! For one picture of 480×640 in LLaVA-OneVision 0.5B: 5 tiles, so 3,645 rows in 26 layers of the tower (1152 wide, 4304
//! in the MLP), and 2,929 tokens in 24 layers of the language model (896 wide, 4864 in the MLP). Bytes read and written
//! between matrix products and attention, in bf16, in MB; a norm counts as one reading, though it walks its row twice:
//!
//! | of a layer | candle | here |
//! |---|---|---|
//! | tower: two norms, two biases with residuals | 118 | 67 |
//! | tower: bias of query, key and value | 50 | 50 |
//! | tower: bias and GELU | 126 | 63 |
//! | decoder: two norms, two residuals | 52 | 42 |
//! | decoder: bias and rotation of query and key | 38 | 13 |
//! | decoder: SiLU of the gate times up | 256 | 85 |
//!
//! That is 16 GB before and 8 GB with the kernels for all layers, 5.3 and 2.7 ms at 3 TB/s, next to some 7 ms of
//! arithmetic. Less where the second-level cache (50 MB on an H100) still holds what the last kernel wrote. Pixels are
//! uploaded as 2 MB of levels instead of 9 MB of f32.
//!
//! What is left to gain is in the products themselves: their epilogues (cuBLASLt) could add the bias of query, key and
//! value and apply GELU, which would save 1.3 and 1.6 GB. Position tables, embeddings of text and attention offsets
//! are too small to matter.
//!
//! **Nothing of this has run on a card yet.** The kernels were compiled for `sm_90`, without spills and with 16-byte
//! accesses in the PTX, and run in an emulation on the processor, which also checks the arguments of every
//! launch, bounds, and that all of an output is written; see `emulation`. It says nothing about time.

mod calls;
#[cfg(feature = "cuda")]
mod cuda;
#[cfg(test)]
pub(crate) mod emulation;
mod launch;
#[cfg(test)]
mod tests;

use candle_core::{DType, Device, Result, Tensor, bail};

use launch::Launch;

pub(crate) use calls::{
    Chunks, Levels, NormOperands, bias_activation, bias_residual, cut_patches, mix_rows, rotate,
    segment_sums,
};
pub(crate) use launch::Pointwise;

/// Whether kernels run on a device.
pub(crate) fn run_on(device: &Device) -> bool {
    #[cfg(test)]
    if emulation::is_on() {
        return device.is_cpu();
    }
    cfg!(feature = "cuda") && device.is_cuda()
}

/// Whether there are kernels for a tensor's device and precision.
pub(crate) fn apply_to(tensor: &Tensor) -> bool {
    matches!(tensor.dtype(), DType::BF16 | DType::F32) && run_on(tensor.device())
}

/// Launches kernels over contiguous tensors. They get the addresses of the inputs, 0 where there is none, and of new
/// tensors of the given shapes, which they fill.
fn run(
    device: &Device,
    inputs: &[Option<&Tensor>],
    outputs: &[(&[usize], DType)],
    launches: impl FnOnce(&[u64], &[u64]) -> Vec<Launch>,
) -> Result<Vec<Tensor>> {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(device) => cuda::run(device, inputs, outputs, launches),
        #[cfg(test)]
        Device::Cpu if emulation::is_on() => emulation::run(inputs, outputs, launches),
        _ => {
            let _ = (inputs, outputs, launches);
            bail!("there are no kernels for {:?}", device.location())
        }
    }
}
