//! How long it takes to draw the samples of a run again: the paper's 82 datasets × 512 samples × 896 columns, two
//! modalities, 2,000 replicates; in its five domains, and with a domain for every dataset.
//!
//!     cargo bench --bench bootstrap
#![expect(
    clippy::unwrap_used,
    reason = "criterion's macros; a benchmark may panic"
)]

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use madmix::mix::{Aggregation, Bootstrap, DatasetMean, DomainMeans, MixError, Parameters, Solver};
use madmix::modality::Modality;
use madmix::store::{Matrix, Pooled, Settings, Shard, ShardKey};
use xxhash_rust::xxh3::xxh3_64_with_seed;

const DATASETS: usize = 82;
const SHARDS: usize = 8;
const ROWS: usize = 64;
const WIDTH: usize = 896;

fn shard(dataset: usize, index: usize) -> Shard {
    let pooled = |modality: Modality| {
        let value = |i: usize| {
            let place = (dataset * SHARDS + index) * ROWS * WIDTH + i;
            let hash = xxh3_64_with_seed(&place.to_le_bytes(), modality as u64);
            (hash >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        let matrix = Matrix::new(ROWS, WIDTH, (0..ROWS * WIDTH).map(value).collect()).unwrap();
        let pooled = Pooled {
            tokens: vec![10; ROWS],
            layers: BTreeMap::from([("last".to_owned(), matrix)]),
        };
        (modality, pooled)
    };
    Shard {
        key: ShardKey {
            checkpoint: "c".into(),
            settings: Settings::new(&"s").unwrap(),
            dataset: "d".into(),
        },
        dataset: format!("dataset {dataset}"),
        index: index as u32,
        rows: (0..ROWS as u64)
            .map(|row| (index * ROWS) as u64 + row)
            .collect(),
        modalities: [Modality::Text, Modality::Image].map(pooled).into(),
        failures: vec![],
    }
}

fn bootstrap(criterion: &mut Criterion) {
    let shards: Vec<Vec<Shard>> = (0..DATASETS)
        .map(|dataset| (0..SHARDS).map(|index| shard(dataset, index)).collect())
        .collect();
    let mut group = criterion.benchmark_group("bootstrap, 2000 replicates");
    group.sample_size(10);
    for domains in [5, DATASETS] {
        let mut means: Vec<DomainMeans> = (0..domains)
            .map(|i| DomainMeans {
                name: format!("domain {i}"),
                human: None,
                datasets: vec![],
            })
            .collect();
        // Datasets go by domain, as in a config.
        let order: Vec<usize> = (0..domains)
            .flat_map(|domain| (domain..DATASETS).step_by(domains))
            .collect();
        for &dataset in &order {
            let mut mean = DatasetMean::new(format!("dataset {dataset}"), 10_000);
            for shard in &shards[dataset] {
                mean.add(shard, "last").unwrap();
            }
            means[dataset % domains].datasets.push(mean);
        }
        let solver = Solver::new("mad-mix", &Parameters::default(), &[]).unwrap();
        group.bench_function(format!("{domains} domains"), |bencher| {
            bencher.iter(|| {
                let bootstrap = Bootstrap {
                    domains: &means,
                    layer: "last",
                    aggregation: Aggregation::Equal,
                    solver: &solver,
                    seed: 0,
                    replicates: 2000,
                };
                let found = bootstrap.run::<MixError>(|dataset, take| {
                    shards[order[dataset]].iter().try_for_each(&mut *take)
                });
                black_box(found.unwrap())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bootstrap);
criterion_main!(benches);
