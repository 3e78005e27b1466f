//! How many tokens rows have.

use serde::Serialize;

/// A distribution, exact: a quantile is the least length that as large a share of the rows does not exceed. All zero of
/// no rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lengths {
    /// The shortest.
    pub min: u32,
    /// Half of the rows are no longer.
    pub median: u32,
    /// 90 % are no longer.
    pub p90: u32,
    /// 99 % are no longer.
    pub p99: u32,
    /// The longest.
    pub max: u32,
}

impl Lengths {
    /// Of all lengths, which are put into another order.
    pub(super) fn of(lengths: &mut [u32]) -> Self {
        let Some(last) = lengths.len().checked_sub(1) else {
            return Self::default();
        };
        lengths.sort_unstable();
        let at = |percent: usize| lengths[(percent * lengths.len()).div_ceil(100).max(1) - 1];
        Self {
            min: lengths[0],
            median: at(50),
            p90: at(90),
            p99: at(99),
            max: lengths[last],
        }
    }
}

/// The median of numbers that are put into another order, as of [`Lengths`]; `None` of none.
pub(super) fn median(numbers: &mut [u32]) -> Option<u32> {
    let middle = numbers.len().div_ceil(2).checked_sub(1)?;
    Some(*numbers.select_nth_unstable(middle).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_lengths_that_occur() {
        let of = |lengths: &[u32]| {
            let Lengths {
                min,
                median,
                p90,
                p99,
                max,
            } = Lengths::of(&mut lengths.to_vec());
            [min, median, p90, p99, max]
        };
        assert_eq!(of(&[]), [0; 5]);
        assert_eq!(of(&[7]), [7; 5]);
        assert_eq!(of(&[9, 1]), [1, 1, 9, 9, 9]);
        assert_eq!(of(&[3, 1, 2]), [1, 2, 3, 3, 3]);
        let hundred: Vec<u32> = (1..=100).rev().collect();
        assert_eq!(of(&hundred), [1, 50, 90, 99, 100]);
        let thousand: Vec<u32> = (1..=1000).map(|i| (i * 7919) % 1009).collect();
        let mut sorted = thousand.clone();
        sorted.sort_unstable();
        let rank = |rank: usize| sorted[rank - 1];
        assert_eq!(
            of(&thousand),
            [rank(1), rank(500), rank(900), rank(990), rank(1000)]
        );
    }

    #[test]
    fn medians() {
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [4]), Some(4));
        assert_eq!(median(&mut [9, 1, 5, 3]), Some(3));
        assert_eq!(median(&mut [9, 1, 5]), Some(5));
    }
}
