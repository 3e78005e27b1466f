//! Repetition levels, as far as they tell where rows start: those of level 0 do.
//!
//! They stand in front of a page's values, in runs of equal ones and in groups of eight packed to bits.

/// Where rows start in a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Starts {
    /// How many do.
    pub(super) rows: usize,
    /// Whether the first value starts one, and does not go on with a row of the page before.
    pub(super) at_first: bool,
}

/// Reads the levels of a page's `values` values, none above `highest`; nothing if they are damaged.
pub(super) fn starts(page: &[u8], values: usize, highest: i16) -> Option<Starts> {
    let (bytes, rest) = page.split_first_chunk()?;
    let mut levels = rest.get(..u32::from_le_bytes(*bytes) as usize)?;
    let width = (16 - highest.max(1).leading_zeros()) as usize;
    let (mut rows, mut at_first, mut left) = (0, None, values);
    while left > 0 {
        let head = varint(&mut levels)?;
        let half = usize::try_from(head >> 1).ok()?;
        if head & 1 == 0 {
            let level = take(&mut levels, width.div_ceil(8))?;
            let is_start = level.iter().all(|byte| *byte == 0);
            let run = half.min(left);
            if run == 0 {
                continue;
            }
            rows += if is_start { run } else { 0 };
            at_first.get_or_insert(is_start);
            left -= run;
        } else {
            let packed = take(&mut levels, half.checked_mul(width)?)?;
            let bit = |at: usize| packed[at / 8] >> (at % 8) & 1;
            let run = half.checked_mul(8)?.min(left);
            for value in 0..run {
                let is_start = (value * width..(value + 1) * width).all(|at| bit(at) == 0);
                rows += usize::from(is_start);
                at_first.get_or_insert(is_start);
            }
            left -= run;
        }
    }
    Some(Starts {
        rows,
        at_first: at_first.unwrap_or(true),
    })
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(levels: &[u8]) -> Vec<u8> {
        [&(levels.len() as u32).to_le_bytes(), levels, b"values"].concat()
    }

    #[test]
    fn runs_and_packed_groups() {
        // Five ones in a run, then 0 1 1 0 0 0 1 0 packed, of which six count.
        let levels = page(&[5 << 1, 1, (1 << 1) | 1, 0b0100_0110]);
        let expected = Starts {
            rows: 4,
            at_first: false,
        };
        assert_eq!(starts(&levels, 11, 1), Some(expected));
        // Two bits each: 0 2 1 3 0 0 0 0.
        let levels = page(&[(1 << 1) | 1, 0b1101_1000, 0]);
        let expected = Starts {
            rows: 5,
            at_first: true,
        };
        assert_eq!(starts(&levels, 8, 3), Some(expected));
        assert_eq!(starts(&levels, 8, 2), Some(expected));
    }

    #[test]
    fn damaged_levels_tell_nothing() {
        for levels in [&[][..], &[0x80], &[5 << 1], &[(9 << 1) | 1, 0], &[0xff; 12]] {
            assert_eq!(starts(&page(levels), 9, 1), None, "{levels:?}");
        }
        assert_eq!(starts(&[9, 0, 0, 0, 1], 1, 1), None);
        assert_eq!(starts(&[1, 0], 1, 1), None);
    }
}
