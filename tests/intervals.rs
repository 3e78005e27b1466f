//! The intervals against simulated truths: samples are drawn from known distributions many times over, and the intervals
//! must hold the weights of the true means as often as they say.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a helper of a test may panic, and figures are for the note"
)]

use std::collections::BTreeMap;

use madmix::mix::{
    Aggregation, Bootstrap, DatasetMean, DomainMeans, MixError, Parameters, Replicates, Solver,
    centroids,
};
use madmix::modality::Modality;
use madmix::store::{Matrix, Pooled, Settings, Shard, ShardKey};
use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A small source of random numbers: the hashes of 0, 1, 2, ….
struct Random {
    seed: u64,
    next: u64,
}

impl Random {
    fn new(seed: u64) -> Self {
        Self { seed, next: 0 }
    }

    /// Uniform in (0, 1).
    fn uniform(&mut self) -> f64 {
        self.next += 1;
        let hash = xxh3_64_with_seed(&self.next.to_le_bytes(), self.seed);
        ((hash >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Standard normal (Box and Muller).
    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    fn vector(&mut self, d: usize, scale: f64) -> Vec<f64> {
        (0..d).map(|_| scale * self.normal()).collect()
    }
}

/// A world from which samples are drawn.
struct World {
    d: usize,
    samples: usize,
    /// Per dataset the domain, and the true mean per modality.
    datasets: Vec<(usize, BTreeMap<Modality, Vec<f64>>)>,
    domains: usize,
    noise: f64,
    /// Whether samples have a squared normal's skew rather than a normal's symmetry.
    skewed: bool,
}

impl World {
    /// `domains` with two datasets each, all but the last with pictures: a common direction, and differences of domains
    /// and datasets.
    fn new(seed: u64, domains: usize, d: usize, samples: usize, noise: f64) -> Self {
        let mut random = Random::new(seed);
        let common: Vec<Vec<f64>> = (0..2).map(|_| random.vector(d, 2.0)).collect();
        let mut datasets = Vec::new();
        for domain in 0..domains {
            let own: Vec<Vec<f64>> = (0..2).map(|_| random.vector(d, 0.6)).collect();
            for _ in 0..2 {
                let mut means = BTreeMap::new();
                for (i, modality) in [Modality::Text, Modality::Image].into_iter().enumerate() {
                    let of = random.vector(d, 0.4);
                    if modality == Modality::Text || domain + 1 < domains {
                        let sum = |j: usize| common[i][j] + own[i][j] + of[j];
                        means.insert(modality, (0..d).map(sum).collect());
                    }
                }
                datasets.push((domain, means));
            }
        }
        Self {
            d,
            samples,
            datasets,
            domains,
            noise,
            skewed: false,
        }
    }

    fn skewed(self) -> Self {
        Self {
            skewed: true,
            ..self
        }
    }

    /// One shard per dataset. What samples deviate by has unequal variances, and the modalities of a sample share half.
    fn draw(&self, random: &mut Random) -> Vec<Shard> {
        let deviate = |random: &mut Random| {
            let x = random.normal();
            if self.skewed {
                (x * x - 1.0) / 2.0_f64.sqrt()
            } else {
                x
            }
        };
        let of = |(number, (_, means)): (usize, &(usize, BTreeMap<Modality, Vec<f64>>))| {
            let mut data: BTreeMap<Modality, Vec<f32>> = BTreeMap::new();
            for _ in 0..self.samples {
                let shared: Vec<f64> = (0..self.d).map(|_| deviate(random)).collect();
                for (&modality, mean) in means {
                    for (j, mean) in mean.iter().enumerate() {
                        let scale = self.noise * (-3.0 * j as f64 / self.d as f64).exp();
                        let own = deviate(random);
                        let value = mean + scale * (shared[j] + own) * 0.5_f64.sqrt();
                        data.entry(modality).or_default().push(value as f32);
                    }
                }
            }
            shard(number, self.samples, self.d, data)
        };
        self.datasets.iter().enumerate().map(of).collect()
    }

    /// Shards whose means are the true ones.
    fn truth(&self) -> Vec<Shard> {
        let of = |(number, (_, means)): (usize, &(usize, BTreeMap<Modality, Vec<f64>>))| {
            let data = means
                .iter()
                .map(|(m, mean)| (*m, mean.iter().map(|x| *x as f32).collect()));
            shard(number, 1, self.d, data.collect())
        };
        self.datasets.iter().enumerate().map(of).collect()
    }

    fn means(&self, shards: &[Shard]) -> Vec<DomainMeans> {
        let mut domains: Vec<DomainMeans> = (0..self.domains)
            .map(|i| DomainMeans {
                name: format!("domain {i}"),
                human: None,
                datasets: vec![],
            })
            .collect();
        for ((domain, _), shard) in self.datasets.iter().zip(shards) {
            let mut mean = DatasetMean::new(&shard.dataset, 1000);
            mean.add(shard, "last").unwrap();
            domains[*domain].datasets.push(mean);
        }
        domains
    }

    fn weights(&self, shards: &[Shard], solver: &Solver) -> Vec<f64> {
        let centroids = centroids(&self.means(shards), Aggregation::Equal).unwrap();
        solver.solve(&centroids).unwrap().weights
    }

    fn replicates(&self, shards: &[Shard], solver: &Solver, replicates: u32) -> Replicates {
        let bootstrap = Bootstrap {
            domains: &self.means(shards),
            layer: "last",
            aggregation: Aggregation::Equal,
            solver,
            seed: 0,
            replicates,
        };
        let found = bootstrap.run::<MixError>(|dataset, take| take(&shards[dataset]));
        found.unwrap().unwrap()
    }
}

fn shard(number: usize, samples: usize, d: usize, data: BTreeMap<Modality, Vec<f32>>) -> Shard {
    let pooled = |(modality, data)| {
        let matrix = Matrix::new(samples, d, data).unwrap();
        let layers = BTreeMap::from([("last".to_owned(), matrix)]);
        let tokens = vec![10; samples];
        (modality, Pooled { tokens, layers })
    };
    Shard {
        key: ShardKey {
            checkpoint: "c".into(),
            settings: Settings::new(&"s").unwrap(),
            dataset: "d".into(),
        },
        dataset: format!("dataset {number}"),
        index: 0,
        rows: (0..samples as u64).collect(),
        modalities: data.into_iter().map(pooled).collect(),
        failures: vec![],
    }
}

fn solver(method: &str) -> Solver {
    Solver::new(method, &Parameters::default(), &[]).unwrap()
}

/// How often, over many worlds' draws and all domains, the interval holds the true weight.
fn coverage(world: &World, method: &str, draws: u64) -> f64 {
    let solver = solver(method);
    let truth = world.weights(&world.truth(), &solver);
    let held: Vec<usize> = (0..draws)
        .into_par_iter()
        .map(|draw| {
            let shards = world.draw(&mut Random::new(1_000 + draw));
            let replicates = world.replicates(&shards, &solver, 400);
            let holds = |(i, weight): (usize, &f64)| {
                let (low, high) = replicates.interval(i);
                (low..=high).contains(weight)
            };
            truth
                .iter()
                .enumerate()
                .filter(|&(i, w)| holds((i, w)))
                .count()
        })
        .collect();
    held.iter().sum::<usize>() as f64 / (draws as usize * world.domains) as f64
}

#[test]
fn intervals_hold_the_truth_as_often_as_they_say() {
    let worlds = [
        ("little noise", World::new(1, 5, 24, 64, 1.0)),
        (
            "noise as large as the domains differ",
            World::new(2, 5, 24, 64, 3.0),
        ),
        ("many dimensions", World::new(3, 4, 200, 64, 2.0)),
        ("skewed samples", World::new(4, 5, 24, 128, 2.0).skewed()),
    ];
    for (what, world) in worlds {
        let held = coverage(&world, "mad-mix", 400);
        println!(
            "{what}: {:.1} % of the intervals hold the true weight",
            100.0 * held
        );
        assert!((0.93..=0.97).contains(&held), "{what}: {held}");
    }
}

/// The first samples of a shard.
fn first(shard: &Shard, samples: usize) -> Shard {
    let mut shard = shard.clone();
    shard.rows.truncate(samples);
    for pooled in shard.modalities.values_mut() {
        pooled.tokens.truncate(samples);
        for matrix in pooled.layers.values_mut() {
            let d = matrix.columns();
            let data = matrix.data()[..samples * d].to_vec();
            *matrix = Matrix::new(samples, d, data).unwrap();
        }
    }
    shard
}

/// Ending a run as soon as the intervals are narrow ends it more readily where they are narrow by chance. What that costs
/// has to stay small, for `extract.stop_when` to mean what it says.
#[test]
fn looking_after_every_round_costs_little() {
    let world = World::new(8, 4, 16, 512, 4.0);
    let solver = solver("mad-mix");
    let truth = world.weights(&world.truth(), &solver);
    // Known after about half of the rounds.
    let all = world.draw(&mut Random::new(1));
    let half: Vec<Shard> = all.iter().map(|shard| first(shard, 256)).collect();
    let wanted = world
        .replicates(&half, &solver, 400)
        .reach(&world.weights(&half, &solver));
    let ended: Vec<(usize, usize, bool)> = (0..300_u64)
        .into_par_iter()
        .map(|draw| {
            let all = world.draw(&mut Random::new(9_000 + draw));
            let mut rounds = 1;
            loop {
                let shards: Vec<Shard> = all.iter().map(|s| first(s, 64 * rounds)).collect();
                let replicates = world.replicates(&shards, &solver, 200);
                let weights = world.weights(&shards, &solver);
                if replicates.reach(&weights) <= wanted || rounds == 8 {
                    let holds = |(i, weight): (usize, &f64)| {
                        let (low, high) = replicates.interval(i);
                        (low..=high).contains(weight)
                    };
                    let held = truth.iter().enumerate().filter(|&(i, w)| holds((i, w)));
                    let off = weights.iter().zip(&truth).map(|(w, t)| (w - t).abs());
                    return (rounds, held.count(), off.fold(0.0, f64::max) <= wanted);
                }
                rounds += 1;
            }
        })
        .collect();
    let runs = ended.len() as f64;
    let rounds = ended
        .iter()
        .map(|(rounds, _, _)| *rounds as f64)
        .sum::<f64>()
        / runs;
    let held = ended.iter().map(|(_, held, _)| *held as f64).sum::<f64>() / (4.0 * runs);
    let close = ended.iter().filter(|(_, _, close)| *close).count() as f64 / runs;
    println!(
        "{rounds:.1} of 8 rounds: {:.1} % of the intervals hold the true weight, in {:.1} % of the runs every weight is as close as was asked",
        100.0 * held,
        100.0 * close
    );
    assert!((2.0..7.5).contains(&rounds), "{rounds} rounds");
    assert!((0.92..=0.98).contains(&held), "{held}");
    assert!(close >= 0.90, "{close}");
}

#[test]
fn other_methods_have_intervals_of_their_own() {
    let world = World::new(5, 4, 16, 64, 2.0);
    for method in ["text", "avg", "fused", "orthogonal"] {
        let held = coverage(&world, method, 120);
        println!("{method}: {:.1} %", 100.0 * held);
        assert!((0.90..=0.99).contains(&held), "{method}: {held}");
    }
    let shards = world.draw(&mut Random::new(1));
    let means = world.means(&shards);
    for method in ["uniform", "human"] {
        let solver = solver(method);
        let bootstrap = Bootstrap {
            domains: &means,
            layer: "last",
            aggregation: Aggregation::Equal,
            solver: &solver,
            seed: 0,
            replicates: 10,
        };
        let found = bootstrap
            .run::<MixError>(|_, _| panic!("no sample is needed"))
            .unwrap();
        assert!(found.is_none(), "{method}");
    }
}

#[test]
fn a_chance_of_outranking_is_as_good_as_its_word() {
    let solver = solver("mad-mix");
    // Of the pairs said to stand in an order with a chance of 70 to 95 %, how many do?
    let pairs: Vec<(f64, bool)> = (0..200)
        .into_par_iter()
        .flat_map_iter(|draw| {
            let world = World::new(100 + draw, 5, 24, 64, 8.0);
            let truth = world.weights(&world.truth(), &solver);
            let shards = world.draw(&mut Random::new(5_000 + draw));
            let replicates = world.replicates(&shards, &solver, 300);
            let truth = &truth;
            let pair =
                move |(i, j): (usize, usize)| (replicates.outranks(i, j), truth[i] > truth[j]);
            let all = (0..5).flat_map(|i| (0..5).map(move |j| (i, j)));
            all.filter(|(i, j)| i != j).map(pair).collect::<Vec<_>>()
        })
        .filter(|(chance, _)| (0.70..0.95).contains(chance))
        .collect();
    assert!(pairs.len() > 50, "{}", pairs.len());
    let said = pairs.iter().map(|(chance, _)| chance).sum::<f64>() / pairs.len() as f64;
    let is_so = pairs.iter().filter(|(_, so)| *so).count() as f64 / pairs.len() as f64;
    println!("{} pairs: said {said:.3}, found {is_so:.3}", pairs.len());
    assert!((said - is_so).abs() < 0.08, "said {said}, found {is_so}");
}

#[test]
fn replicates_depend_on_their_number_and_the_seed_alone() {
    let world = World::new(6, 3, 8, 32, 2.0);
    let shards = world.draw(&mut Random::new(9));
    let solver = solver("mad-mix");
    let many = world.replicates(&shards, &solver, 300);
    let few = world.replicates(&shards, &solver, 170);
    assert_eq!(many.weights()[..170], few.weights()[..]);
    assert_eq!(many, world.replicates(&shards, &solver, 300));
    for weights in many.weights() {
        let sum: f64 = weights.iter().sum();
        assert!((sum - 1.0).abs() < 1e-12);
    }
}

/// A row with a picture by mistake gives a domain a modality; that this hangs on one sample must be seen.
#[test]
fn a_modality_of_one_sample_makes_a_wide_interval() {
    let world = World::new(7, 3, 8, 64, 0.5);
    let mut shards = world.draw(&mut Random::new(3));
    let solver = solver("mad-mix");
    let without = world.weights(&shards, &solver);
    let text_only = world.replicates(&shards, &solver, 400);
    let last = shards.last_mut().unwrap();
    let mut data = vec![0.0; 64 * 8];
    data[..8].copy_from_slice(&[9.0, -9.0, 9.0, 9.0, -9.0, 9.0, 9.0, 9.0]);
    let mut tokens = vec![0; 64];
    tokens[0] = 10;
    let layers = BTreeMap::from([("last".to_owned(), Matrix::new(64, 8, data).unwrap())]);
    last.modalities
        .insert(Modality::Image, Pooled { tokens, layers });
    let with = world.weights(&shards, &solver);
    let (low, high) = world.replicates(&shards, &solver, 400).interval(2);
    assert!(
        low <= without[2] && with[2] <= high,
        "{low} {high}: {without:?}, {with:?}"
    );
    let (narrow_low, narrow_high) = text_only.interval(2);
    assert!(
        high - low > 10.0 * (narrow_high - narrow_low),
        "{low} {high}"
    );
}

#[test]
fn shards_that_do_not_fit_the_means_are_refused() {
    let world = World::new(6, 3, 8, 32, 2.0);
    let shards = world.draw(&mut Random::new(9));
    let solver = solver("mad-mix");
    let means = world.means(&shards);
    let bootstrap = |layer| Bootstrap {
        domains: &means,
        layer,
        aggregation: Aggregation::Equal,
        solver: &solver,
        seed: 0,
        replicates: 10,
    };
    let missing = bootstrap("12").run::<MixError>(|dataset, take| take(&shards[dataset]));
    assert!(matches!(missing, Err(MixError::Layer { .. })));
    let narrow = world_of_width(4);
    let mixed = bootstrap("last").run::<MixError>(|dataset, take| {
        take(&shards[dataset])?;
        take(&narrow[dataset])
    });
    assert!(matches!(
        mixed,
        Err(MixError::Width {
            expected: 8,
            found: 4,
            ..
        })
    ));
}

fn world_of_width(d: usize) -> Vec<Shard> {
    World::new(6, 3, d, 32, 2.0).draw(&mut Random::new(9))
}
