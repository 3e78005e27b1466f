//! The order in which samples are drawn from a dataset.

use std::collections::BinaryHeap;

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The first `n` of the rows `0..len` (all of them when `n` is larger) in the order that `seed` gives.
///
/// Row r stands at the rank of XXH3-64(r as 8 little-endian bytes, seed); equal hashes keep the order of the rows. So
/// the order is *prefix-stable* (a larger `n` continues it) and the same on every platform. Takes O(len · log n) time
/// and O(n) memory.
pub fn order(len: u64, seed: u64, n: u64) -> Vec<u64> {
    let n = usize::try_from(n.min(len)).expect("as many rows as fit in memory are asked for");
    // The n smallest keys so far; the largest of them on top, to be driven out.
    let mut first = BinaryHeap::with_capacity(n);
    for row in 0..len {
        let key = (xxh3_64_with_seed(&row.to_le_bytes(), seed), row);
        if first.len() < n {
            first.push(key);
        } else if let Some(mut largest) = first.peek_mut()
            && key < *largest
        {
            *largest = key;
        }
    }
    first
        .into_sorted_vec()
        .into_iter()
        .map(|(_, row)| row)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::order;

    /// From the C library xxHash 0.8.4 (Python package xxhash 4.1.0), sorted by (hash, row).
    #[test]
    fn golden() {
        assert_eq!(order(1000, 0, 8), [704, 689, 816, 388, 583, 327, 749, 845]);
        assert_eq!(order(1000, 42, 8), [215, 407, 801, 266, 580, 531, 505, 652]);
        assert_eq!(
            order(1000, u64::MAX, 8),
            [937, 549, 499, 278, 361, 59, 197, 87]
        );
        assert_eq!(order(5, 0, 5), [2, 1, 3, 0, 4]);
    }

    #[test]
    fn edges() {
        assert!(order(0, 1, 5).is_empty());
        assert!(order(5, 1, 0).is_empty());
        assert_eq!(order(3, 1, u64::MAX).len(), 3);
    }

    proptest! {
        #[test]
        fn prefix_stable_and_every_row_once(len in 0_u64..300, seed: u64, n in 0_u64..300) {
            let mut all = order(len, seed, len);
            prop_assert_eq!(&all[..n.min(len) as usize], &order(len, seed, n)[..]);
            all.sort_unstable();
            prop_assert_eq!(all, (0..len).collect::<Vec<_>>());
        }
    }
}
