//! A search from its first proposal to its answer, with the surrogates that a config names.

use std::path::Path;

use madmix::atlas::space::distance;
use madmix::atlas::study::Study;
use madmix::atlas::{Cell, CellDataset, Grid, Outcome};
use madmix::config::Config;

const CONCEPTS: [&str; 3] = ["chart", "photo", "screenshot"];
const TASKS: [&str; 3] = ["ocr", "caption", "vqa"];

fn grid() -> Grid {
    let cell = |i: usize| Cell {
        name: format!("{} × {}", CONCEPTS[i / 3], TASKS[i % 3]),
        concept: i / 3,
        task: i % 3,
        today: (1 + i) as f64 / 45.0,
        datasets: vec![CellDataset {
            name: "all".into(),
            samples: 100 * (1 + i as u64),
            tokens: 1000,
        }],
    };
    Grid {
        concepts: CONCEPTS.map(String::from).to_vec(),
        tasks: TASKS.map(String::from).to_vec(),
        cells: (0..9).map(cell).collect(),
    }
}

fn config(output: &Path, search: &str) -> Config {
    let text = format!(
        r#"
        output = "{}"
        model.checkpoint = "m"
        [atlas.search]
        {search}
        [[atlas.benchmark]]
        name = "read"
        [[atlas.benchmark]]
        name = "look"
        goal = "min"
        [[domain]]
        name = "All"
        dataset = [{{ name = "all", path = "all.json" }}]
        "#,
        output.display()
    );
    Config::parse(&text, Path::new("c.toml")).unwrap()
}

/// Reading wants charts and OCR, looking wants photos, and both have diminishing returns.
fn outcome(weights: &[f64], number: u32) -> Outcome {
    let read = (weights[0] + weights[6] + 0.3 * weights[2]).sqrt();
    let look = (weights[4] + weights[5]).sqrt();
    // Noise of a run, of a kind that no surrogate knows.
    let noise = 0.004 * (f64::from(number) * 12.9898).sin();
    Outcome::Told(
        [
            ("read".to_owned(), 50.0 + 20.0 * read + noise),
            ("look".to_owned(), 3.0 - look - noise),
        ]
        .into(),
    )
}

fn truth(weights: &[f64]) -> (f64, f64) {
    let Outcome::Told(metrics) = outcome(weights, 0) else {
        unreachable!()
    };
    (metrics["read"], metrics["look"])
}

fn searched(search: &str, rounds: usize) -> (tempfile::TempDir, Study) {
    let out = tempfile::tempdir().unwrap();
    let study = Study::open(&config(out.path(), search), &grid()).unwrap();
    for _ in 0..rounds {
        for trial in study.propose(4).unwrap() {
            study
                .tell(trial.number, &outcome(&trial.weights, trial.number))
                .unwrap();
        }
    }
    (out, study)
}

#[test]
fn every_space_is_searched_to_something_better_than_todays_mixture() {
    let today: Vec<f64> = grid().cells.iter().map(|cell| cell.today).collect();
    let (read, look) = truth(&today);
    for space in ["joint", "product", "concept", "task", "sequential"] {
        let (_out, study) = searched(&format!("runs = 24\ninitial = 8\nspace = \"{space}\""), 6);
        let best = study.best().unwrap();
        let (better_read, better_look) = truth(&best.mixture.weights);
        // In units in which both count alike.
        let gain = (better_read - read) / 20.0 + (look - better_look);
        assert!(gain > 0.0, "{space}: {gain}, {best:?}");
        assert!(best.mixture.beats_today > 0.8, "{space}: {best:?}");
    }
}

#[test]
fn intervals_hold_what_they_say() {
    let (_out, study) = searched("runs = 32\ninitial = 8", 8);
    let trials = study.trials().unwrap();
    let told = trials.iter().filter(|trial| !trial.predicted.is_empty());
    let (mut within, mut all) = (0, 0);
    for trial in told {
        let Some(Outcome::Told(metrics)) = &trial.outcome else {
            panic!("all were told")
        };
        for (name, predicted) in &trial.predicted {
            all += 1;
            within +=
                usize::from((metrics[name] - predicted.mean).abs() < 3.0 * predicted.deviation);
        }
    }
    assert!(all >= 40 && within * 10 >= all * 8, "{within} of {all}");
}

#[test]
fn the_worst_benchmark_is_not_paid_for_the_other() {
    let (_weighted, weighted) = searched("runs = 32\ninitial = 8", 8);
    let (_worst, worst) = searched("runs = 32\ninitial = 8\ncombine = \"worst\"", 8);
    let today: Vec<f64> = grid().cells.iter().map(|cell| cell.today).collect();
    let (read, look) = truth(&today);
    let least = |study: &Study| {
        let (a, b) = truth(&study.best().unwrap().mixture.weights);
        ((a - read) / 20.0).min(look - b)
    };
    assert!(least(&worst) > 0.0 && least(&worst) > least(&weighted) - 0.02);
}

#[test]
fn a_penalty_keeps_near_todays_mixture() {
    let (_free, free) = searched("runs = 16\ninitial = 8", 4);
    let (_held, held) = searched("runs = 16\ninitial = 8\ndistance_penalty = 8.0", 4);
    let far = |study: &Study| study.best().unwrap().distance;
    assert!(
        far(&held) < 0.6 * far(&free),
        "{} {}",
        far(&held),
        far(&free)
    );
    // The design is the same, and knows of no penalty.
    let first = |study: &Study| study.trials().unwrap().swap_remove(3).weights;
    assert!(distance(&first(&free), &first(&held)) < 1e-12);
}
