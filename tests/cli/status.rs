//! What `madmix status` tells of a run.

use crate::assert_ended;
use crate::project::{Project, assert_same};
use crate::samples::rows;

/// Five shards, of which the first and the third are there.
fn begun() -> Project {
    let project = Project::new();
    project.write("words.jsonl", rows(0..256));
    project
        .madmix(&["extract", "mix.toml", "--rank", "0", "--ranks", "2"])
        .expect(0);
    fs_err::remove_file(project.path("run/shards/pictures/00000.safetensors")).unwrap();
    project
}

#[test]
fn a_run_that_is_begun() {
    let project = begun();
    let tree = project.tree();
    assert_ended!(
        "status_begun",
        project.madmix(&["status", "run"]).expect(75)
    );
    let array = |arguments: &[&str]| {
        let all = [&["status", "run", "--array"], arguments].concat();
        project.madmix(&all).expect(75).stdout
    };
    assert_eq!(array(&[]), "0-2\n");
    assert_eq!(array(&["--ranks", "2"]), "0-1\n");
    assert_eq!(array(&["--ranks", "1"]), "0\n");
    assert_ended!(
        "status_json",
        project.madmix(&["status", "run", "--json"]).expect(75)
    );
    assert_same(&project.tree(), &tree);
}

#[test]
fn a_run_that_is_done() {
    let project = Project::new();
    project.run();
    assert_ended!("status_done", project.madmix(&["status", "run"]).expect(0));
    let array = project.madmix(&["status", "run", "--array"]).expect(0);
    assert!(array.stdout.is_empty(), "{array}");
}

#[test]
fn damage_is_named_and_changes_nothing() {
    let project = Project::new();
    project.run();
    let shard = "run/shards/words/00000.safetensors";
    let mut bytes = fs_err::read(project.path(shard)).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    project.write(shard, &bytes);
    let tree = project.tree();
    let ended = project.madmix(&["status", "run"]).expect(75);
    assert!(
        ended.stderr.contains("00000.safetensors is damaged"),
        "{ended}"
    );
    assert!(
        ended.stderr.contains("1 of 2 shards are missing"),
        "{ended}"
    );
    assert_same(&project.tree(), &tree);
}

#[test]
fn failures_are_listed() {
    let project = Project::new();
    project.extract("max_failure_rate = 0.5");
    fs_err::remove_file(project.path("3.png")).unwrap();
    project.run();
    let ended = project.madmix(&["status", "run", "--failures"]).expect(0);
    assert_eq!(ended.stdout, project.read("run/failures.jsonl"));
    assert_eq!(ended.stdout.lines().count(), 1);
    let table = project.madmix(&["status", "run"]).expect(0);
    assert!(
        table
            .stdout
            .contains("pictures        6       1     1        0               1"),
        "{table}"
    );
}

#[test]
fn mistakes() {
    let project = Project::new();
    project.write("elsewhere/notes.txt", "");
    assert_ended!(
        "status_no_run",
        project.madmix(&["status", "elsewhere"]).expect(1)
    );
    assert_ended!(
        "status_no_folder",
        project.madmix(&["status", "nowhere"]).expect(1)
    );
    project.run();
    project.edit("run/manifest.json", "\"rows\": 12", "\"rows\": 13");
    assert_ended!(
        "status_edited",
        project.madmix(&["status", "run"]).expect(1)
    );
    project.run();
    project.madmix(&["status", "run"]).expect(0);
}
