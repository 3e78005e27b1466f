//! Centres moved until no vector changes its cluster.

use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::nearest::{Nearest, nearest};
use super::vectors::{Vectors, to_unit};
use super::{Clustering, SAME, without_empty};

/// The most rounds.
const ROUNDS: usize = 200;
/// The least gain in the mean similarity for which another round is taken.
const GAIN: f64 = 1e-6;
/// The pieces in which vectors are added, at most.
const PIECES: usize = 64;
/// The fewest vectors of a piece.
const LEAST_PIECE: usize = 4096;
/// Vectors that are added in f32 before they go into a sum of f64.
const TOGETHER: usize = 64;

/// Moves centres; `None` when `stop` was set meanwhile.
pub(super) fn lloyd(
    vectors: Vectors<'_>,
    mut centres: Vec<f32>,
    stop: &AtomicBool,
) -> Option<Clustering> {
    let mut found = nearest(vectors, &centres);
    let mut before = total(&found);
    for _ in 0..ROUNDS {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        centres = means(vectors, &found, centres);
        let next = nearest(vectors, &centres);
        let now = total(&next);
        let settled = next.labels == found.labels || now - before <= GAIN * vectors.len() as f64;
        (found, before) = (next, now);
        if settled {
            break;
        }
    }
    Some(without_empty(vectors, &centres, found))
}

fn total(found: &Nearest) -> f64 {
    found.similarities.iter().map(|s| f64::from(*s)).sum()
}

/// The directions of the means of all clusters. One that has become empty goes to the vector that is farthest from its
/// centre, or stays where no vector is away from its own.
fn means(vectors: Vectors<'_>, found: &Nearest, mut centres: Vec<f32>) -> Vec<f32> {
    let width = vectors.width();
    let (sums, counts) = sums(vectors, &found.labels, centres.len() / width);
    let mut empty = Vec::new();
    for (cluster, (centre, sum)) in centres
        .chunks_exact_mut(width)
        .zip(sums.chunks_exact(width))
        .enumerate()
    {
        if counts[cluster] == 0 {
            empty.push(cluster);
        }
        // Vectors that cancel out leave the centre where it was.
        let mut mean: Vec<f32> = scaled(sum);
        if to_unit(&mut mean) {
            centre.copy_from_slice(&mean);
        }
    }
    let mut taken: Vec<usize> = Vec::new();
    for cluster in empty {
        let away =
            |index: &usize| 1.0 - found.similarities[*index] > SAME && !taken.contains(index);
        let farthest = (0..vectors.len())
            .filter(away)
            .min_by(|a, b| found.similarities[*a].total_cmp(&found.similarities[*b]));
        let Some(index) = farthest else { break };
        centres[cluster * width..][..width].copy_from_slice(vectors.get(index));
        taken.push(index);
    }
    centres
}

/// A sum as f32, in which those of millions of vectors have a direction still.
pub(super) fn scaled(sum: &[f64]) -> Vec<f32> {
    let largest = sum.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
    if largest > 0.0 {
        sum.iter().map(|x| (x / largest) as f32).collect()
    } else {
        vec![0.0; sum.len()]
    }
}

/// The sum of the vectors of each cluster, and how many they are.
pub(super) fn sums(vectors: Vectors<'_>, labels: &[u32], clusters: usize) -> (Vec<f64>, Vec<u64>) {
    let width = vectors.width();
    let piece = vectors.len().div_ceil(PIECES).max(LEAST_PIECE);
    let pieces: Vec<(Vec<f64>, Vec<u64>)> = vectors
        .values()
        .par_chunks(piece * width)
        .zip(labels.par_chunks(piece))
        .map(|(values, labels)| piece_sums(values, labels, clusters, width))
        .collect();
    let mut all = (vec![0.0; clusters * width], vec![0; clusters]);
    for (sums, counts) in pieces {
        all.0
            .iter_mut()
            .zip(sums)
            .for_each(|(all, sum)| *all += sum);
        all.1.iter_mut().zip(counts).for_each(|(all, n)| *all += n);
    }
    all
}

fn piece_sums(
    values: &[f32],
    labels: &[u32],
    clusters: usize,
    width: usize,
) -> (Vec<f64>, Vec<u64>) {
    let mut sums = vec![0.0_f64; clusters * width];
    let mut counts = vec![0_u64; clusters];
    let mut part = vec![0.0_f32; clusters * width];
    let mut waiting = vec![0_usize; clusters];
    let flush = |cluster: usize, part: &mut [f32], sums: &mut [f64]| {
        let of = cluster * width..(cluster + 1) * width;
        for (sum, x) in sums[of.clone()].iter_mut().zip(&mut part[of]) {
            *sum += f64::from(*x);
            *x = 0.0;
        }
    };
    for (vector, label) in values.chunks_exact(width).zip(labels) {
        let cluster = *label as usize;
        counts[cluster] += 1;
        for (sum, x) in part[cluster * width..][..width].iter_mut().zip(vector) {
            *sum += x;
        }
        waiting[cluster] += 1;
        if waiting[cluster] == TOGETHER {
            flush(cluster, &mut part, &mut sums);
            waiting[cluster] = 0;
        }
    }
    for cluster in 0..clusters {
        flush(cluster, &mut part, &mut sums);
    }
    (sums, counts)
}
