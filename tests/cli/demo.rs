//! The demo in `configs/`, as the README tells to run it. It takes a while, so one test does all of it.

use serde_json::Value;

use crate::assert_ended;
use crate::project::{Ended, Project, assert_same, repository};

const FILES: [&str; 18] = [
    "centroids.safetensors",
    "config.toml",
    "failures.jsonl",
    "manifest.json",
    "mixture.json",
    "report.html",
    "shards/charts/00000.safetensors",
    "shards/dialogues/00000.safetensors",
    "shards/geometry/00000.safetensors",
    "shards/graphs/00000.safetensors",
    "shards/instructions/00000.safetensors",
    "shards/motion/00000.safetensors",
    "shards/receipts_tables/00000.safetensors",
    "shards/scenes/00000.safetensors",
    "shards/screens/00000.safetensors",
    "shards/signs/00000.safetensors",
    "shards/tabletop/00000.safetensors",
    "shards/text_lines/00000.safetensors",
];

/// The domains that show clips, by their scores.
fn with_video(mixture: &Value) -> Vec<&str> {
    let domains = mixture["domains"].as_array().unwrap().iter();
    domains
        .filter(|domain| domain["scores"]["video"].is_f64())
        .map(|domain| domain["name"].as_str().unwrap())
        .collect()
}

/// The demo's config with its data where they are and its output in a folder of the test's.
pub(crate) fn demo() -> Project {
    let project = Project::new();
    let repository = repository();
    let config = fs_err::read_to_string(format!("{repository}/configs/demo.toml")).unwrap();
    let config = config
        .replace("\"../runs/demo\"", "\"run\"")
        .replace("\"../models/", &format!("\"{repository}/models/"))
        .replace("\"demo/", &format!("\"{repository}/configs/demo/"))
        .replace("[model]", "[model]\ndevice = \"cpu\"");
    project.write("mix.toml", config);
    project
}

#[test]
fn run_weighs_the_demo_once() {
    let project = demo();
    let ended = project.run();
    // Without the lines of progress, whose number depends on the machine.
    let (stdout, code) = (ended.stdout.clone(), ended.code);
    let shown = Ended {
        code,
        stdout,
        stderr: String::new(),
    };
    assert_ended!("demo_run", shown);
    let tree = project.tree();
    let names: Vec<_> = tree.keys().map(|path| path.to_str().unwrap()).collect();
    assert_eq!(names, FILES);
    assert!(project.read("run/failures.jsonl").is_empty());

    let mixture: Value = serde_json::from_str(&project.read("run/mixture.json")).unwrap();
    let sum = |list: &Value| {
        list.as_array()
            .unwrap()
            .iter()
            .map(|weight| weight.as_f64().unwrap())
            .sum::<f64>()
    };
    let domains = mixture["domains"].as_array().unwrap();
    let weights: Value = domains
        .iter()
        .map(|domain| domain["weight"].clone())
        .collect();
    let datasets = domains
        .iter()
        .flat_map(|domain| domain["datasets"].as_array().unwrap());
    let shares: Value = datasets.map(|dataset| dataset["weight"].clone()).collect();
    for weights in [
        &weights,
        &shares,
        &mixture["baselines"]["human"],
        &mixture["baselines"]["uniform"],
    ] {
        assert!((sum(weights) - 1.0).abs() < 1e-12, "{weights}");
    }
    assert_eq!(mixture["provenance"]["samples"], 240);
    assert_eq!(with_video(&mixture), ["Video"]);

    let written = |name: String| {
        fs_err::metadata(project.path(&name))
            .unwrap()
            .modified()
            .unwrap()
    };
    let times: Vec<_> = FILES
        .iter()
        .map(|name| written(format!("run/{name}")))
        .collect();
    let again = project.run();
    assert!(
        again.stderr.contains("every shard is there already"),
        "{again}"
    );
    assert_eq!(again.stdout, ended.stdout);
    assert_same(&project.tree(), &tree);
    let later: Vec<_> = FILES
        .iter()
        .map(|name| written(format!("run/{name}")))
        .collect();
    assert_eq!(later, times, "not even written again");

    // What the run resolved its config to describes the same run.
    let resolved = project.madmix(&["run", "run/config.toml"]).expect(0);
    assert_eq!(resolved.stdout, ended.stdout);
    assert_same(&project.tree(), &tree);
}
