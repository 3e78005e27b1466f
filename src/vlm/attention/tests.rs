use candle_core::{Device, Result, Tensor};
use candle_nn::attention::flash_attn_varlen_cpu;

use super::{Packing, attention, chunked};

fn worst(a: &Tensor, b: &Tensor) -> Result<f32> {
    (a - b)?.abs()?.max_all()?.to_scalar::<f32>()
}

fn reference([q, k, v]: [&Tensor; 3], lengths: &[usize], causal: bool) -> Result<Tensor> {
    let (rows, heads, d) = q.dims3()?;
    let lens: Vec<u32> = lengths.iter().map(|&l| l as u32).collect();
    let lens = Tensor::new(lens, q.device())?;
    let longest = lengths.iter().copied().max().unwrap_or(0);
    let scale = 1.0 / (d as f32).sqrt();
    flash_attn_varlen_cpu(
        q, k, v, None, &lens, &lens, longest, longest, scale, causal, None, None,
    )?
    .reshape((rows, heads * d))
}

#[test]
fn every_form_equals_candle_nns_reference() -> Result<()> {
    let device = Device::Cpu;
    // A single position, one block exactly, one more than a block, several blocks.
    let lengths = [1, 64, 65, 3, 200];
    let total = lengths.iter().sum::<usize>();
    for (heads, kv_heads, d) in [(4, 4, 24), (6, 2, 16), (7, 1, 8)] {
        let q = Tensor::randn(0f32, 2.0, (total, heads, d), &device)?;
        let k = Tensor::randn(0f32, 2.0, (total, kv_heads, d), &device)?;
        let v = Tensor::randn(0f32, 2.0, (total, kv_heads, d), &device)?;
        for causal in [false, true] {
            let packing = Packing::new(&lengths, causal, &device)?;
            let want = reference([&q, &k, &v], &lengths, causal)?;
            assert!(worst(&attention(&q, &k, &v, &packing)?, &want)? < 1e-5);
            assert!(worst(&chunked::attention(&q, &k, &v, &packing)?, &want)? < 1e-5);
        }
    }
    Ok(())
}

#[test]
fn parts_of_a_joint_projection_need_no_copy() -> Result<()> {
    let device = Device::Cpu;
    let joint = Tensor::randn(0f32, 1.0, (70, 3 * 2, 8), &device)?;
    let part = |i: usize| joint.narrow(1, i * 2, 2);
    let packing = Packing::new(&[40, 30], false, &device)?;
    let (q, k, v) = (part(0)?, part(1)?, part(2)?);
    let copies = [q.contiguous()?, k.contiguous()?, v.contiguous()?];
    let want = attention(&copies[0], &copies[1], &copies[2], &packing)?;
    let copied = worst(&attention(&q, &k, &v, &packing)?, &want)?;
    assert!(copied == 0.0, "{copied}");
    Ok(())
}

#[test]
fn lengths_that_do_not_add_up_are_refused() -> Result<()> {
    let q = Tensor::zeros((5, 1, 4), candle_core::DType::F32, &Device::Cpu)?;
    let packing = Packing::new(&[2, 2], true, &Device::Cpu)?;
    assert!(attention(&q, &q, &q, &packing).is_err());
    Ok(())
}
