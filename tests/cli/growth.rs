//! Datasets of several shards, that grow when more samples are asked for, and files that hold two domains.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::project::{Project, Tree, assert_same};
use crate::samples::rows;

fn long() -> Project {
    let project = Project::new();
    project.write("words.jsonl", rows(0..200));
    project
}

fn shards(tree: &Tree, dataset: &str) -> Tree {
    let folder = Path::new("shards").join(dataset);
    tree.iter()
        .filter(|(path, _)| path.starts_with(&folder))
        .map(|(path, bytes)| (path.clone(), bytes.clone()))
        .collect()
}

#[test]
fn shards_are_of_64_rows_and_more_samples_are_more_shards() {
    let project = long();
    project.extract("samples_per_dataset = 64");
    project.run();
    let first = shards(&project.tree(), "words");
    assert_eq!(first.len(), 1);

    project.edit(
        "mix.toml",
        "samples_per_dataset = 64",
        "samples_per_dataset = 128",
    );
    project.run();
    let mut second = shards(&project.tree(), "words");
    let names =
        ["00000", "00001"].map(|index| PathBuf::from(format!("shards/words/{index}.safetensors")));
    assert!(second.keys().eq(&names), "{:?}", second.keys());
    second.pop_last();
    assert_same(&second, &first);

    // All there is, the last shard shorter, and the same as if it had been asked for at once.
    project.edit(
        "mix.toml",
        "samples_per_dataset = 128",
        "samples_per_dataset = 512",
    );
    project.run();
    assert_eq!(shards(&project.tree(), "words").len(), 4);
    let at_once = long();
    at_once.run();
    assert_same(&project.results(), &at_once.results());

    // Fewer again: the shards stay, the mixture is that of fewer.
    project.edit(
        "mix.toml",
        "samples_per_dataset = 512",
        "samples_per_dataset = 64",
    );
    let ended = project.run();
    assert!(
        ended.stderr.contains("every shard is there already"),
        "{ended}"
    );
    let mixture: Value = serde_json::from_str(&project.read("run/mixture.json")).unwrap();
    assert_eq!(mixture["provenance"]["samples"], 64 + 6);
}

#[test]
fn a_number_that_is_no_multiple_of_64_takes_whole_shards() {
    let project = long();
    project.extract("samples_per_dataset = 65");
    project.run();
    assert_eq!(shards(&project.tree(), "words").len(), 2);
}

#[test]
fn one_file_can_hold_two_domains() {
    let project = Project::new();
    project.edit(
        "mix.toml",
        "path = \"words.jsonl\"",
        r#"path = "words.jsonl"
name = "letters"
filter = { data_source = ["letters"] }

[[domain]]
name = "Poems"
[[domain.dataset]]
path = "words.jsonl"
name = "poems"
filter = { data_source = ["poems"] }"#,
    );
    project.run();
    let mixture: Value = serde_json::from_str(&project.read("run/mixture.json")).unwrap();
    let domains = mixture["domains"].as_array().unwrap();
    let sizes: Vec<_> = domains
        .iter()
        .map(|domain| {
            (
                domain["name"].as_str().unwrap(),
                domain["size"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(sizes, [("Words", 8), ("Poems", 4), ("Pictures", 6)]);
}
