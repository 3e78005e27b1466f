//! The arithmetic of a transformer layer, fused where that saves passes over memory.
//!
//! Each operation has a CPU form in f32 on all cores, a form through our own kernels on CUDA, and a form in plain
//! candle operations for everything else. The CPU forms exist because candle's elementwise operations use one thread:
//! around a matrix product on many cores they would take as long as the product itself.

mod activation;
pub(crate) mod gemm;
mod linear;
mod norm;
mod patches;
mod rope;
pub(crate) mod rows;
mod segments;
pub(crate) mod slices;

pub(crate) use activation::{Lanes, exp_in_place};
pub(crate) use gemm::{Gemm, View};
pub use linear::{Activation, Linear};
pub use norm::{LayerNorm, Norm, RmsNorm};
pub(crate) use patches::{Corner, Patches};
pub use rope::{RotaryTable, frequencies};
pub use segments::Segments;
