//! How long weights take, for as many domains as table 5 of the paper has and ten times that; 2 modalities of 896
//! columns, as LLaVA-OneVision 0.5B gives them. The paper's seconds on an A100: 0.07, 0.09, 0.48 and 21.85 for 10, 100,
//! 1,000 and 10,000 domains.
//!
//!     cargo bench --bench solve
//!     cargo bench --bench solve -- mad-mix/10000

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion};
use madmix::mix::{Centroids, Domain, MOST_ROWS, Parameters, Solver, View, lambda_path};
use madmix::modality::Modality;
use nalgebra::DMatrix;

/// Columns of LLaVA-OneVision 0.5B, and of 7B.
const NARROW: usize = 896;
const WIDE: usize = 3584;

/// Centroids of text and image: a direction that all domains share, and differences.
fn centroids(k: usize, columns: usize) -> Centroids {
    let domain = |i: usize| Domain {
        name: i.to_string(),
        size: 1,
        human: None,
    };
    let view = |modality: Modality| {
        let mut state = 1 + modality as u64;
        let mut random = || {
            // xorshift64*
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
        };
        let mut matrix = DMatrix::zeros(k, columns);
        for mut column in matrix.column_iter_mut() {
            let common = 2.0 * random();
            column.apply(|value| *value = common + random());
        }
        let present = vec![true; k];
        (modality, View { matrix, present })
    };
    let views = BTreeMap::from([Modality::Text, Modality::Image].map(view));
    Centroids::new((0..k).map(domain).collect(), views, None).expect("they fit")
}

fn solver(method: &str) -> Solver {
    Solver::new(method, &Parameters::default(), &[]).expect("it is a method")
}

fn weights(criterion: &mut Criterion, method: &str, cases: &[(usize, usize)]) {
    let mut group = criterion.benchmark_group(method);
    group.sample_size(10);
    for &(k, columns) in cases {
        let name = BenchmarkId::from_parameter(format!("{k}x2x{columns}"));
        // Made only where it is not filtered out.
        let mut made = None;
        group.bench_function(name, |bencher| {
            let centroids = made.get_or_insert_with(|| centroids(k, columns));
            let solver = solver(method);
            bencher.iter(|| black_box(solver.solve(centroids).expect("it can be solved")));
        });
    }
}

fn paths(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("analysis");
    group.sample_size(10);
    for k in [6, 100, 1000, 10_000] {
        let mut made = None;
        group.bench_function(BenchmarkId::new("lambda path", k), |bencher| {
            let centroids = made.get_or_insert_with(|| centroids(k, NARROW));
            let solver = solver("mad-mix");
            bencher.iter(|| black_box(lambda_path(centroids, &solver).expect("it can be solved")));
        });
    }
    for k in [6, 100, 1000] {
        let mut made = None;
        group.bench_function(BenchmarkId::new("spectrum", k), |bencher| {
            let centroids = made.get_or_insert_with(|| centroids(k, NARROW));
            let solver = solver("mad-mix");
            bencher.iter(|| black_box(solver.spectrum(centroids, MOST_ROWS).expect("it has one")));
        });
    }
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let by_columns = [10, 100, 1000, 10_000, 100_000].map(|k| (k, NARROW));
    weights(&mut criterion, "mad-mix", &by_columns);
    weights(&mut criterion, "mad-mix", &[(5000, WIDE)]);
    weights(
        &mut criterion,
        "orthogonal",
        &[(100, NARROW), (10_000, NARROW)],
    );
    paths(&mut criterion);
    criterion.final_summary();
}
