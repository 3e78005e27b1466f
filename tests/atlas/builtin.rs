//! The proxy that comes along: it trades cells off, and does so the same way twice.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use madmix::atlas::proxy::builtin::{self, BuiltinProxy, DataError, ProxyData, ProxySample};
use madmix::atlas::proxy::{Proxy, ProxyError};
use madmix::atlas::{Cell, CellDataset, Grid, Trial};
use madmix::config::Goal;

const WIDTH: usize = 32;

/// Two concepts and two tasks, a cell each.
fn grid() -> Grid {
    let cell = |concept: usize, task: usize| Cell {
        name: format!("c{concept} × t{task}"),
        concept,
        task,
        today: 0.25,
        datasets: vec![CellDataset {
            name: "d".into(),
            samples: 120,
            tokens: 1200,
        }],
    };
    Grid {
        concepts: vec!["c0".into(), "c1".into()],
        tasks: vec!["t0".into(), "t1".into()],
        cells: (0..4).map(|i| cell(i / 2, i % 2)).collect(),
    }
}

/// A number between 0 and `n` that looks like chance.
fn hash(of: u64, n: u64) -> u64 {
    let mut z = of.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (z ^ (z >> 31)) % n
}

/// Pictures of one of six things, of which the answer tells two words, other ones in every cell; the question is about
/// the cell.
fn samples() -> Vec<ProxySample> {
    let sample = |i: u64| {
        let cell = (i % 4) as usize;
        let thing = hash(i, 6);
        let mut image: Vec<f32> = (0..WIDTH as u64)
            .map(|at| 0.2 * (hash(i * 100 + at, 1000) as f32 / 500.0 - 1.0))
            .collect();
        image[thing as usize + 6 * (cell / 2)] += 1.0;
        ProxySample {
            cell,
            key: hash(i + 77, u64::MAX),
            image: Some(image),
            question: format!("what is this of {cell}"),
            answer: format!("word{cell}x{thing} also{cell}y{thing}"),
        }
    };
    (0..480).map(sample).collect()
}

fn trial(weights: [f64; 4], seed: u64) -> Trial {
    Trial {
        number: 1,
        space: "joint".into(),
        point: weights.to_vec(),
        weights: weights.to_vec(),
        seed,
        by: "design".into(),
        predicted: BTreeMap::new(),
        outcome: None,
    }
}

fn run(samples: Vec<ProxySample>, budget: u64, trial: &Trial) -> BTreeMap<String, f64> {
    let grid = grid();
    let data = ProxyData::new(&grid, samples).unwrap();
    let proxy = BuiltinProxy::new(&grid, data, budget);
    let out = tempfile::tempdir().unwrap();
    let metrics = proxy
        .run(trial, out.path(), None, &AtomicBool::new(false))
        .unwrap();
    assert!(out.path().join("metrics.json").exists());
    metrics
}

#[test]
fn it_tells_of_every_task_and_concept() {
    let grid = grid();
    let data = ProxyData::new(&grid, samples()).unwrap();
    assert_eq!(data.sizes(), (360, 120));
    let metrics = run(samples(), 4000, &trial([0.25; 4], 1));
    let names: Vec<&str> = metrics.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "loss",
            "loss/concept/c0",
            "loss/concept/c1",
            "loss/t0",
            "loss/t1"
        ]
    );
    let mean = f64::midpoint(metrics["loss/t0"], metrics["loss/t1"]);
    assert!((metrics["loss"] - mean).abs() < 1e-12);
    // Two words each are ln 2 nats away once all is learnt, and some ln 48 before anything is.
    assert!((0.6..2.5).contains(&metrics["loss"]), "{metrics:?}");
    let benchmarks = builtin::benchmarks(&grid);
    assert!(
        benchmarks
            .iter()
            .all(|one| one.goal == Goal::Min && metrics.contains_key(&one.name))
    );
    assert_eq!(benchmarks.len(), 2);
}

#[test]
fn what_is_seen_more_is_learnt_better() {
    for seed in [1, 2, 3] {
        let even = run(samples(), 2000, &trial([0.25; 4], seed));
        // Cells of task 0, and then those of concept 0.
        let task = run(samples(), 2000, &trial([0.45, 0.05, 0.45, 0.05], seed));
        let concept = run(samples(), 2000, &trial([0.45, 0.45, 0.05, 0.05], seed));
        for (moved, more, less) in [
            (&task, "loss/t0", "loss/t1"),
            (&concept, "loss/concept/c0", "loss/concept/c1"),
        ] {
            assert!(moved[more] < even[more], "{more}: {moved:?} {even:?}");
            assert!(moved[less] > even[less], "{less}: {moved:?} {even:?}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_on_any_number_of_threads_and_in_any_order() {
    let trial_of = |seed| trial([0.4, 0.3, 0.2, 0.1], seed);
    let first = run(samples(), 1000, &trial_of(5));
    let mut turned = samples();
    turned.reverse();
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let again = pool
            .unwrap()
            .install(|| run(turned.clone(), 1000, &trial_of(5)));
        assert_eq!(first, again);
    }
    assert_ne!(first, run(samples(), 1000, &trial_of(6)));
}

#[test]
fn a_cell_without_weight_is_still_measured_and_one_without_samples_is_left_out() {
    let metrics = run(samples(), 1000, &trial([1.0, 0.0, 0.0, 0.0], 1));
    // Nothing was learnt there but what answers are like at all: one of about 48 words.
    assert!(
        (metrics["loss/t1"] - 48_f64.ln()).abs() < 0.5,
        "{metrics:?}"
    );
    let mut few = samples();
    few.retain(|sample| sample.cell != 2);
    let metrics = run(few.clone(), 1000, &trial([0.1, 0.1, 0.7, 0.1], 1));
    // Its weight falls to the others.
    let without = run(few.clone(), 1000, &trial([0.1, 0.1, 0.0, 0.1], 1));
    assert_eq!(metrics, without);
    let grid = grid();
    let proxy = BuiltinProxy::new(&grid, ProxyData::new(&grid, few).unwrap(), 1000);
    let out = tempfile::tempdir().unwrap();
    let only_empty = trial([0.0, 0.0, 1.0, 0.0], 1);
    let result = proxy.run(&only_empty, out.path(), None, &AtomicBool::new(false));
    assert!(
        matches!(&result, Err(ProxyError::Failed(reason)) if reason.contains("no sample to train on"))
    );
    let stopped = proxy.run(&only_empty, out.path(), None, &AtomicBool::new(true));
    assert!(stopped.is_err());
    let result = proxy.run(
        &trial([0.25; 4], 1),
        out.path(),
        None,
        &AtomicBool::new(true),
    );
    assert!(matches!(result, Err(ProxyError::Stopped)));
}

#[test]
fn samples_that_cannot_be_used_are_told() {
    let grid = grid();
    let with = |change: fn(&mut ProxySample)| {
        let mut samples = samples();
        change(&mut samples[9]);
        ProxyData::new(&grid, samples)
    };
    assert!(matches!(
        with(|s| s.cell = 4),
        Err(DataError::Cell { cell: 4, cells: 4 })
    ));
    let short = with(|s| s.image = Some(vec![0.0; 3]));
    assert!(matches!(
        short,
        Err(DataError::Image {
            found: 3,
            expected: WIDTH
        })
    ));
    let none = with(|s| s.image.as_mut().unwrap()[0] = f32::NAN);
    assert!(matches!(none, Err(DataError::Image { .. })));
    assert_eq!(with(|s| s.answer = "…".into()).unwrap().sizes(), (359, 120));
    let mut wordless = samples();
    for sample in wordless.iter_mut().filter(|sample| sample.cell % 2 == 1) {
        sample.answer = String::new();
    }
    let error = ProxyData::new(&grid, wordless).unwrap_err().to_string();
    assert!(error.contains("task \"t1\""), "{error}");
}

#[test]
fn text_alone_is_learnt_too() {
    let mut samples = samples();
    for (i, sample) in samples.iter_mut().enumerate() {
        // No two say the same.
        sample.question = sample.answer.replace("word", "thing ") + &format!(" no{i}");
        sample.image = None;
    }
    let metrics = run(samples, 4000, &trial([0.25; 4], 1));
    assert!(metrics["loss"] < 2.5, "{metrics:?}");
}
