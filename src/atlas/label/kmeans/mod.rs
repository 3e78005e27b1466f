//! Spherical k-means (Dhillon and Modha 2001): clusters of unit vectors by their angle.
//!
//! A centre is the mean of its vectors, made a unit vector; every vector belongs to the centre with which its product is
//! largest. Centres are seeded by greedy k-means++ (Arthur and Vassilvitskii 2007) and moved until no vector changes its
//! cluster. Several starts compete: on all vectors where they are at most [`COMPARED`], and else on a seeded sample of so
//! many, from which only the best goes on to all vectors. Above [`WHOLE`] vectors it goes on in mini-batches (Sculley
//! 2010), and all vectors are assigned once, at the end.
//!
//! All sums are taken in pieces that hang on the number of vectors alone and are added in their order, so that the
//! clusters are the same on any number of threads.
//!
//! # Memory
//! Besides the vectors: 8 bytes for each, a copy of [`COMPARED`] vectors where there are more, and 64 sums of all centres.

mod batches;
mod lloyd;
mod nearest;
mod seeding;
mod stability;
mod vectors;

use std::sync::atomic::{AtomicBool, Ordering};

pub use stability::{Stability, adjusted_rand, stability};
pub use vectors::Vectors;

use crate::atlas::chance::Chance;
use crate::dataset::order;
use nearest::{Nearest, nearest};

/// Vectors among which starts compete.
pub const COMPARED: usize = 1 << 16;
/// The most vectors that are all looked at in every round; of more, batches are.
pub const WHOLE: usize = 1_000_000;
/// Two unit vectors with a product of no less than 1 − this are the same: f32 says no more of a few thousand numbers.
const SAME: f32 = 4e-6;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Clusters.
    pub clusters: usize,
    /// Starts; the best is kept.
    pub restarts: u32,
    /// Seeds all that is drawn.
    pub seed: u64,
    /// The most vectors that are all looked at in every round; [`WHOLE`] but in tests.
    pub whole: usize,
}

/// Vectors in clusters, none of which is empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Clustering {
    /// The centres, unit vectors, one after the other. Fewer than were asked for where fewer vectors differ.
    pub centres: Vec<f32>,
    /// Numbers of a centre.
    pub width: usize,
    /// The cluster of each vector.
    pub labels: Vec<u32>,
    /// The product of each vector with its centre.
    pub similarities: Vec<f32>,
}

impl Clustering {
    /// How many clusters there are.
    pub fn clusters(&self) -> usize {
        self.centres.len() / self.width.max(1)
    }

    /// The centre of a cluster.
    ///
    /// # Panics
    /// When there is no such cluster.
    pub fn centre(&self, cluster: usize) -> &[f32] {
        &self.centres[cluster * self.width..][..self.width]
    }

    /// The squared distances of all vectors from their centres, together: 2 − 2·similarity each.
    pub fn inertia(&self) -> f64 {
        let distances = self.similarities.iter().map(|s| 2.0 - 2.0 * f64::from(*s));
        distances.sum()
    }
}

/// Clusters unit vectors; `None` when `stop` was set meanwhile.
pub fn cluster(vectors: Vectors<'_>, settings: &Settings, stop: &AtomicBool) -> Option<Clustering> {
    if vectors.is_empty() || settings.clusters == 0 {
        return Some(Clustering {
            centres: Vec::new(),
            width: vectors.width(),
            labels: vec![0; vectors.len()],
            similarities: vec![0.0; vectors.len()],
        });
    }
    if vectors.len() <= COMPARED {
        return best_start(vectors, settings, stop);
    }
    let mut chosen = order(vectors.len() as u64, settings.seed, COMPARED as u64);
    chosen.sort_unstable();
    let sample = vectors.gather(chosen.into_iter().map(|index| index as usize));
    let start = best_start(Vectors::new(&sample, vectors.width()), settings, stop)?;
    drop(sample);
    if vectors.len() <= settings.whole {
        return lloyd::lloyd(vectors, start.centres, stop);
    }
    let centres = batches::batches(vectors, &start, settings.seed, stop)?;
    let found = nearest(vectors, &centres);
    Some(without_empty(vectors, &centres, found))
}

/// The best of several starts.
fn best_start(vectors: Vectors<'_>, settings: &Settings, stop: &AtomicBool) -> Option<Clustering> {
    let mut best: Option<Clustering> = None;
    for restart in 0..settings.restarts.max(1) {
        let mut chance = Chance::of(settings.seed, "k-means++", restart.into());
        let centres = seeding::seeds(vectors, settings.clusters, &mut chance);
        let found = lloyd::lloyd(vectors, centres, stop)?;
        if best
            .as_ref()
            .is_none_or(|best| found.inertia() < best.inertia())
        {
            best = Some(found);
        }
        if stop.load(Ordering::Relaxed) {
            return None;
        }
    }
    best
}

/// A clustering without the centres that no vector belongs to.
fn without_empty(vectors: Vectors<'_>, centres: &[f32], found: Nearest) -> Clustering {
    let width = vectors.width();
    let mut used = vec![false; centres.len() / width];
    for label in &found.labels {
        used[*label as usize] = true;
    }
    let mut new = vec![0_u32; used.len()];
    let (mut kept, mut count) = (Vec::with_capacity(centres.len()), 0);
    for (cluster, centre) in centres.chunks_exact(width).enumerate() {
        if used[cluster] {
            new[cluster] = count;
            count += 1;
            kept.extend_from_slice(centre);
        }
    }
    let labels = found.labels.iter().map(|label| new[*label as usize]);
    Clustering {
        centres: kept,
        width,
        labels: labels.collect(),
        similarities: found.similarities,
    }
}

#[cfg(test)]
mod tests;
