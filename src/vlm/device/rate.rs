//! How fast a device multiplies matrices: what a forecast rests on.

use std::time::{Duration, Instant};

use candle_core::{DType, Device, Result, Tensor};

/// How long is measured. The first product, which may load kernels, is left out.
const TIME: Duration = Duration::from_millis(150);
/// The most products.
const PRODUCTS: u32 = 200;

/// Floating-point operations a second of a device's matrix products, by the fastest of those that fit into 0.15
/// seconds. Widths are those of a language model of a few billion parameters.
///
/// # Errors
/// When the device fails, for instance for want of memory.
pub fn product_rate(device: &Device, dtype: DType) -> Result<f64> {
    let [rows, width] = if device.is_cuda() {
        [8192, 4096]
    } else {
        [256, 1536]
    };
    let matrix = |rows: usize| Tensor::rand(-1_f32, 1_f32, (rows, width), device)?.to_dtype(dtype);
    let (left, right) = (matrix(rows)?, matrix(width)?);
    let product = || -> Result<f64> {
        let started = Instant::now();
        left.matmul(&right)?;
        device.synchronize()?;
        Ok(started.elapsed().as_secs_f64())
    };
    product()?;
    let started = Instant::now();
    let mut fastest = product()?;
    for _ in 1..PRODUCTS {
        if started.elapsed() >= TIME {
            break;
        }
        fastest = fastest.min(product()?);
    }
    Ok(2.0 * (rows * width * width) as f64 / fastest.max(1e-9))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_does_something_between_a_million_and_a_quadrillion_operations() {
        let rate = product_rate(&Device::Cpu, DType::F32).unwrap();
        assert!((1e6..1e15).contains(&rate), "{rate}");
    }
}
