//! How often a replicate draws a sample: independent Poisson numbers of mean 1, which is what drawing n of n samples with
//! replacement comes to (Chamandy et al. 2012, "Estimating uncertainty for massive data streams").
//!
//! A number depends on the seed, the dataset's name, the row and the replicate alone. So it is the same in whatever order
//! samples come, and two runs over the same rows, with two checkpoints say, have replicates that can be compared one by
//! one.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// No number above this is drawn; the chance of one is below 2⁻³².
const MOST: usize = 12;
/// `THRESHOLDS[j]`: 2³² times the probability of j or less.
const THRESHOLDS: [u32; MOST] = thresholds();

const fn thresholds() -> [u32; MOST] {
    let mut thresholds = [0; MOST];
    let mut term = 1.0 / std::f64::consts::E;
    let mut sum = 0.0;
    let mut j = 0;
    while j < MOST {
        sum += term;
        let scaled = sum * (1_u64 << 32) as f64;
        thresholds[j] = if scaled >= u32::MAX as f64 {
            u32::MAX
        } else {
            scaled as u32
        };
        j += 1;
        term /= j as f64;
    }
    thresholds
}

/// The numbers of one dataset.
#[derive(Clone, Copy)]
pub(super) struct Draws {
    key: u64,
}

impl Draws {
    pub(super) fn new(dataset: &str, seed: u64) -> Self {
        Self {
            key: xxh3_64_with_seed(dataset.as_bytes(), seed),
        }
    }

    /// How often each of the replicates draws the sample of `row`.
    pub(super) fn of(self, row: u64, replicates: Range<u32>) -> impl Iterator<Item = u32> {
        let mut key = [0; 24];
        key[..8].copy_from_slice(&self.key.to_le_bytes());
        key[8..16].copy_from_slice(&row.to_le_bytes());
        let mut pair = None;
        replicates.map(move |replicate| {
            let number = u64::from(replicate / 2);
            // A hash is good for two draws.
            let hash = match pair {
                Some((of, hash)) if of == number => hash,
                _ => {
                    key[16..].copy_from_slice(&number.to_le_bytes());
                    let hash = xxh3_64_with_seed(&key, 0);
                    pair = Some((number, hash));
                    hash
                }
            };
            let uniform = (hash >> (32 * (replicate % 2))) as u32;
            THRESHOLDS
                .iter()
                .take_while(|threshold| uniform >= **threshold)
                .count() as u32
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_poisson_and_independent() {
        let draws = Draws::new("a", 7);
        let (rows, replicates) = (2_000_u32, 0..500);
        let count = f64::from(replicates.end) * f64::from(rows);
        let mut seen = [0.0; MOST + 1];
        let (mut next, mut below) = (0.0, 0.0);
        let mut last = vec![0; replicates.len()];
        for row in 0..rows {
            let of: Vec<u32> = draws.of(u64::from(row), replicates.clone()).collect();
            for (r, &number) in of.iter().enumerate() {
                seen[number as usize] += 1.0;
                let centred = f64::from(number) - 1.0;
                if r > 0 {
                    next += centred * (f64::from(of[r - 1]) - 1.0);
                }
                below += centred * (f64::from(last[r]) - 1.0);
            }
            last = of;
        }
        let mut expected = count / std::f64::consts::E;
        for (j, seen) in seen.iter().take(6).enumerate() {
            assert!(
                (seen - expected).abs() < 4.0 * expected.sqrt(),
                "{j}: {seen}, {expected}"
            );
            expected /= (j + 1) as f64;
        }
        // Products of two independent ones have mean 0 and variance 1.
        for sum in [next, below] {
            assert!(sum.abs() < 4.0 * count.sqrt(), "{sum}");
        }
    }

    #[test]
    fn a_number_does_not_depend_on_what_is_asked_for_with_it() {
        let draws = Draws::new("a", 0);
        let all: Vec<u32> = draws.of(5, 0..100).collect();
        let part: Vec<u32> = draws.of(5, 37..63).collect();
        assert_eq!(all[37..63], part);
        assert_ne!(all, draws.of(6, 0..100).collect::<Vec<_>>());
        assert_ne!(all, Draws::new("b", 0).of(5, 0..100).collect::<Vec<_>>());
        assert_ne!(all, Draws::new("a", 1).of(5, 0..100).collect::<Vec<_>>());
    }
}
