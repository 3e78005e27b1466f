use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::*;
use crate::atlas::space::distance;
use crate::atlas::surrogate::{Observations, Surrogate, SurrogateError};
use crate::atlas::testing::{PlainGp, grid};
use crate::mix::Mixture;

mod kept;

const TARGET: [f64; 4] = [0.05, 0.6, 0.05, 0.3];

fn config(output: &Path, more: &str) -> Config {
    let text = format!(
        r#"
        output = "{}"
        model.checkpoint = "m"
        [atlas.search]
        runs = 20
        initial = 5
        {more}
        [[atlas.benchmark]]
        name = "accuracy"
        [[atlas.benchmark]]
        name = "loss"
        goal = "min"
        weight = 2
        [[domain]]
        name = "A"
        dataset = [{{ name = "a", path = "a.json" }}, {{ name = "b", path = "b.json" }}]
        "#,
        output.display()
    );
    Config::parse(&text, Path::new("c.toml")).unwrap()
}

fn study(output: &Path, more: &str) -> Study {
    let study = Study::open(&config(output, more), &grid()).unwrap();
    study.with_surrogate(&PlainGp)
}

fn outcome(weights: &[f64]) -> Outcome {
    let pairs = weights.iter().zip(TARGET);
    let squared: f64 = pairs.map(|(a, b)| (a.sqrt() - b.sqrt()).powi(2)).sum();
    let metrics = [("accuracy", 60.0 - 10.0 * squared), ("loss", 2.0 + squared)];
    Outcome::Told(metrics.map(|(name, value)| (name.to_owned(), value)).into())
}

fn run(study: &Study, rounds: usize, batch: usize) {
    for _ in 0..rounds {
        for trial in study.propose(batch).unwrap() {
            study.tell(trial.number, &outcome(&trial.weights)).unwrap();
        }
    }
}

#[test]
fn a_search_goes_on_where_it_was_and_ends_at_the_best() {
    let out = tempfile::tempdir().unwrap();
    for _ in 0..5 {
        run(&study(out.path(), ""), 1, 4);
    }
    let study = study(out.path(), "");
    let trials = study.trials().unwrap();
    assert_eq!(trials.len(), 20);
    assert!(
        trials[..5]
            .iter()
            .all(|trial| trial.by == "design" && trial.predicted.is_empty())
    );
    assert!(
        trials[5..]
            .iter()
            .all(|trial| trial.by == "ucb" && trial.predicted.len() == 2)
    );
    let best = study.best().unwrap();
    assert!(distance(&best.mixture.weights, &TARGET) < 0.06, "{best:?}");
    assert!(best.mixture.beats_today > 0.95 && best.told == 20 && !best.added_up);
    let [accuracy, loss] = &best.benchmarks[..] else {
        panic!("two benchmarks")
    };
    assert!((accuracy.best.mean - 60.0).abs() < 0.2 && accuracy.difference.mean > 0.0);
    assert!((loss.best.mean - 2.0).abs() < 0.02 && loss.difference.mean < 0.0 && loss.better > 0.9);
    let scores = study.scores(&trials).unwrap();
    assert!(scores.iter().all(Option::is_some));
    let seeds: std::collections::BTreeSet<u64> = trials.iter().map(|trial| trial.seed).collect();
    assert!(seeds.len() == 20 && seeds.iter().all(|seed| *seed < 1 << 31));
}

#[test]
fn mixtures_are_files_that_an_export_reads() {
    let out = tempfile::tempdir().unwrap();
    let study = study(out.path(), "");
    run(&study, 2, 4);
    let folder = study.write_best(&study.best().unwrap()).unwrap();
    let best = Mixture::read(&folder.join("mixture.json")).unwrap();
    let config = Config::read(&folder.join("config.toml")).unwrap();
    assert_eq!((best.method.as_str(), best.domains.len()), ("mix-atlas", 4));
    for (domain, other) in best.domains.iter().zip(&config.domains) {
        assert_eq!(domain.name, other.name);
        let names: Vec<&str> = domain.datasets.iter().map(|d| d.name.as_str()).collect();
        let others: Vec<&str> = other.datasets.iter().map(|d| d.name.as_str()).collect();
        assert_eq!(names, others);
    }
    let trial = &study.trials().unwrap()[3];
    let path = study.folder().of_trial(4).join("mixture.json");
    let weights: Vec<f64> = Mixture::read(&path)
        .unwrap()
        .domains
        .iter()
        .map(|d| d.weight)
        .collect();
    assert_eq!(weights, trial.weights);
    // As after a kill between the two files; and a folder of a trial that was never written.
    fs_err::remove_file(&path).unwrap();
    fs_err::create_dir_all(study.folder().of_trial(9)).unwrap();
    assert_eq!(study.trials().unwrap().len(), 8);
    assert_eq!(study.propose(1).unwrap()[0].number, 9);
    assert!(path.exists());
}

#[test]
fn what_is_told_has_to_be_of_the_space_and_to_have_all_benchmarks() {
    let out = tempfile::tempdir().unwrap();
    let study = study(out.path(), "space = \"concept\"");
    let error = study
        .tell_run(&[0.4, 0.1, 0.25, 0.25], &outcome(&TARGET))
        .unwrap_err();
    assert!(format!("{:?}", error).contains("NotOfSpace"), "{error}");
    assert!(
        study
            .tell_run(&[0.2, 0.2, 0.3, 0.3], &Outcome::Told(BTreeMap::new()))
            .is_err()
    );
    assert!(study.trials().unwrap().is_empty());
    let trial = study
        .tell_run(&[0.2, 0.2, 0.3, 0.3], &outcome(&TARGET))
        .unwrap();
    assert_eq!((trial.number, trial.by.as_str()), (1, "told"));
    let found = study.trials().unwrap();
    assert_eq!(found, [trial]);
    let nan = Outcome::Told([("accuracy".to_owned(), f64::NAN), ("loss".to_owned(), 1.0)].into());
    let error = study.tell_instead(1, &nan).unwrap_err().to_string();
    assert!(error.contains("`accuracy` is NaN"), "{error}");
    let named = [("chart × ocr", 0.5), ("chart", 0.5)];
    assert!(study.in_order(named).is_err());
}

#[test]
fn a_run_beyond_the_bounds_is_learnt_from_and_not_the_answer() {
    let out = tempfile::tempdir().unwrap();
    // Today's is 0.1, 0.2, 0.4, 0.3.
    let bounds = "bound = [{ of = \"photo × caption\", max = 0.3 }]";
    let study = study(out.path(), bounds);
    let today = [0.1, 0.2, 0.4, 0.3];
    let loss = |weights: &[f64]| {
        let metrics = [("accuracy", 60.0 * weights[2]), ("loss", 2.0 - weights[2])];
        Outcome::Told(metrics.map(|(name, value)| (name.to_owned(), value)).into())
    };
    let told = study.tell_run(&today, &loss(&today)).unwrap();
    assert_eq!(told.weights, today);
    for trial in study.propose(8).unwrap() {
        assert!(trial.weights[2] < 0.3 + 1e-9, "{trial:?}");
        study.tell(trial.number, &loss(&trial.weights)).unwrap();
    }
    let best = study.best().unwrap();
    assert!((best.mixture.weights[2] - 0.3).abs() < 1e-6, "{best:?}");
    for trial in study.propose(2).unwrap() {
        assert!(trial.weights[2] < 0.3 + 1e-9, "{trial:?}");
    }
}

#[test]
fn trials_of_another_space_are_told_apart() {
    let out = tempfile::tempdir().unwrap();
    // Nothing rests on a study without trials.
    drop(study(out.path(), "space = \"task\""));
    let joint = study(out.path(), "");
    run(&joint, 1, 2);
    let other = |more: &str, grid: &Grid| {
        Study::open(&config(out.path(), more), grid)
            .err()
            .map(|error| error.to_string())
    };
    let error = other("space = \"task\"", &grid()).unwrap();
    assert!(
        error.contains("space was \"joint\", and is \"task\"") && error.contains("output"),
        "{error}"
    );
    let mut grown = grid();
    grown.cells[0].datasets[0].samples += 1;
    let error = other("", &grown).unwrap();
    assert!(
        error.contains("samples.chart × ocr was 200, and is 201"),
        "{error}"
    );
    let error = other("[atlas.proxy]\nbudget = 77", &grid()).unwrap();
    assert!(
        error.contains("atlas.proxy.budget was 10000, and is 77"),
        "{error}"
    );
    let trainer = "[atlas.proxy]\ncommand = [\"x\"]\nexport = \"llava-next\"";
    let error = other(trainer, &grid()).unwrap();
    assert!(error.contains("export was null, and is"), "{error}");
    // Bounds, the way of searching and the command may change.
    let bounds =
        "max_epochs = 2\nbudget = 1000\nacquisition = \"ei\"\n[atlas.proxy]\ncommand = [\"x\"]";
    assert_eq!(other(bounds, &grid()), None);
}

#[test]
fn proposers_at_once_do_not_meet() {
    let out = tempfile::tempdir().unwrap();
    drop(study(out.path(), ""));
    let barrier = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let study = study(out.path(), "");
                barrier.wait();
                assert_eq!(study.propose(3).unwrap().len(), 3);
            });
        }
    });
    let trials = study(out.path(), "").trials().unwrap();
    assert_eq!(trials.len(), 12);
    for (i, a) in trials.iter().enumerate() {
        assert_eq!(a.number as usize, i + 1);
        assert!(
            trials[..i]
                .iter()
                .all(|b| distance(&a.weights, &b.weights) > 1e-3)
        );
    }
}

#[test]
fn sequential_searches_concepts_then_tasks_and_multiplies() {
    let out = tempfile::tempdir().unwrap();
    let study = study(out.path(), "space = \"sequential\"");
    run(&study, 3, 6);
    run(&study, 1, 2);
    let trials = study.trials().unwrap();
    assert!(trials[..10].iter().all(|trial| trial.space == "concept"));
    assert!(trials[10..].iter().all(|trial| trial.space == "task"));
    let best = study.best().unwrap();
    assert!(best.added_up && best.told == 20);
    assert!((best.mixture.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    let product = Space::product(&grid(), &study.search).unwrap();
    let point = product.point_of(&best.mixture.weights).unwrap();
    product.check_bounds(&point).unwrap();
    // The target has more of vqa than of anything else.
    assert!(best.mixture.weights[1] > 0.25, "{best:?}");
}

#[test]
fn what_two_spaces_gain_is_in_one_unit() {
    let out = tempfile::tempdir().unwrap();
    let study = study(out.path(), "space = \"sequential\"");
    // Concepts matter a hundred times as much as tasks.
    let gives = |trial: &Trial| {
        let of_concept = trial.weights[0] + trial.weights[1];
        let of_task = trial.weights[0];
        let (a, b) = (-10.0 * (of_concept - 0.6).powi(2), 0.1 * of_task);
        Outcome::Told([("accuracy".to_owned(), a + b), ("loss".to_owned(), 0.1)].into())
    };
    for _ in 0..4 {
        for trial in study.propose(5).unwrap() {
            study.tell(trial.number, &gives(&trial)).unwrap();
        }
    }
    let (best, trials) = (study.best().unwrap(), study.trials().unwrap());
    let scores: Vec<f64> = study
        .scores(&trials)
        .unwrap()
        .into_iter()
        .flatten()
        .collect();
    let least = scores.iter().copied().fold(f64::MAX, f64::min);
    let most = scores.iter().copied().fold(f64::MIN, f64::max);
    // One scale for all: no gain is larger than what runs differ by, and a constant benchmark says nothing.
    let (gain, score) = (best.mixture.gain.mean, best.mixture.score.mean);
    assert!(gain > 0.0 && gain < most - least, "{gain} {scores:?}");
    assert!(score > least && score < most + 1.0, "{score} {scores:?}");
    let spread = study.units(&trials)[0].spread;
    let accuracy = best.benchmarks[0].difference.mean;
    // A weight of one of three.
    assert!((gain - accuracy / spread / 3.0).abs() < 1e-6, "{gain}");
}

#[test]
fn too_few_runs_are_said_as_such() {
    let out = tempfile::tempdir().unwrap();
    let study = study(out.path(), "");
    run(&study, 1, 2);
    let error = study.best().unwrap_err();
    assert!(
        matches!(&error, StudyError::Search(error) if error.is_too_few()),
        "{error:?}"
    );
}

/// Counts how often something is learnt.
struct Counting(AtomicUsize);

static COUNTING: Counting = Counting(AtomicUsize::new(0));

impl Fit for Counting {
    fn fit(&self, seen: &Observations, seed: u64) -> Result<Box<dyn Surrogate>, SurrogateError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        PlainGp.fit(seen, seed)
    }
}

#[test]
fn the_answer_is_learnt_once_and_folds_are_of_what_was_not_predicted() {
    let out = tempfile::tempdir().unwrap();
    run(&study(out.path(), ""), 4, 4);
    let study = study(out.path(), "").with_surrogate(&COUNTING);
    let learnt = study.learnt().unwrap();
    let best = study.best_of(&learnt).unwrap();
    assert_eq!(
        COUNTING.0.load(Ordering::Relaxed),
        2,
        "one of each benchmark"
    );
    let analysis = study.analysis(&learnt, &best).unwrap();
    let unsaid = study.trials().unwrap();
    let unsaid = unsaid.iter().filter(|trial| trial.predicted.is_empty());
    let unsaid = unsaid.count();
    assert!((5..10).contains(&unsaid), "{unsaid}");
    assert_eq!(COUNTING.0.load(Ordering::Relaxed), 2 + 2 * unsaid);
    let runs = &analysis.benchmarks[0].runs;
    assert_eq!(runs.len(), 16);
    assert_eq!(runs.iter().filter(|run| !run.ahead).count(), unsaid);
}
