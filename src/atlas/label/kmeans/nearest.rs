//! Which centre is nearest to each vector.

use rayon::prelude::*;

use super::vectors::Vectors;
use crate::vlm::ops::gemm::{Gemm, View};

/// Vectors that are multiplied with the centres at a time; their products stay in the cache.
const BLOCK: usize = 512;

/// The nearest centre of each vector.
pub(super) struct Nearest {
    /// Which it is; the first of several.
    pub(super) labels: Vec<u32>,
    /// The product with it.
    pub(super) similarities: Vec<f32>,
}

/// Finds the centre that is nearest to each vector.
pub(super) fn nearest(vectors: Vectors<'_>, centres: &[f32]) -> Nearest {
    let mut labels = vec![0_u32; vectors.len()];
    let mut similarities = vec![0.0_f32; vectors.len()];
    each_block(
        vectors,
        centres,
        labels
            .par_chunks_mut(BLOCK)
            .zip(similarities.par_chunks_mut(BLOCK)),
        |(labels, similarities), products, clusters| {
            for ((products, label), similarity) in products
                .chunks_exact(clusters)
                .zip(labels)
                .zip(similarities)
            {
                (*label, *similarity) = (0, products[0]);
                for (cluster, product) in products.iter().enumerate().skip(1) {
                    if *product > *similarity {
                        (*label, *similarity) = (cluster as u32, *product);
                    }
                }
            }
        },
    );
    Nearest {
        labels,
        similarities,
    }
}

/// Calls `fill` with each block's place in the output, its products `[block, centres]` and the number of centres.
pub(super) fn each_block<T: Send>(
    vectors: Vectors<'_>,
    centres: &[f32],
    places: impl IndexedParallelIterator<Item = T>,
    fill: impl Fn(T, &[f32], usize) + Sync,
) {
    let width = vectors.width();
    let clusters = centres.len() / width;
    let blocks = vectors.values().par_chunks(BLOCK * width);
    blocks.zip(places).for_each_init(
        || vec![0.0; BLOCK * clusters],
        |products, (block, place)| {
            let rows = block.len() / width;
            let products = &mut products[..rows * clusters];
            let gemm = Gemm {
                m: rows,
                n: clusters,
                k: width,
                alpha: 1.0,
                parallel: false,
            };
            let lhs = View {
                data: block,
                row_stride: width,
                col_stride: 1,
            };
            let rhs = View {
                data: centres,
                row_stride: 1,
                col_stride: width,
            };
            gemm.run(products, clusters, lhs, rhs);
            fill(place, products, clusters);
        },
    );
}

/// The products of all vectors with some centres `[vectors, centres]`.
pub(super) fn products(vectors: Vectors<'_>, centres: &[f32]) -> Vec<f32> {
    let clusters = centres.len() / vectors.width();
    let mut all = vec![0.0; vectors.len() * clusters];
    let places = all.par_chunks_mut(BLOCK * clusters);
    each_block(vectors, centres, places, |place, products, _| {
        place.copy_from_slice(products);
    });
    all
}
