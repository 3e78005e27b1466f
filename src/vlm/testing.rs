//! Data for the unit tests: the same numbers in every run, and one way to compare tensors.

use candle_core::{Device, Result, Tensor};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Values spread evenly over −2 to 2, a pure function of the shape and the seed.
///
/// Fresh random numbers would make a test fail once in a while for a rare draw.
pub(super) fn values(shape: &[usize], seed: u64) -> Result<Tensor> {
    let count = shape.iter().product::<usize>() as u64;
    let values: Vec<f32> = (0..count)
        .map(|i| {
            let bits = xxh3_64_with_seed(&i.to_le_bytes(), seed) >> 40;
            bits as f32 / (1 << 22) as f32 - 2.0
        })
        .collect();
    Tensor::from_vec(values, shape, &Device::Cpu)
}

/// The largest difference, relative to the largest value of the reference.
pub(super) fn worst(got: &Tensor, want: &Tensor) -> Result<f32> {
    let largest = |x: &Tensor| x.abs()?.max_all()?.to_scalar::<f32>();
    Ok(largest(&(got - want)?)? / largest(want)?)
}
