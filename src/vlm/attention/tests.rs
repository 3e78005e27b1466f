use candle_core::{Device, Result, Tensor};
use candle_nn::attention::flash_attn_varlen_cpu;

use super::super::testing::{values, worst};
use super::{Packing, attention, chunked};

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
        let q = values(&[total, heads, d], 1)?;
        let k = values(&[total, kv_heads, d], 2)?;
        let v = values(&[total, kv_heads, d], 3)?;
        for causal in [false, true] {
            let packing = Packing::new(&lengths, causal, &device)?;
            let want = reference([&q, &k, &v], &lengths, causal)?;
            let blocked = worst(&attention(&q, &k, &v, &packing)?, &want)?;
            assert!(blocked < 1e-5, "{blocked}");
            let chunked = worst(&chunked::attention(&q, &k, &v, &packing)?, &want)?;
            assert!(chunked < 1e-5, "{chunked}");
        }
    }
    Ok(())
}

#[test]
fn parts_of_a_joint_projection_need_no_copy() -> Result<()> {
    let device = Device::Cpu;
    let joint = values(&[70, 3 * 2, 8], 4)?;
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
