use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::config::Goal;

fn trial() -> Trial {
    Trial {
        number: 0,
        space: "joint".into(),
        point: vec![0.25, 0.75],
        weights: vec![0.25, 0.75],
        seed: 7,
        by: "design".into(),
        predicted: BTreeMap::new(),
        outcome: None,
    }
}

fn told(value: f64) -> Outcome {
    Outcome::Told(BTreeMap::from([("a".into(), value), ("more".into(), 1.0)]))
}

fn benchmarks() -> Vec<Benchmark> {
    vec![Benchmark {
        name: "a".into(),
        goal: Goal::Max,
        weight: 1.0,
    }]
}

fn study() -> (tempfile::TempDir, Folder) {
    let out = tempfile::tempdir().unwrap();
    let folder = Folder::open(&out.path().join("study"), &json!({"cells": ["x", "y"]})).unwrap();
    (out, folder)
}

fn add(folder: &Folder, trials: usize) -> Vec<u32> {
    let lock = folder.lock().unwrap();
    let added = folder
        .add(&lock, vec![trial(); trials], |trial, _| trial)
        .unwrap();
    added.iter().map(|trial| trial.number).collect()
}

#[test]
fn what_is_told_is_there_and_nothing_told_is_lost() {
    let (_out, folder) = study();
    assert_eq!(add(&folder, 2), [1, 2]);
    let tell = |number, outcome: &Outcome, replace| {
        let told = folder.tell(number, outcome, &benchmarks(), replace);
        told.map_err(|error| error.to_string())
    };
    tell(2, &told(0.5), false).unwrap();
    tell(2, &told(0.5), false).unwrap();
    let error = tell(2, &told(0.7), false).unwrap_err();
    assert!(
        error.contains("a = 0.5") && error.contains("--replace"),
        "{error}"
    );
    tell(2, &told(0.7), true).unwrap();
    tell(2, &Outcome::Failed("full disk".into()), true).unwrap();
    let trials = folder.trials().unwrap();
    assert_eq!(trials[0].outcome, None);
    assert_eq!(trials[1].outcome, Some(Outcome::Failed("full disk".into())));
    let kept = |n: u32| {
        let path = folder.of_trial(2).join(format!("outcome.{n}.json"));
        serde_json::from_slice::<Outcome>(&fs_err::read(path).unwrap()).unwrap()
    };
    assert_eq!([kept(1), kept(2)], [told(0.5), told(0.7)]);
}

#[test]
fn metrics_that_cannot_be_used_are_refused_by_name() {
    let (_out, folder) = study();
    add(&folder, 1);
    for (number, outcome, words) in [
        (1, told(f64::NAN), "`a` is NaN"),
        (
            1,
            Outcome::Told(BTreeMap::from([("b".into(), 1.0)])),
            "lack the benchmark `a`; there is only `b`",
        ),
        (1, Outcome::Told(BTreeMap::new()), "there are none"),
        (9, told(1.0), "no trial 9; they go from 1 to 1"),
    ] {
        let error = folder
            .tell(number, &outcome, &benchmarks(), false)
            .unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    assert_eq!(folder.trials().unwrap()[0].outcome, None);
}

#[test]
fn another_search_is_told_by_what_differs() {
    let (out, folder) = study();
    add(&folder, 1);
    let other = json!({"cells": ["x", "z"], "space": "task"});
    let error = Folder::open(&out.path().join("study"), &other)
        .unwrap_err()
        .to_string();
    for words in [
        r#"cells.1 was "y", and is "z""#,
        r#"space was nothing, and is "task""#,
        "another `output`",
    ] {
        assert!(error.contains(words), "{error}");
    }
    // The order of keys says nothing.
    let same = json!({"cells": ["x", "y"]});
    assert!(Folder::open(&out.path().join("study"), &same).is_ok());
}

#[test]
fn what_a_killed_process_left_is_filled_and_what_is_damaged_is_named() {
    let (_out, folder) = study();
    add(&folder, 1);
    fs_err::create_dir_all(folder.of_trial(2)).unwrap();
    fs_err::write(folder.of_trial(2).join(".trial.json.1.madmix-tmp"), "{").unwrap();
    fs_err::create_dir_all(folder.root().join("trials/notes")).unwrap();
    assert_eq!(folder.trials().unwrap().len(), 1);
    assert_eq!(add(&folder, 2), [2, 3]);
    fs_err::write(folder.of_trial(3).join("trial.json"), "{\"number\": 3").unwrap();
    let error = folder.trials().unwrap_err().to_string();
    assert!(
        error.contains("0003/trial.json") && error.contains("damaged"),
        "{error}"
    );
}

#[test]
fn many_that_propose_at_once_have_numbers_of_their_own() {
    let (_out, folder) = study();
    let folder = &folder;
    let mut numbers: Vec<u32> = std::thread::scope(|scope| {
        let each: Vec<_> = (0..8).map(|_| scope.spawn(|| add(folder, 3))).collect();
        each.into_iter()
            .flat_map(|each| each.join().unwrap())
            .collect()
    });
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=24).collect::<Vec<_>>());
    assert_eq!(folder.trials().unwrap().len(), 24);
}
