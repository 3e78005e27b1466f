use std::sync::atomic::AtomicBool;

use proptest::prelude::*;

use super::vectors::to_unit;
use super::*;

/// Vectors that scikit-learn clustered, with its labels, and its inertia about means and about unit means.
struct Fixture {
    vectors: Vec<f32>,
    width: usize,
    labels: Vec<u32>,
    inertia: [f64; 2],
}

fn fixture(name: &str) -> Fixture {
    let path = format!(
        "{}/tests/fixtures/atlas_label/{name}.safetensors",
        env!("CARGO_MANIFEST_DIR")
    );
    let bytes = fs_err::read(path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let words = |name: &str| tensors.tensor(name).unwrap().data().to_vec();
    let four = |bytes: &[u8]| <[u8; 4]>::try_from(bytes).unwrap();
    let eight = |bytes: &[u8]| <[u8; 8]>::try_from(bytes).unwrap();
    let inertia: Vec<f64> = words("inertia")
        .chunks(8)
        .map(|bytes| f64::from_le_bytes(eight(bytes)))
        .collect();
    Fixture {
        vectors: words("vectors")
            .chunks(4)
            .map(|bytes| f32::from_le_bytes(four(bytes)))
            .collect(),
        width: tensors.tensor("vectors").unwrap().shape()[1],
        labels: words("labels")
            .chunks(4)
            .map(|bytes| u32::from_le_bytes(four(bytes)))
            .collect(),
        inertia: [inertia[0], inertia[1]],
    }
}

fn settings(clusters: usize) -> Settings {
    Settings {
        clusters,
        restarts: 8,
        seed: 3,
        whole: WHOLE,
    }
}

fn run(vectors: &[f32], width: usize, settings: &Settings) -> Clustering {
    let never = AtomicBool::new(false);
    cluster(Vectors::new(vectors, width), settings, &never).unwrap()
}

/// The inertia of a partition about its means, as scikit-learn has it.
fn about_means(vectors: &[f32], width: usize, labels: &[u32]) -> f64 {
    let clusters = *labels.iter().max().unwrap() as usize + 1;
    let (mut sums, mut counts) = (vec![0.0; clusters * width], vec![0.0; clusters]);
    for (vector, label) in vectors.chunks(width).zip(labels) {
        let label = *label as usize;
        counts[label] += 1.0;
        for (sum, x) in sums[label * width..][..width].iter_mut().zip(vector) {
            *sum += f64::from(*x);
        }
    }
    let distances = vectors
        .chunks(width)
        .zip(labels)
        .flat_map(|(vector, label)| {
            let label = *label as usize;
            let mean = sums[label * width..][..width].iter();
            let count = counts[label];
            vector
                .iter()
                .zip(mean)
                .map(move |(x, sum)| (f64::from(*x) - sum / count).powi(2))
        });
    distances.sum()
}

/// Whether two clusterings are the same.
fn same(a: &[u32], b: &[u32]) -> bool {
    (adjusted_rand(a, b) - 1.0).abs() < 1e-12
}

/// Unit vectors about `centres` unit means, as many about each.
fn blobs(n: usize, width: usize, centres: usize, noise: f64, seed: u64) -> (Vec<f32>, Vec<u32>) {
    let mut chance = Chance::new(seed);
    let mut means: Vec<f32> = (0..centres * width)
        .map(|_| chance.normal() as f32)
        .collect();
    means
        .chunks_mut(width)
        .for_each(|mean| assert!(to_unit(mean)));
    let mut values = Vec::with_capacity(n * width);
    for i in 0..n {
        let mean = &means[i % centres * width..][..width];
        values.extend(mean.iter().map(|x| x + (noise * chance.normal()) as f32));
    }
    values
        .chunks_mut(width)
        .for_each(|vector| assert!(to_unit(vector)));
    (values, (0..n).map(|i| (i % centres) as u32).collect())
}

#[test]
fn inertia_is_scikit_learns_within_one_percent() {
    for (name, clusters) in [("pictures", 6), ("blobs", 8)] {
        let fixture = fixture(name);
        let found = run(&fixture.vectors, fixture.width, &settings(clusters));
        let ours = about_means(&fixture.vectors, fixture.width, &found.labels);
        assert!(
            ours <= 1.01 * fixture.inertia[0],
            "{name}: {ours} about means, and {} of scikit-learn",
            fixture.inertia[0]
        );
        let spherical = found.inertia();
        assert!(
            spherical <= 1.01 * fixture.inertia[1],
            "{name}: {spherical} about unit means, and {}",
            fixture.inertia[1]
        );
        let alike = adjusted_rand(&found.labels, &fixture.labels);
        assert!(alike > 0.6, "{name}: adjusted Rand index {alike}");
    }
}

#[test]
fn the_same_on_any_number_of_threads() {
    let (vectors, _) = blobs(20_000, 16, 7, 0.3, 5);
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.build().unwrap();
        pool.install(|| run(&vectors, 16, &settings(9)))
    };
    assert_eq!(on(1), on(3));
}

#[test]
fn batches_find_what_rounds_find() {
    let (vectors, truth) = blobs(80_000, 12, 6, 0.08, 1);
    let whole = run(&vectors, 12, &settings(6));
    let batched = run(
        &vectors,
        12,
        &Settings {
            whole: 1000,
            ..settings(6)
        },
    );
    assert!(same(&whole.labels, &truth));
    assert!(same(&batched.labels, &truth));
    assert!(batched.inertia() <= 1.01 * whole.inertia());
}

#[test]
fn fewer_different_vectors_than_clusters_give_as_many_clusters() {
    let mut vectors = [[1.0, 0.0, 0.0], [0.0, 0.6, 0.8], [0.0, 0.0, 1.0]]
        .concat()
        .repeat(50);
    let found = run(&vectors, 3, &settings(8));
    assert_eq!(found.clusters(), 3);
    assert!(found.inertia() < 1e-5);
    vectors.truncate(3);
    assert_eq!(run(&vectors, 3, &settings(8)).clusters(), 1);
    assert_eq!(run(&[], 3, &settings(8)).clusters(), 0);
}

#[test]
fn a_centre_without_vectors_goes_to_the_farthest() {
    let (vectors, truth) = blobs(300, 8, 3, 0.02, 2);
    let all = Vectors::new(&vectors, 8);
    // The third is opposite to the first, which no vector is near.
    let mut centres = [all.get(0), all.get(1)].concat();
    centres.extend(all.get(0).iter().map(|x| -x));
    let found = lloyd::lloyd(all, centres, &AtomicBool::new(false)).unwrap();
    assert!(same(&found.labels, &truth));
}

#[test]
fn a_stop_ends_it() {
    let (vectors, _) = blobs(100, 8, 3, 0.1, 2);
    let stop = AtomicBool::new(true);
    assert!(cluster(Vectors::new(&vectors, 8), &settings(3), &stop).is_none());
}

#[test]
fn as_many_clusters_as_there_are_blobs_are_stable() {
    for blob_count in [3, 7] {
        let (vectors, _) = blobs(1500, 16, blob_count, 0.08, 4);
        let never = AtomicBool::new(false);
        let (chosen, tried) = stability(Vectors::new(&vectors, 16), 0, &never).unwrap();
        assert_eq!(chosen, blob_count, "{tried:?}");
    }
}

#[test]
fn the_adjusted_rand_index_is_scikit_learns() {
    // sklearn.metrics.adjusted_rand_score
    let near = |a: &[u32], b: &[u32], expected: f64| {
        assert!((adjusted_rand(a, b) - expected).abs() < 1e-12);
    };
    near(&[0, 0, 1, 1], &[1, 1, 0, 0], 1.0);
    near(&[0, 0, 1, 2], &[0, 0, 1, 1], 0.571_428_571_428_571_4);
    near(&[0, 0, 1, 1], &[0, 1, 0, 1], -0.5);
    near(&[0, 0, 0], &[0, 0, 0], 1.0);
}

#[test]
fn a_vector_without_a_direction_is_told() {
    let mut vector = [3e30, 4e30];
    assert!(to_unit(&mut vector));
    assert!((vector[0] - 0.6).abs() < 1e-7 && (vector[1] - 0.8).abs() < 1e-7);
    for mut vector in [[0.0, 0.0], [f32::NAN, 1.0]] {
        assert!(!to_unit(&mut vector));
        assert!(vector.iter().all(|x| x.abs() <= 0.0));
    }
}

proptest! {
    #[test]
    fn every_vector_is_with_its_nearest_centre(seed: u64, n in 1_usize..60, k in 1_usize..9) {
        let (vectors, _) = blobs(n, 5, 3, 0.5, seed);
        let found = run(&vectors, 5, &Settings { restarts: 1, ..settings(k) });
        prop_assert!(found.clusters() >= 1 && found.clusters() <= k.min(n));
        for (i, vector) in vectors.chunks(5).enumerate() {
            let product = |c: usize| -> f32 {
                found.centre(c).iter().zip(vector).map(|(a, b)| a * b).sum()
            };
            let own = product(found.labels[i] as usize);
            prop_assert!((own - found.similarities[i]).abs() < 1e-5);
            for c in 0..found.clusters() {
                prop_assert!(product(c) <= own + 1e-5);
            }
        }
        for cluster in 0..found.clusters() {
            prop_assert!(found.labels.contains(&(cluster as u32)));
        }
    }
}

/// `cargo test --release --lib kmeans -- --ignored --nocapture`; needs 4 GB.
#[test]
#[ignore = "takes a minute and 4 GB"]
#[expect(clippy::print_stdout, reason = "its point is the time it prints")]
fn a_million_vectors_of_768_take_less_than_two_minutes() {
    for (name, noise) in [("apart", 0.02), ("running into each other", 0.6)] {
        let (vectors, truth) = blobs(1_000_000, 768, 10, noise, 9);
        let started = std::time::Instant::now();
        let found = run(
            &vectors,
            768,
            &Settings {
                restarts: 4,
                ..settings(10)
            },
        );
        let seconds = started.elapsed().as_secs_f64();
        println!(
            "blobs {name}: {seconds:.1} s on {} threads, adjusted Rand index {:.3}",
            rayon::current_num_threads(),
            adjusted_rand(&found.labels, &truth)
        );
        assert!(seconds < 120.0);
    }
}
