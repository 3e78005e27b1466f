//! Greedy k-means++: each further centre is the best of several draws, which fall the likelier on a vector the farther it
//! is from the centres that there are. Arthur and Vassilvitskii (2007), with the draws that scikit-learn takes.

use super::SAME;
use super::nearest::products;
use super::vectors::Vectors;
use crate::atlas::chance::Chance;

/// Draws for each centre.
fn candidates(clusters: usize) -> usize {
    2 + (clusters as f64).ln() as usize
}

/// Centres to start from; fewer than `clusters` where fewer vectors differ. There must be a vector.
pub(super) fn seeds(vectors: Vectors<'_>, clusters: usize, chance: &mut Chance) -> Vec<f32> {
    let first = vectors.get(chance.below(vectors.len()));
    let mut centres = first.to_vec();
    let mut distances: Vec<f32> = products(vectors, first).into_iter().map(distance).collect();
    while centres.len() < clusters * vectors.width() {
        let Some(drawn) = draw(&distances, candidates(clusters), chance) else {
            break;
        };
        let candidates = vectors.gather(drawn.into_iter());
        let products = products(vectors, &candidates);
        let count = candidates.len() / vectors.width();
        let mut left = vec![0.0_f64; count];
        for (products, distance_now) in products.chunks_exact(count).zip(&distances) {
            for (left, product) in left.iter_mut().zip(products) {
                *left += f64::from(distance_now.min(distance(*product)));
            }
        }
        let best = (0..count).fold(0, |best, i| if left[i] < left[best] { i } else { best });
        centres.extend_from_slice(&candidates[best * vectors.width()..][..vectors.width()]);
        for (products, distance_now) in products.chunks_exact(count).zip(&mut distances) {
            *distance_now = distance_now.min(distance(products[best]));
        }
    }
    centres
}

/// Half the squared distance of two unit vectors; 0 for two that are the same.
fn distance(product: f32) -> f32 {
    let distance = 1.0 - product;
    if distance <= SAME { 0.0 } else { distance }
}

/// Draws vectors, each with a probability that goes by its distance; `None` when all are 0.
fn draw(distances: &[f32], count: usize, chance: &mut Chance) -> Option<Vec<usize>> {
    let mut sum = 0.0_f64;
    let sums: Vec<f64> = distances
        .iter()
        .map(|distance| {
            sum += f64::from(*distance);
            sum
        })
        .collect();
    if sum <= 0.0 {
        return None;
    }
    let one = |_| {
        let at = chance.uniform() * sum;
        // Never past the last vector that is away from all centres.
        let found = sums.partition_point(|sum| *sum <= at);
        found.min(sums.partition_point(|before| *before < sum))
    };
    Some((0..count).map(one).collect())
}
