//! Files that older versions have written are read for ever: see `tests/fixtures/store`.

use std::path::Path;

use serde_json::Value;

use crate::project::{Project, assert_same, repository, tree};

/// A run of format 1, moved to `run` in a folder of its own.
fn run_1() -> Project {
    let project = Project::new();
    let fixture = Path::new(repository()).join("tests/fixtures/store/run-1");
    for (name, bytes) in tree(&fixture) {
        project.write(&format!("run/{}", name.display()), bytes);
    }
    project
}

fn weights(mixture: &str) -> Vec<f64> {
    let mixture: Value = serde_json::from_str(mixture).unwrap();
    let domains = mixture["domains"].as_array().unwrap();
    let weight = |domain: &Value| domain["weight"].as_f64().unwrap();
    domains.iter().map(weight).collect()
}

/// The same up to the last digits, which hang on the processor.
#[track_caller]
fn assert_close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
    }
}

#[test]
fn a_run_of_format_1_is_complete() {
    let project = run_1();
    let before = project.tree();
    let ended = project.madmix(&["status", "run", "--json"]).expect(0);
    let states: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(states[0]["done"], 1, "{ended}");
    assert_eq!(states[1]["failed"], 1, "{ended}");
    assert_same(&project.tree(), &before);
}

#[test]
fn the_shards_of_format_1_give_their_weights() {
    let project = run_1();
    let expected = weights(&project.read("run/mixture.json"));
    let failures = project.read("run/failures.jsonl");
    for file in ["centroids.safetensors", "mixture.json", "failures.jsonl"] {
        fs_err::remove_file(project.path("run").join(file)).unwrap();
    }
    project.madmix(&["solve", "run"]).expect(0);
    assert_close(&weights(&project.read("run/mixture.json")), &expected);
    assert_eq!(project.read("run/failures.jsonl"), failures);
}

#[test]
fn the_centroids_of_format_1_give_their_weights() {
    let project = run_1();
    let expected = weights(&project.read("run/mixture.json"));
    let file = "run/centroids.safetensors";
    let ended = project.madmix(&["solve", file, "--json"]).expect(0);
    assert_close(&weights(&ended.stdout), &expected);
}
