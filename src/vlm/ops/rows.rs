//! Rows of a matrix that are chosen, or mixed of several.

use candle_core::{Result, Tensor, bail};

use crate::vlm::device::transfer::upload;
use crate::vlm::kernels;

/// The given rows of `x`, `[n, d]`, in their order.
///
/// # Errors
/// When a row is not there, or a device operation fails.
pub(crate) fn select(x: &Tensor, rows: Vec<u32>) -> Result<Tensor> {
    check(&rows, x)?;
    let count = rows.len();
    if kernels::apply_to(x) {
        let sources = upload(rows, (count, 1), x.device())?;
        return kernels::mix_rows(x, &sources, None);
    }
    x.index_select(&upload(rows, count, x.device())?, 0)
}

/// For each of the rows that come out, its sources among the rows of `x`, `[n, d]`, added in their shares.
///
/// # Errors
/// When a source is not there, or a device operation fails.
pub(crate) fn mix<const N: usize>(
    x: &Tensor,
    sources: &[[u32; N]],
    shares: &[[f32; N]],
) -> Result<Tensor> {
    check(sources.as_flattened(), x)?;
    if kernels::apply_to(x) {
        let shape = (sources.len(), N);
        let sources = upload(sources.as_flattened().to_vec(), shape, x.device())?;
        let shares = upload(shares.as_flattened().to_vec(), shape, x.device())?;
        return kernels::mix_rows(x, &sources, Some(&shares));
    }
    mix_with_candle(x, sources, shares)
}

fn mix_with_candle<const N: usize>(
    x: &Tensor,
    sources: &[[u32; N]],
    shares: &[[f32; N]],
) -> Result<Tensor> {
    let weighted = |i: usize| {
        let rows: Vec<u32> = sources.iter().map(|sources| sources[i]).collect();
        let rows = x.index_select(&upload(rows, sources.len(), x.device())?, 0)?;
        let shares: Vec<f32> = shares.iter().map(|shares| shares[i]).collect();
        let shares = upload(shares, (sources.len(), 1), x.device())?;
        rows.broadcast_mul(&shares.to_dtype(x.dtype())?)
    };
    let mut parts = (0..N).map(weighted).collect::<Result<Vec<_>>>()?;
    // Halves are added first.
    while parts.len() > 1 {
        parts = parts
            .chunks(2)
            .map(|pair| match pair {
                [one, other] => one + other,
                rest => Ok(rest[0].clone()),
            })
            .collect::<Result<_>>()?;
    }
    parts
        .pop()
        .ok_or_else(|| candle_core::Error::Msg("rows of no sources".into()))
}

fn check(rows: &[u32], x: &Tensor) -> Result<()> {
    let (n, _) = x.dims2()?;
    match rows.iter().find(|&&row| row as usize >= n) {
        Some(row) => bail!("row {row} of a matrix of {n} rows"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::kernels::emulation;
    use super::super::super::testing::{values, worst};
    use super::*;

    #[test]
    fn rows_are_found_and_mixed() -> Result<()> {
        let x = values(&[9, 12], 1)?;
        let sources = [[0, 8, 3, 3], [5, 5, 5, 5], [1, 2, 3, 4]];
        let shares = [[0.5, 0.25, 0.25, 0.0], [1.0, 0.0, 0.0, 0.0], [0.25; 4]];
        let mixed = mix(&x, &sources, &shares)?;
        assert!(worst(&mixed.narrow(0, 1, 1)?, &x.narrow(0, 5, 1)?)? == 0.0);
        assert!(worst(&select(&x, vec![5])?, &x.narrow(0, 5, 1)?)? == 0.0);
        emulation::with(|| {
            assert!(worst(&mix(&x, &sources, &shares)?, &mixed)? < 1e-6);
            assert!(worst(&select(&x, vec![5])?, &x.narrow(0, 5, 1)?)? == 0.0);
            assert!(select(&x, vec![9]).is_err());
            Ok(())
        })?;
        assert!(select(&x, vec![9]).is_err());
        assert!(mix(&x, &[[0, 9]], &[[0.5, 0.5]]).is_err());
        Ok(())
    }
}
