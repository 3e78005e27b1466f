//! `madmix atlas propose`, `tell`, `status` and `best`, on a grid that was written by hand.

use std::io::Read;

use serde_json::{Value, json};

use crate::project::{Ended, Project};

const CONFIG: &str = r#"output = "run"
model.checkpoint = "m"

[atlas.search]
runs = 12
initial = 4

[[atlas.benchmark]]
name = "ocr"
[[atlas.benchmark]]
name = "loss"
goal = "min"

[[domain]]
name = "All"
dataset = [{ name = "words", path = "words.jsonl" }, { name = "pictures", path = "pictures.jsonl" }]
"#;

const CELLS: [&str; 3] = ["chart × ocr", "chart × vqa", "photo × vqa"];

fn project() -> Project {
    let project = Project::new();
    project.write("mix.toml", CONFIG);
    let cell = |i: usize, concept: usize, task: usize, today: f64, dataset: &str, samples: u64| {
        let datasets = json!([{"name": dataset, "samples": samples, "tokens": 10 * samples}]);
        json!({"name": CELLS[i], "concept": concept, "task": task, "today": today, "datasets": datasets})
    };
    let grid = json!({
        "format": 1,
        "fingerprint": "f",
        "concepts": ["chart", "photo"],
        "tasks": ["ocr", "vqa"],
        "cells": [
            cell(0, 0, 0, 0.1, "pictures", 200),
            cell(1, 0, 1, 0.2, "pictures", 300),
            cell(2, 1, 1, 0.7, "words", 500),
        ],
    });
    project.write("run/atlas/grid.json", grid.to_string());
    project
}

fn atlas(project: &Project, arguments: &[&str]) -> Ended {
    let mut all = vec!["atlas", arguments[0], "mix.toml"];
    all.extend(&arguments[1..]);
    project.madmix(&all)
}

fn json_of(project: &Project, arguments: &[&str]) -> Value {
    let mut all = arguments.to_vec();
    all.push("--json");
    serde_json::from_str(&atlas(project, &all).expect(0).stdout).unwrap()
}

/// What a run of a mixture gives: the best is at (0.5, 0.3, 0.2).
fn metrics(trial: &Value) -> Value {
    let weights = trial["weights"].as_array().unwrap().iter();
    let pairs = weights.zip([0.5, 0.3, 0.2_f64]);
    let squared: f64 = pairs
        .map(|(weight, best)| (weight.as_f64().unwrap().sqrt() - best.sqrt()).powi(2))
        .sum();
    json!({"ocr": 0.8 - squared, "loss": 2.0 + 2.0 * squared, "aside": 1})
}

/// Proposes and tells.
fn rounds(project: &Project, rounds: usize, batch: &str) {
    for _ in 0..rounds {
        for trial in json_of(project, &["propose", "-n", batch])
            .as_array()
            .unwrap()
        {
            project.write("metrics.json", metrics(trial).to_string());
            let number = trial["number"].to_string();
            atlas(project, &["tell", &number, "--metrics", "metrics.json"]).expect(0);
        }
    }
}

#[test]
fn a_search_by_hand_ends_at_a_mixture_that_can_be_exported() {
    let project = project();
    rounds(&project, 3, "4");
    let status = json_of(&project, &["status"]);
    assert_eq!(
        (&status["told"], &status["pending"]),
        (&json!(12), &json!(0))
    );
    let table = atlas(&project, &["status"]).expect(0).stdout;
    assert!(
        table.contains("12 of 12 runs told") && table.contains("design"),
        "{table}"
    );
    let best = json_of(&project, &["best"]);
    for (weight, wanted) in best["weights"]
        .as_array()
        .unwrap()
        .iter()
        .zip([0.5, 0.3, 0.2])
    {
        assert!((weight.as_f64().unwrap() - wanted).abs() < 0.12, "{best:#}");
    }
    assert!(best["beats_today"].as_f64().unwrap() > 0.9, "{best:#}");
    let benchmarks = best["benchmarks"].as_array().unwrap();
    assert!(benchmarks[0]["difference"]["mean"].as_f64().unwrap() > 0.0);
    assert!(benchmarks[1]["difference"]["mean"].as_f64().unwrap() < 0.0);
    let said = atlas(&project, &["best"]).expect(0).stdout;
    assert!(
        said.contains("chart × ocr") && said.contains("better with a chance"),
        "{said}"
    );
    let mixture: Value =
        serde_json::from_str(&project.read("run/atlas/best/mixture.json")).unwrap();
    assert_eq!(mixture["method"], "mix-atlas");
    let names: Vec<&Value> = mixture["domains"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| &d["name"])
        .collect();
    assert_eq!(names, CELLS);
    // A run of that mixture, made elsewhere, is told by its file.
    let arguments = [
        "tell",
        "--mixture",
        "run/atlas/best/mixture.json",
        "ocr=0.8",
        "loss=2",
    ];
    atlas(&project, &arguments).expect(0);
    let status = json_of(&project, &["status"]);
    assert_eq!(
        (&status["told"], &status["trials"][12]["by"]),
        (&json!(13), &json!("told"))
    );
}

#[test]
fn what_cannot_be_used_is_refused_by_name_and_changes_nothing() {
    let project = project();
    rounds(&project, 1, "2");
    atlas(&project, &["propose", "-n", "1"]).expect(0);
    let before = project.tree();
    project.write("nan.json", r#"{"ocr": NaN, "loss": 1}"#);
    project.write("few.json", r#"{"loss": 1}"#);
    project.write(
        "sum.json",
        json!({CELLS[0]: 0.5, CELLS[1]: 0.5, CELLS[2]: 0.2}).to_string(),
    );
    project.write(
        "name.json",
        json!({"chart x ocr": 0.5, CELLS[1]: 0.5, CELLS[2]: 0.0}).to_string(),
    );
    project.write(
        "lack.json",
        json!({CELLS[0]: 0.5, CELLS[1]: 0.5}).to_string(),
    );
    for (arguments, words) in [
        (&["3", "--metrics", "nan.json"][..], "\"ocr\""),
        (&["3", "--metrics", "few.json"], "\"ocr\""),
        (&["3", "--metrics", "none.json"], "there is no none.json"),
        (&["3", "ocr=nan", "loss=1"], "`ocr` is NaN"),
        (&["3", "ocr=inf", "loss=1"], "`ocr` is inf"),
        (&["3", "ocr=1e200", "loss=1"], "as failed with --failed"),
        (&["3", "ocr=1"], "`loss`"),
        (&["3", "--metrics", "few.json", "x=ocr=1"], "\"ocr\""),
        (&["three", "ocr=1", "loss=1"], "`three` is neither"),
        (
            &["3", "--mixture", "sum.json", "ocr=1", "loss=1"],
            "leave out",
        ),
        (&["3", "ocr=1", "--failed", "why"], "has no metrics"),
        (&["3", "ocr=good", "loss=1"], "`good` is no number"),
        (&["3"], "say what came of it"),
        (&["9", "ocr=1", "loss=1"], "no trial 9"),
        (&["ocr=1", "loss=1"], "name one trial"),
        (&["2", "ocr=1", "loss=1"], "--replace"),
        (&["--mixture", "sum.json", "ocr=1", "loss=1"], "1.2"),
        (
            &["--mixture", "name.json", "ocr=1", "loss=1"],
            "is \"chart × ocr\" meant?",
        ),
        (
            &["--mixture", "lack.json", "ocr=1", "loss=1"],
            "no share of the cell \"photo × vqa\"",
        ),
        (
            &["--mixture", "mix.toml", "ocr=1", "loss=1"],
            "is no mixture",
        ),
    ] {
        let mut all = vec!["tell"];
        all.extend(arguments);
        let ended = atlas(&project, &all);
        assert!(
            ended.code == Some(2) && ended.stderr.contains(words),
            "{words}: {ended}"
        );
    }
    assert!(project.tree() == before, "a refused tell left something");
}

#[test]
fn a_name_may_hold_an_equals_sign() {
    let project = project();
    project.edit("mix.toml", "name = \"ocr\"", "name = \"acc=1\"");
    atlas(&project, &["propose", "-n", "1"]).expect(0);
    project.write("loss.json", r#"{"loss": 1}"#);
    let arguments = ["tell", "1", "--metrics", "loss.json", "acc=1=0.5"];
    atlas(&project, &arguments).expect(0);
    let status = json_of(&project, &["status"]);
    let told = json!({"told": {"acc=1": 0.5, "loss": 1.0}});
    assert_eq!(status["trials"][0]["outcome"], told);
}

#[test]
fn status_changes_nothing() {
    let project = project();
    let before = project.tree();
    let ended = atlas(&project, &["status"]).expect(0);
    assert!(ended.stdout.contains("0 of 12 runs told"), "{ended}");
    assert!(project.tree() == before, "status left something");
    rounds(&project, 1, "2");
    let study = project.path("run/atlas/study");
    for lock in ["lock", "proposing"] {
        fs_err::remove_file(study.join(lock)).unwrap();
    }
    let before = project.tree();
    let status = json_of(&project, &["status"]);
    assert_eq!(status["told"], json!(2));
    assert!(project.tree() == before, "status left something");
}

#[test]
fn a_benchmark_that_is_added_leaves_the_trials_to_be_listed() {
    let project = project();
    rounds(&project, 1, "3");
    let more = "[[atlas.benchmark]]\nname = \"new\"\n[[atlas.benchmark]]\nname = \"ocr\"";
    project.edit("mix.toml", "[[atlas.benchmark]]\nname = \"ocr\"", more);
    let arguments = ["tell", "2", "ocr=0.7", "loss=2", "new=3", "--replace"];
    atlas(&project, &arguments).expect(0);
    let ended = atlas(&project, &["status"]).expect(0);
    assert!(
        ended.stdout.contains("3 of 12 runs told")
            && ended.stderr.contains("2 of the runs")
            && ended.stderr.contains("`new`"),
        "{ended}"
    );
    let scores = json_of(&project, &["status"])["scores"].clone();
    assert!(
        scores[0].is_null() && scores[1].is_f64() && scores[2].is_null(),
        "{scores}"
    );
    let ended = atlas(&project, &["best"]).expect(2);
    assert!(ended.stderr.contains("`new`"), "{ended}");
}

#[test]
fn what_is_wrong_with_a_replay_is_said_once_and_as_such() {
    let project = Project::new();
    project.write("mixtures.csv", "run,a,b\n1,0.5,0.5\n2,0.2,0.8\n3,0.7,0.3\n");
    project.write("metrics.csv", "run,loss\n1,2\n2,3\n3,1\n");
    let replay = |more: &[&str]| {
        let mut all = vec!["atlas", "replay", "--mixtures", "mixtures.csv"];
        all.extend(more);
        project.madmix(&all)
    };
    let metrics = "metrics.csv";
    for (code, more, words) in [
        (
            2,
            &[
                "--metrics",
                metrics,
                "--metric",
                "loss",
                "--strategy",
                "gp/no",
            ][..],
            "no strategy \"gp/no\"",
        ),
        (
            2,
            &["--metrics", metrics, "--metric", "acc"],
            "no metric \"acc\"",
        ),
        (
            2,
            &["--metrics", metrics, "--metric", "loss", "--seeds", "0"],
            "--seeds",
        ),
        (
            2,
            &[
                "--metrics",
                metrics,
                "--metrics",
                metrics,
                "--metric",
                "loss",
            ],
            "equally often",
        ),
        (2, &["--metrics", metrics, "--metric", "loss"], "too few"),
        (
            2,
            &["--metrics", "mix.toml", "--metric", "loss"],
            "mix.toml",
        ),
        (
            1,
            &["--metrics", "none.csv", "--metric", "loss"],
            "none.csv",
        ),
    ] {
        let ended = replay(more).expect(code);
        assert_eq!(ended.stderr.matches(words).count(), 1, "{words}: {ended}");
    }
}

#[test]
fn nothing_told_is_lost() {
    let project = project();
    rounds(&project, 1, "2");
    atlas(&project, &["tell", "2", "ocr=1", "loss=1", "--replace"]).expect(0);
    atlas(
        &project,
        &["tell", "1", "--failed", "out of memory", "--replace"],
    )
    .expect(0);
    let kept = project.read("run/atlas/study/trials/0002/outcome.1.json");
    assert!(kept.contains("\"aside\": 1.0"), "{kept}");
    let status = json_of(&project, &["status"]);
    assert_eq!((&status["told"], &status["failed"]), (&json!(1), &json!(1)));
    let table = atlas(&project, &["status"]).expect(0).stdout;
    assert!(table.contains("failed: out of memory"), "{table}");
    let arguments = ["tell", "2", "--failed", "too", "--replace"];
    atlas(&project, &arguments).expect(0);
    assert!(
        project
            .path("run/atlas/study/trials/0002/outcome.2.json")
            .exists()
    );
    let few = atlas(&project, &["best"]).expect(2);
    assert!(few.stderr.contains("finished runs"), "{few}");
}

#[test]
fn a_study_is_of_one_space_and_one_labelling() {
    let project = project();
    rounds(&project, 1, "1");
    project.edit("mix.toml", "initial = 4", "initial = 4\nspace = \"task\"");
    let ended = atlas(&project, &["propose"]).expect(2);
    assert!(
        ended
            .stderr
            .contains("space was \"joint\", and is \"task\""),
        "{ended}"
    );
    project.edit("mix.toml", "space = \"task\"", "");
    project.edit("run/atlas/grid.json", "\"samples\":500", "\"samples\":501");
    let ended = atlas(&project, &["status"]).expect(2);
    assert!(
        ended
            .stderr
            .contains("samples.photo × vqa was 500, and is 501"),
        "{ended}"
    );
    project.edit("run/atlas/grid.json", "\"samples\":501", "\"samples\":500");
    project.edit(
        "mix.toml",
        "initial = 4",
        "initial = 4\nbound = [{ of = \"chart x ocr\", max = 0.5 }]",
    );
    let ended = atlas(&project, &["propose"]).expect(2);
    assert!(
        ended.stderr.contains("is \"chart × ocr\" meant?"),
        "{ended}"
    );
    fs_err::remove_file(project.path("run/atlas/grid.json")).unwrap();
    let ended = atlas(&project, &["propose"]).expect(1);
    assert!(
        ended.stderr.contains("madmix atlas label mix.toml"),
        "{ended}"
    );
}

#[test]
fn proposers_at_once_each_have_trials_of_their_own() {
    let project = project();
    rounds(&project, 1, "4");
    let mut running: Vec<_> = (0..4)
        .map(|_| project.start(&["atlas", "propose", "mix.toml", "-n", "2"]))
        .collect();
    for child in &mut running {
        assert!(child.wait().unwrap().success());
    }
    let status = json_of(&project, &["status"]);
    let trials = status["trials"].as_array().unwrap();
    assert_eq!((trials.len(), &status["pending"]), (12, &json!(8)));
    let mut points: Vec<String> = trials
        .iter()
        .map(|trial| trial["point"].to_string())
        .collect();
    points.sort();
    points.dedup();
    assert_eq!(points.len(), 12);
}

#[test]
fn whatever_a_killed_proposer_leaves_the_next_goes_on() {
    let project = project();
    rounds(&project, 1, "4");
    for wait in [1, 20, 60, 120, 250] {
        let mut child = project.start(&["atlas", "propose", "mix.toml", "-n", "3"]);
        std::thread::sleep(std::time::Duration::from_millis(wait));
        child.kill().unwrap();
        child.wait().unwrap();
        let mut said = String::new();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        json_of(&project, &["status"]);
    }
    // As between the folder of a trial and what is written into it, and between its two files.
    let count = json_of(&project, &["status"])["trials"]
        .as_array()
        .unwrap()
        .len();
    let next = format!("run/atlas/study/trials/{:04}", count + 1);
    fs_err::create_dir_all(project.path(&next)).unwrap();
    fs_err::remove_file(project.path("run/atlas/study/trials/0004/mixture.json")).unwrap();
    let made = json_of(&project, &["propose", "-n", "1"]);
    assert_eq!(made[0]["number"], json!(count + 1));
    for folder in ["run/atlas/study/trials/0004".to_owned(), next] {
        assert!(
            project.path(&folder).join("mixture.json").exists(),
            "{folder}"
        );
    }
}
