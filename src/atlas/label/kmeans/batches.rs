//! Centres moved by batches of the vectors: Sculley (2010), each centre the running mean of all that it was given.

use std::sync::atomic::{AtomicBool, Ordering};

use super::Clustering;
use super::lloyd::{scaled, sums};
use super::nearest::nearest;
use super::vectors::{Vectors, to_unit};
use crate::atlas::chance::Chance;

/// Vectors of a batch.
const BATCH: usize = 1 << 14;
/// Batches; with them 1.6 million vectors are looked at.
const BATCHES: u64 = 100;

/// Goes on from the clusters of a sample; `None` when `stop` was set meanwhile.
pub(super) fn batches(
    vectors: Vectors<'_>,
    start: &Clustering,
    seed: u64,
    stop: &AtomicBool,
) -> Option<Vec<f32>> {
    let width = vectors.width();
    let mut centres = start.centres.clone();
    // What the sample said counts as one batch, so that batches can say otherwise.
    let mut counts = vec![0_f64; start.clusters()];
    for label in &start.labels {
        counts[*label as usize] += BATCH as f64 / start.labels.len() as f64;
    }
    let mut running: Vec<f64> = Vec::with_capacity(centres.len());
    for (centre, count) in centres.chunks_exact(width).zip(&counts) {
        running.extend(centre.iter().map(|x| f64::from(*x) * count));
    }
    for number in 0..BATCHES {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        let mut chance = Chance::of(seed, "batch", number);
        let mut drawn: Vec<usize> = (0..BATCH).map(|_| chance.below(vectors.len())).collect();
        drawn.sort_unstable();
        let batch = vectors.gather(drawn.into_iter());
        let batch = Vectors::new(&batch, width);
        let found = nearest(batch, &centres);
        let (sums, _) = sums(batch, &found.labels, counts.len());
        running
            .iter_mut()
            .zip(sums)
            .for_each(|(all, sum)| *all += sum);
        for (centre, sum) in centres
            .chunks_exact_mut(width)
            .zip(running.chunks_exact(width))
        {
            let mut mean = scaled(sum);
            if to_unit(&mut mean) {
                centre.copy_from_slice(&mean);
            }
        }
    }
    Some(centres)
}
