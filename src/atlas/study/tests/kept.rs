//! What lies in a study's folder stays readable, whole and its own, whatever is told, killed or edited.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::*;
use crate::atlas::surrogate::{Observations, Surrogate, SurrogateError};

fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap();
    change(&mut value);
    fs_err::write(path, value.to_string()).unwrap();
}

#[test]
fn a_metric_beyond_all_bounds_is_refused_and_one_just_within_can_be_learnt_from() {
    let out = tempfile::tempdir().unwrap();
    let study = study(out.path(), "");
    let of = |loss: f64| {
        Outcome::Told([("accuracy".to_owned(), 60.0), ("loss".to_owned(), loss)].into())
    };
    study.propose(6).unwrap();
    for number in 1..=5 {
        study.tell(number, &of(2.0 + f64::from(number))).unwrap();
    }
    let error = study.tell(6, &of(1e200)).unwrap_err().to_string();
    assert!(
        error.contains("`loss` is 1e200") && error.contains("--failed"),
        "{error}"
    );
    study.tell(6, &of(-1e100)).unwrap();
    study.propose(2).unwrap();
    assert_eq!(study.trials().unwrap().len(), 8);
}

#[test]
fn what_is_no_number_is_never_written() {
    let out = tempfile::tempdir().unwrap();
    let study = study(out.path(), "");
    let point = study.spaces[0].size_point().to_vec();
    let predicted = |mean: f64, deviation: f64| Predicted { mean, deviation };
    let predictions = [
        ("accuracy".to_owned(), predicted(1.0, f64::INFINITY)),
        ("loss".to_owned(), predicted(1.0, 2.0)),
    ];
    let proposal = Proposal {
        point,
        by: "ucb".into(),
        predicted: predictions.into(),
    };
    let trial = study.trial(&study.spaces[0], proposal, 1);
    assert_eq!(trial.predicted.keys().collect::<Vec<_>>(), ["loss"]);
    let mut damaged = trial.clone();
    damaged
        .predicted
        .insert("x".into(), predicted(f64::NAN, 1.0));
    let lock = study.folder().lock().unwrap();
    let refused = study
        .folder()
        .add(&lock, vec![trial, damaged], |trial, _| trial);
    assert!(matches!(refused, Err(StudyError::NoMixture)));
    assert!(study.trials().unwrap().is_empty());
}

#[test]
fn edited_shares_are_told_apart() {
    let out = tempfile::tempdir().unwrap();
    let study = study(out.path(), "");
    study.propose(1).unwrap();
    let path = study.folder().of_trial(1).join("trial.json");
    let before = fs_err::read(&path).unwrap();
    for (key, shares, words) in [
        ("weights", json!([0, 0, 0, 0]), "not those of its point"),
        (
            "weights",
            json!([0.7, 0.1, 0.1, 0.1]),
            "not those of its point",
        ),
        (
            "point",
            json!([0.5, 0.5, 0.5, 0.5]),
            "cell shares of its point sum to 2",
        ),
        ("point", json!([0, 0, 0, 0]), "sum to 0"),
    ] {
        edit(&path, |trial| trial[key] = shares);
        let error = study.trials().unwrap_err().to_string();
        assert!(error.contains(words) && error.contains("0001"), "{error}");
        fs_err::write(&path, &before).unwrap();
    }
    assert!(study.trials().is_ok());
}

#[test]
fn a_number_whose_trial_is_gone_is_not_given_again() {
    let out = tempfile::tempdir().unwrap();
    let study = study(out.path(), "");
    run(&study, 1, 3);
    fs_err::remove_file(study.folder().of_trial(2).join("trial.json")).unwrap();
    fs_err::remove_dir_all(study.folder().of_trial(1)).unwrap();
    let new = study.propose(2).unwrap();
    assert_eq!(
        new.iter().map(|trial| trial.number).collect::<Vec<_>>(),
        [4, 5]
    );
    let trials = study.trials().unwrap();
    assert_eq!(trials.len(), 3);
    assert!(trials[1..].iter().all(|trial| trial.outcome.is_none()));
    let seeds: BTreeSet<u64> = trials.iter().map(|trial| trial.seed).collect();
    assert_eq!(seeds.len(), 3);
    for trial in &trials[1..] {
        let path = study.folder().of_trial(trial.number).join("mixture.json");
        let mixture = Mixture::read(&path).unwrap();
        let weights: Vec<f64> = mixture.domains.iter().map(|domain| domain.weight).collect();
        assert_eq!(weights, trial.weights);
    }
}

#[test]
fn a_run_made_elsewhere_is_never_seen_without_what_came_of_it() {
    let out = tempfile::tempdir().unwrap();
    let study = study(out.path(), "");
    let told = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for i in 0..30_u32 {
                let share = 0.1 + 0.01 * f64::from(i);
                let weights = [share, 0.5 - share, 0.25, 0.25];
                study.tell_run(&weights, &outcome(&weights)).unwrap();
            }
            told.store(true, Ordering::Relaxed);
        });
        while !told.load(Ordering::Relaxed) {
            let trials = study.folder().trials().unwrap();
            assert!(trials.iter().all(|trial| trial.outcome.is_some()));
        }
    });
    assert_eq!(study.trials().unwrap().len(), 30);
    // As a kill between the two files leaves it: it is not told, and its number is not used for something else.
    fs_err::remove_file(study.folder().of_trial(30).join("trial.json")).unwrap();
    assert_eq!(study.trials().unwrap().len(), 29);
    assert_eq!(
        study.tell_run(&TARGET, &outcome(&TARGET)).unwrap().number,
        31
    );
}

/// Learns as soon as it is let, after having said that it began.
struct Slow {
    began: Sender<()>,
    go: Mutex<Receiver<()>>,
}

impl Fit for Slow {
    fn fit(&self, seen: &Observations, seed: u64) -> Result<Box<dyn Surrogate>, SurrogateError> {
        self.began.send(()).unwrap();
        let go = self.go.lock().unwrap_or_else(PoisonError::into_inner);
        go.recv_timeout(Duration::from_mins(1)).unwrap();
        PlainGp.fit(seen, seed)
    }
}

#[test]
fn nobody_who_tells_waits_for_one_who_learns() {
    let out = tempfile::tempdir().unwrap();
    run(&study(out.path(), ""), 1, 5);
    study(out.path(), "").propose(1).unwrap();
    let (began, beginning) = channel();
    let (let_go, go) = channel();
    let slow: &'static Slow = Box::leak(Box::new(Slow {
        began,
        go: Mutex::new(go),
    }));
    let learning = Study::open(&config(out.path(), ""), &grid())
        .unwrap()
        .with_surrogate(slow);
    thread::scope(|scope| {
        let proposing = scope.spawn(|| learning.propose(1).unwrap());
        beginning.recv().unwrap();
        let (done, told) = channel();
        let path = out.path();
        scope.spawn(move || {
            let other = study(path, "");
            other.tell(6, &outcome(&TARGET)).unwrap();
            done.send(other.trials().unwrap().len()).unwrap();
        });
        let told = told.recv_timeout(Duration::from_secs(20));
        // One for each benchmark.
        let_go.send(()).unwrap();
        let_go.send(()).unwrap();
        let new = proposing.join().unwrap();
        assert_eq!((told, new[0].number), (Ok(6), 7));
    });
}
