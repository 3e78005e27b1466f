//! How long the search's surrogate takes to learn, hyperparameters and all, and to judge candidates; 500 runs of 50 cells
//! are what a long search comes to.
//!
//!     cargo bench --bench surrogate
//!     cargo bench --bench surrogate -- 'fit/500x50'

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion};
use madmix::atlas::surrogate::{GaussianProcess, Observations, Surrogate};

/// Mixtures from sparse to even, and values that depend on some of their shares.
fn runs(n: usize, cells: usize) -> Observations {
    let mut state = 1_u64;
    let mut random = || {
        // xorshift64*
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut observations = Observations::default();
    for _ in 0..n {
        let mut point: Vec<f64> = (0..cells).map(|_| random().powi(4)).collect();
        let sum: f64 = point.iter().sum();
        for share in &mut point {
            *share /= sum;
        }
        let known = point.iter().take(8).enumerate();
        let value: f64 = known
            .map(|(i, share)| -(0.01 + share).ln() / (1 + i) as f64)
            .sum();
        observations.values.push(value + 0.05 * random());
        observations.points.push(point);
    }
    observations
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let cases = [(64, 17), (128, 17), (500, 50)];
    let mut group = criterion.benchmark_group("fit");
    group.sample_size(10);
    for (n, cells) in cases {
        let runs = runs(n, cells);
        group.bench_function(
            BenchmarkId::from_parameter(format!("{n}x{cells}")),
            |bencher| {
                bencher
                    .iter(|| black_box(GaussianProcess::learn(&runs, 0).expect("they are runs")));
            },
        );
    }
    group.finish();
    let mut group = criterion.benchmark_group("predict 1000");
    group.sample_size(10);
    for (n, cells) in cases {
        let process = GaussianProcess::learn(&runs(n, cells), 0).expect("they are runs");
        let candidates = runs(1000, cells).points;
        group.bench_function(
            BenchmarkId::from_parameter(format!("{n}x{cells}")),
            |bencher| {
                bencher.iter(|| black_box(process.predict(&candidates)));
            },
        );
    }
    group.finish();
    criterion.final_summary();
}
