//! Datasets that cannot be used as a whole.

use crate::assert_ended;
use crate::project::{Ended, Project};

/// Runs a project with one mistake in its data, which must leave no run behind.
#[track_caller]
fn refused(mistake: impl FnOnce(&Project)) -> Ended {
    let project = Project::new();
    mistake(&project);
    let ended = project.madmix(&["run", "mix.toml"]).expect(1);
    assert!(!project.path("run").exists(), "nothing was begun: {ended}");
    assert!(ended.stdout.is_empty(), "{ended}");
    ended
}

#[test]
fn missing_file() {
    let ended = refused(|project| project.edit("mix.toml", "words.jsonl", "texts/words.jsonl"));
    assert_ended!("data_missing", ended);
}

#[test]
fn empty_file() {
    let ended = refused(|project| project.write("words.jsonl", ""));
    assert_ended!("data_empty", ended);
}

#[test]
fn list_that_breaks_off() {
    let ended = refused(|project| {
        let rows: Vec<String> = project
            .read("words.jsonl")
            .lines()
            .map(str::to_owned)
            .collect();
        let list = format!("[{}]", rows.join(",\n"));
        // In the middle of the eighth row.
        let end = list.match_indices("\"w7\"").next().unwrap().0 + 20;
        project.write("words.jsonl", &list[..end]);
    });
    assert_ended!("data_breaks_off", ended);
}

#[test]
fn pickles_instead_of_json() {
    let ended = refused(|project| project.write("words.jsonl", b"\x80\x04\x95\x00\x00"));
    assert_ended!("data_unknown_format", ended);
}

#[test]
fn missing_media_root() {
    let ended = refused(|project| {
        project.edit(
            "mix.toml",
            "path = \"pictures.jsonl\"",
            "path = \"pictures.jsonl\"\nmedia_root = \"images\"",
        );
    });
    assert_ended!("data_no_media_root", ended);
}

#[test]
fn filter_that_keeps_nothing() {
    let ended = refused(|project| {
        project.edit(
            "mix.toml",
            "path = \"words.jsonl\"",
            "path = \"words.jsonl\"\nfilter = { data_source = [\"poem\"] }",
        );
    });
    assert_ended!("data_filter_keeps_nothing", ended);
}

#[test]
fn same_data_under_two_names_is_two_datasets() {
    let project = Project::new();
    project.edit(
        "mix.toml",
        "name = \"Words\"\n",
        "name = \"Words\"\n[[domain.dataset]]\npath = \"pictures.jsonl\"\nname = \"again\"\n",
    );
    project.run();
    assert!(project.path("run/shards/again/00000.safetensors").exists());
}
