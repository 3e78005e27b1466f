//! How many clusters are stable: as many as come out alike when other vectors are drawn.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use super::{Settings, Vectors, cluster};
use crate::atlas::chance::Chance;

/// The numbers of clusters that are compared.
const RANGE: std::ops::RangeInclusive<usize> = 2..=20;
/// Pairs of halves for each.
const PAIRS: u64 = 4;
/// The most vectors of which halves are drawn.
const DRAWN: usize = 1 << 14;
/// What a stability may lie below the best one without being worse.
const ALIKE: f64 = 0.02;

/// How stable a number of clusters is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stability {
    /// The number of clusters.
    pub clusters: usize,
    /// The adjusted Rand index between the clusterings of two halves, on what they share; mean of all pairs.
    pub mean: f64,
    /// Its standard error.
    pub error: f64,
}

/// How stable the numbers of clusters 2 to 20 are, and which to take; `None` when `stop` was set meanwhile.
///
/// Two halves of the vectors (of a seeded sample of 16,384 where there are more) are drawn without regard to each other
/// and clustered, and the clusters compared on the vectors that are in both. Of the numbers whose mean index is within
/// 0.02 or one standard error of the best, the largest is taken: a coarser clustering than the data has is often as
/// stable as the right one, a finer one is not.
pub fn stability(
    vectors: Vectors<'_>,
    seed: u64,
    stop: &AtomicBool,
) -> Option<(usize, Vec<Stability>)> {
    let mut chance = Chance::of(seed, "stability", 0);
    let mut pool: Vec<usize> = (0..vectors.len()).collect();
    chance.shuffle(&mut pool);
    pool.truncate(DRAWN);
    let mut tried = Vec::new();
    for clusters in RANGE.take_while(|clusters| 4 * clusters <= pool.len()) {
        let mut indices = Vec::new();
        for pair in 0..PAIRS {
            let [a, b] = [0, 1].map(|side| {
                let mut half = pool.clone();
                Chance::of(seed, "half", 2 * pair + side).shuffle(&mut half);
                half.truncate(pool.len() / 2);
                half.sort_unstable();
                half
            });
            let of = |half: &[usize], side: u64| {
                let values = vectors.gather(half.iter().copied());
                let settings = Settings {
                    clusters,
                    restarts: 2,
                    seed: seed.wrapping_add(2 * pair + side),
                    whole: super::WHOLE,
                };
                cluster(Vectors::new(&values, vectors.width()), &settings, stop)
            };
            let (of_a, of_b) = (of(&a, 0)?, of(&b, 1)?);
            let in_b: BTreeMap<usize, u32> = b.into_iter().zip(of_b.labels).collect();
            let both: (Vec<u32>, Vec<u32>) = a
                .iter()
                .zip(&of_a.labels)
                .filter_map(|(index, label)| Some((*label, *in_b.get(index)?)))
                .unzip();
            indices.push(adjusted_rand(&both.0, &both.1));
        }
        let n = indices.len() as f64;
        let mean = indices.iter().sum::<f64>() / n;
        let variance = indices.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
        tried.push(Stability {
            clusters,
            mean,
            error: (variance / n).sqrt(),
        });
    }
    Some((chosen(&tried), tried))
}

/// The largest number of clusters that is as stable as any; 1 where none could be tried.
fn chosen(tried: &[Stability]) -> usize {
    let best = tried.iter().max_by(|a, b| a.mean.total_cmp(&b.mean));
    let Some(best) = best else { return 1 };
    let least = best.mean - best.error.max(ALIKE);
    let stable = tried.iter().filter(|one| one.mean >= least);
    stable.map(|one| one.clusters).max().unwrap_or(1)
}

/// The adjusted Rand index (Hubert and Arabie 1985) of two clusterings of the same things: 1 for the same clusters,
/// about 0 for clusters that have nothing to do with each other.
pub fn adjusted_rand(a: &[u32], b: &[u32]) -> f64 {
    let pairs = |n: u64| (n * n.saturating_sub(1) / 2) as f64;
    let mut cells = BTreeMap::<(u32, u32), u64>::new();
    let (mut rows, mut columns) = (BTreeMap::<u32, u64>::new(), BTreeMap::<u32, u64>::new());
    for (a, b) in a.iter().zip(b) {
        *cells.entry((*a, *b)).or_default() += 1;
        *rows.entry(*a).or_default() += 1;
        *columns.entry(*b).or_default() += 1;
    }
    let together: f64 = cells.values().map(|n| pairs(*n)).sum();
    let in_a: f64 = rows.values().map(|n| pairs(*n)).sum();
    let in_b: f64 = columns.values().map(|n| pairs(*n)).sum();
    let all = pairs(a.len().min(b.len()) as u64);
    let expected = if all > 0.0 { in_a * in_b / all } else { 0.0 };
    let most = f64::midpoint(in_a, in_b);
    if most - expected == 0.0 {
        return 1.0;
    }
    (together - expected) / (most - expected)
}
