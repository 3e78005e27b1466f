//! Other weights from the same centroids.

use serde_json::Value;

use crate::assert_ended;
use crate::project::{Ended, Project, assert_same};
use crate::samples::picture_row;

/// A project that was run, with today's shares in its config.
fn solved() -> Project {
    let project = Project::new();
    project.edit(
        "mix.toml",
        "name = \"Words\"",
        "name = \"Words\"\nhuman = 3",
    );
    project.edit(
        "mix.toml",
        "name = \"Pictures\"",
        "name = \"Pictures\"\nhuman = 1",
    );
    project.run();
    project
}

fn weights(json: &str) -> Vec<f64> {
    let mixture: Value = serde_json::from_str(json).unwrap();
    mixture["domains"]
        .as_array()
        .unwrap()
        .iter()
        .map(|domain| domain["weight"].as_f64().unwrap())
        .collect()
}

#[test]
fn extract_and_solve_are_run() {
    let whole = Project::new();
    let ran = whole.run();
    let parts = Project::new();
    let extracted = parts.madmix(&["extract", "mix.toml"]).expect(0);
    assert!(extracted.stdout.is_empty(), "{extracted}");
    assert!(
        extracted.stderr.contains("next: madmix solve [DIR]/run"),
        "{extracted}"
    );
    assert!(!parts.path("run/mixture.json").exists());
    let solved = parts.madmix(&["solve", "run"]).expect(0);
    assert_eq!(solved.stdout, ran.stdout);
    assert_same(&parts.results(), &whole.results());
}

#[test]
fn another_method_and_lambda() {
    let project = solved();
    let solve = |arguments: &[&str]| {
        let mut all = vec!["solve", "run", "--json"];
        all.extend(arguments);
        let ended = project.madmix(&all).expect(0);
        assert_eq!(
            ended.stdout,
            project.read("run/mixture.json"),
            "what is printed is what is kept"
        );
        weights(&ended.stdout)
    };
    assert_eq!(solve(&["--method", "uniform"]), [0.5, 0.5]);
    assert_eq!(solve(&["--method", "human"]), [0.75, 0.25]);
    let (ten, small) = (solve(&[]), solve(&["--lambda", "0.01"]));
    assert_ne!(ten, small);
    assert_eq!(
        ten,
        solve(&["--lambda", "10"]),
        "10 is what the config says"
    );
}

#[test]
fn centroids_alone_are_enough() {
    let project = solved();
    let mixture = project.read("run/mixture.json");
    fs_err::copy(
        project.path("run/centroids.safetensors"),
        project.path("mine.safetensors"),
    )
    .unwrap();
    let ended = project
        .madmix(&["solve", "mine.safetensors", "--json"])
        .expect(0);
    let without_intervals = |json: &str| {
        let mut mixture: Value = serde_json::from_str(json).unwrap();
        mixture.as_object_mut().unwrap().remove("uncertainty");
        for domain in mixture["domains"].as_array_mut().unwrap() {
            for end in ["low", "high"] {
                domain.as_object_mut().unwrap().remove(end);
            }
        }
        mixture
    };
    assert_ne!(ended.stdout, mixture, "intervals take the samples");
    assert_eq!(
        without_intervals(&ended.stdout),
        without_intervals(&mixture)
    );
    assert!(ended.stderr.is_empty(), "nothing is written: {ended}");
    assert_ended!(
        "solve_table",
        project.madmix(&["solve", "mine.safetensors"]).expect(0)
    );
}

#[test]
fn mistakes() {
    let project = Project::new();
    let solve = |arguments: &[&str]| {
        let mut all = vec!["solve"];
        all.extend(arguments);
        project.madmix(&all)
    };
    fs_err::create_dir(project.path("photos")).unwrap();
    assert_ended!("solve_no_run", solve(&["photos"]).expect(1));
    assert_ended!("solve_nothing", solve(&["nowhere"]).expect(1));
    assert_ended!("solve_config", solve(&["mix.toml"]).expect(2));

    project.run();
    assert_ended!(
        "solve_unknown_method",
        solve(&["run", "--method", "unifrom"]).expect(2)
    );
    assert_ended!("solve_lambda", solve(&["run", "--lambda", "-1"]).expect(2));
    assert_ended!(
        "solve_human_without_shares",
        solve(&["run", "--method", "human"]).expect(2)
    );
    let file = project.path("run/centroids.safetensors");
    let whole = fs_err::read(&file).unwrap();
    let solve_file = || solve(&["run/centroids.safetensors"]).expect(2);
    project.write("run/centroids.safetensors", &whole[..whole.len() - 9]);
    assert_ended!("solve_truncated", solve_file());
    project.write("run/centroids.safetensors", "not centroids");
    assert_ended!("solve_not_centroids", solve_file());
    let mut damaged = whole.clone();
    damaged[whole.len() - 9] ^= 1;
    project.write("run/centroids.safetensors", damaged);
    assert_ended!("solve_damaged", solve_file());
    // Of a run there are the shards, which is all that it takes to make them again.
    solve(&["run"]).expect(0);
    assert_eq!(fs_err::read(&file).unwrap(), whole);
}

#[test]
fn a_shard_is_not_taken_for_centroids() {
    let project = solved();
    let ended: Ended = project
        .madmix(&["solve", "run/shards/words/00000.safetensors"])
        .expect(2);
    assert_ended!("solve_shard", ended);
}

#[test]
fn no_replicates_are_no_intervals() {
    let project = solved();
    project
        .madmix(&["solve", "run", "--replicates", "0"])
        .expect(0);
    let mixture: Value = serde_json::from_str(&project.read("run/mixture.json")).unwrap();
    assert!(mixture.get("uncertainty").is_none(), "{mixture}");
    let with = Project::new();
    with.edit(
        "mix.toml",
        "[[domain]]",
        "[mix]\nreplicates = 0\n[[domain]]",
    );
    with.run();
    with.madmix(&["report", "run"]).expect(0);
    with.madmix(&["compare", "run", "run"]).expect(0);
}

#[test]
fn what_takes_shards_is_refused_of_centroids_alone() {
    let project = solved();
    let solve = |argument: &str, value: &str| {
        let file = "run/centroids.safetensors";
        project.madmix(&["solve", file, argument, value])
    };
    for (argument, value) in [
        ("--layer", "0"),
        ("--aggregation", "size"),
        ("--replicates", "100"),
    ] {
        let ended = solve(argument, value).expect(2);
        let said = format!("{argument} needs the shards of a run");
        assert!(ended.stderr.contains(&said), "{ended}");
    }
    for (argument, value) in [
        ("--layer", "last"),
        ("--aggregation", "equal"),
        ("--replicates", "0"),
    ] {
        solve(argument, value).expect(0);
    }
}

#[test]
fn hold_what_no_dataset_but_one_shares() {
    let project = Project::new();
    project.edit(
        "mix.toml",
        "name = \"Words\"\n",
        "name = \"Words\"\nhuman = 3\n[[domain.dataset]]\nname = \"more\"\npath = \"more.jsonl\"\nmedia_root = \".\"\n",
    );
    let more: String = (0..6).map(|i| picture_row(i) + "\n").collect();
    project.write("more.jsonl", more);
    project.edit(
        "mix.toml",
        "name = \"Pictures\"",
        "name = \"Pictures\"\nhuman = 1",
    );
    project.edit(
        "mix.toml",
        "[[domain]]",
        "[mix]\nmethod = \"image\"\nhold = [\"Pictures\"]\n[[domain]]",
    );
    // Without `more` all that is not held has no picture: no reason to keep the weights back.
    project.run();
}
