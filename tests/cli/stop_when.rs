//! Extraction that ends once the weights are known well enough.

use image::ImageFormat;
use serde_json::Value;

use crate::assert_ended;
use crate::project::{Project, assert_same};
use crate::samples::{picture, picture_row, rows};

/// Up to thirteen rounds: thirteen shards of words, one of pictures.
fn project(stop_when: Option<&str>) -> Project {
    let project = Project::new();
    project.write("words.jsonl", rows(0..800));
    project.extract("samples_per_dataset = 800");
    if let Some(stop_when) = stop_when {
        project.extract(&format!("stop_when = {stop_when}"));
    }
    project
}

fn words(project: &Project) -> usize {
    let is_shard = |path: &&std::path::PathBuf| path.starts_with("shards/words");
    project.tree().keys().filter(is_shard).count()
}

fn mixture(project: &Project) -> Value {
    serde_json::from_str(&project.read("run/mixture.json")).unwrap()
}

/// The largest distance from a weight to an end of its interval.
fn reach(project: &Project) -> f64 {
    let mixture = mixture(project);
    let domains = mixture["domains"].as_array().unwrap();
    let reach = |domain: &Value| {
        let [weight, low, high] =
            ["weight", "low", "high"].map(|key| domain[key].as_f64().unwrap());
        (high - weight).max(weight - low)
    };
    domains.iter().map(reach).fold(0.0, f64::max)
}

/// What all samples but those of the first round make of the intervals: a value between asks for some of them.
fn some() -> (Project, f64) {
    let one = project(Some("0.9"));
    one.run();
    assert_eq!(words(&one), 1, "± 90 percentage points are soon known");
    let all = project(None);
    all.run();
    assert_eq!(words(&all), 13);
    let (wide, narrow) = (reach(&one), reach(&all));
    assert!(narrow < wide, "{narrow} {wide}");
    (all, f64::midpoint(narrow, wide))
}

#[test]
fn a_run_ends_when_the_weights_are_known_and_can_be_taken_further() {
    let (all, wanted) = some();
    let project = project(Some(&wanted.to_string()));
    let ended = project.madmix(&["run", "mix.toml"]).expect(0);
    let made = words(&project);
    assert!((2..13).contains(&made), "{made}: {ended}");
    assert!(reach(&project) <= wanted);
    assert!(
        ended.stderr.contains(&format!(
            "after {made} of at most 13 rounds every weight is known"
        )),
        "{ended}"
    );
    let samples = mixture(&project)["provenance"]["samples"].as_u64().unwrap();
    assert_eq!(samples as usize, 64 * made + 6);

    // Nothing is missing, and nothing more is made.
    let status = project.madmix(&["status", "run"]).expect(0);
    assert!(!status.stdout.contains(" 13 "), "{status}");
    let tree = project.tree();
    project.madmix(&["solve", "run"]).expect(0);
    assert_same(&project.tree(), &tree);
    project.madmix(&["run", "mix.toml"]).expect(0);
    assert_same(&project.tree(), &tree);

    // The same folder, without the limit.
    project.edit("mix.toml", &format!("stop_when = {wanted}"), "");
    project.run();
    assert_same(&project.results(), &all.results());
}

#[test]
fn ranks_end_at_the_same_round() {
    let (_, wanted) = some();
    let alone = project(Some(&wanted.to_string()));
    alone.run();
    let shared = project(Some(&wanted.to_string()));
    for rank in ["0", "1", "2"] {
        let arguments = ["extract", "mix.toml", "--rank", rank, "--ranks", "3"];
        shared.madmix(&arguments).expect(0);
    }
    // The first two saw no whole round, and went on; the last found out that it was enough.
    assert!((words(&alone)..13).contains(&words(&shared)));
    shared.madmix(&["solve", "run"]).expect(0);
    assert_eq!(mixture(&shared), mixture(&alone));
    shared.madmix(&["status", "run"]).expect(0);
}

#[test]
fn mistakes() {
    let run = |stop_when| {
        project(Some(stop_when))
            .madmix(&["run", "mix.toml"])
            .expect(2)
    };
    assert_ended!("stop_when_zero", run("0.0"));
    assert_ended!("stop_when_one", run("1.0"));
    let project = project(Some("0.01"));
    project.edit(
        "mix.toml",
        "[[domain]]",
        "[mix]\nreplicates = 10\n[[domain]]",
    );
    let ended = project.madmix(&["run", "mix.toml"]);
    assert_ended!("stop_when_without_intervals", ended.expect(2));
}

#[test]
fn a_run_that_ended_early_is_solved_in_any_way() {
    let project = project(Some("0.9"));
    project.run();
    for arguments in [
        ["--replicates", "0"],
        ["--replicates", "100"],
        ["--method", "uniform"],
    ] {
        let mut all = vec!["solve", "run"];
        all.extend(arguments);
        project.madmix(&all).expect(0);
        assert_eq!(mixture(&project)["provenance"]["samples"], 64 + 6);
        project.madmix(&["report", "run"]).expect(0);
    }
}

#[test]
fn a_mixture_that_its_shards_have_outgrown_is_not_explained_by_them() {
    let project = project(Some("0.9"));
    project.run();
    project.edit("mix.toml", "stop_when = 0.9", "");
    project.madmix(&["extract", "mix.toml"]).expect(0);
    let report = project.madmix(&["report", "run", "--json"]).expect(0);
    let report: Value = serde_json::from_str(&report.stdout).unwrap();
    assert_eq!(report["analysis"], Value::Null);
    let compared = project
        .madmix(&["compare", "run", "run", "--json"])
        .expect(0);
    let json: Value = serde_json::from_str(&compared.stdout).unwrap();
    assert_eq!(json["paired"], false);
    assert!(compared.stderr.contains("madmix solve"), "{compared}");
    project.madmix(&["solve", "run"]).expect(0);
    let report = project.madmix(&["report", "run", "--json"]).expect(0);
    assert!(!report.stderr.contains("no longer"), "{report}");
}

#[test]
fn failed_samples_of_every_round_are_tried_again() {
    let project = project(None);
    project.extract("max_failure_rate = 0.9");
    let rows: String = (0..90).map(|i| picture_row(i) + "\n").collect();
    project.write("pictures.jsonl", rows);
    let make = |i| project.write(&format!("{i}.png"), picture(i, ImageFormat::Png));
    (0..90).filter(|i| i % 3 > 0).for_each(make);
    fs_err::remove_file(project.path("0.png")).unwrap();
    fs_err::remove_file(project.path("3.png")).unwrap();
    project.run();
    assert_eq!(project.failures().len(), 30);
    let narrow = reach(&project);
    // As well as all samples but the failed ones, and a little less.
    project.extract(&format!("stop_when = {}", 1.05 * narrow));
    (0..90).filter(|i| i % 3 == 0).for_each(make);
    project
        .madmix(&["run", "mix.toml", "--retry-failed"])
        .expect(0);
    assert!(mixture(&project)["provenance"]["samples"].as_u64() > Some(128));
    assert!(project.failures().is_empty(), "{:?}", project.failures());
}

/// Domains of one row are without any sample in most replicates, and those that are left know nothing of them.
#[test]
fn a_handful_of_replicates_is_no_interval() {
    let project = project(Some("0.9"));
    for i in 0..9 {
        project.write(&format!("one{i}.jsonl"), rows(i..i + 1));
        let domain =
            format!("[[domain]]\nname = \"{i}\"\n[[domain.dataset]]\npath = \"one{i}.jsonl\"\n");
        let config = project.read("mix.toml") + &domain;
        project.write("mix.toml", config);
    }
    let ended = project.madmix(&["run", "mix.toml"]).expect(0);
    assert_eq!(words(&project), 13, "{ended}");
    assert!(ended.stderr.contains("gave no weights"), "{ended}");
    let mixture = mixture(&project);
    let replicates = &mixture["uncertainty"]["replicates"];
    assert!(
        (1..100).contains(&replicates.as_u64().unwrap()),
        "{replicates}"
    );
}
