//! Samples that cannot be used: counted, named, and made good later.

use image::ImageFormat;
use serde_json::{Value, json};

use crate::assert_ended;
use crate::project::{Project, assert_same};
use crate::samples::{picture, picture_row};

const ALL_MAY_FAIL: &str = "max_failure_rate = 1.0";

/// The second picture breaks off after its header; the fifth is not there.
fn broken() -> Project {
    let project = Project::new();
    let whole = picture(1, ImageFormat::Png);
    project.write("1.png", &whole[..whole.len() / 2]);
    fs_err::remove_file(project.path("4.png")).unwrap();
    project
}

#[test]
fn failed_samples_are_counted_and_named_and_the_run_goes_on() {
    let project = broken();
    project.extract(ALL_MAY_FAIL);
    let ended = project.run();
    assert_ended!("pictures_broken_and_allowed", ended);
    let expected = [
        json!({"dataset": "pictures", "row": 1, "id": "p1", "reason": "1.png: truncated PNG: the file ends before the picture does"}),
        json!({"dataset": "pictures", "row": 4, "id": "p4", "reason": "4.png: there is no such file"}),
    ];
    assert_eq!(project.failures(), expected);
    let mixture: Value = serde_json::from_str(&project.read("run/mixture.json")).unwrap();
    assert_eq!(mixture["provenance"]["samples"], 16);
    assert_eq!(
        mixture["domains"][1]["size"], 6,
        "the trainer still samples from all rows"
    );
}

/// Shards hold the reasons, so these must be the same wherever the data lies.
#[test]
fn shards_with_failures_are_the_same_in_another_folder() {
    let (one, two) = (broken(), broken());
    for project in [&one, &two] {
        project.extract(ALL_MAY_FAIL);
        project.run();
    }
    assert_same(&one.results(), &two.results());
}

#[test]
fn too_many_failures_are_found_before_the_model_pass() {
    let project = broken();
    let ended = project.madmix(&["run", "mix.toml"]).expect(1);
    assert_ended!("pictures_missing", ended);
    assert!(
        !project.path("run/shards").exists(),
        "the model has not run: {ended}"
    );
    assert_eq!(project.failures().len(), 1, "as far as headers tell");
}

#[test]
fn a_picture_that_breaks_off_stops_the_run_when_it_is_decoded() {
    let project = broken();
    project.write("4.png", picture(4, ImageFormat::Png));
    let ended = project.madmix(&["run", "mix.toml"]).expect(1);
    assert_ended!("pictures_truncated", ended);
    assert_eq!(project.failures().len(), 1);
    // What failed stays failed until it is asked for again.
    let again = project.madmix(&["run", "mix.toml"]).expect(1);
    assert_eq!(again.stderr.lines().last(), ended.stderr.lines().last());
}

#[test]
fn mended_samples_are_made_good_on_request() {
    let quiet = Project::new();
    quiet.extract(ALL_MAY_FAIL);
    quiet.run();

    let project = broken();
    project.extract(ALL_MAY_FAIL);
    project.run();
    let with_failures = project.results();
    for i in [1, 4] {
        project.write(&format!("{i}.png"), picture(i, ImageFormat::Png));
    }
    project.run();
    assert_same(&project.results(), &with_failures);
    project
        .madmix(&["run", "mix.toml", "--retry-failed"])
        .expect(0);
    assert_same(&project.results(), &quiet.results());
}

#[test]
fn every_broken_dataset_is_named_at_once() {
    let project = broken();
    project.write("words.jsonl", "{\"id\": \"w0\"}\n");
    let ended = project.madmix(&["run", "mix.toml"]).expect(1);
    assert_eq!(project.failures().len(), 2, "{ended}");
}

#[test]
fn plan_finds_the_same_and_writes_nothing() {
    let project = broken();
    let ended = project.madmix(&["plan", "mix.toml"]).expect(1);
    assert_ended!("pictures_plan", ended);
    assert!(!project.path("run").exists());
}

#[test]
fn a_domain_without_a_usable_sample() {
    let project = Project::new();
    for i in 0..6 {
        project.write(&format!("{i}.png"), "this was a picture once");
    }
    assert_ended!(
        "pictures_all_broken",
        project.madmix(&["run", "mix.toml"]).expect(1)
    );
    project.extract(ALL_MAY_FAIL);
    assert_ended!(
        "pictures_all_broken_and_allowed",
        project.madmix(&["run", "mix.toml"]).expect(2)
    );
    assert_eq!(project.failures().len(), 6);
}

#[test]
fn the_bytes_tell_a_pictures_format_and_not_its_name() {
    let project = Project::new();
    let row = picture_row(3);
    project.edit("pictures.jsonl", &row, &row.replace("3.png", "3.jpg"));
    project.write("3.jpg", picture(3, ImageFormat::Gif));
    project.run();
    assert!(project.failures().is_empty());
}

#[test]
fn a_few_failures_are_within_the_limit() {
    let project = broken();
    project.extract("max_failure_rate = 0.34");
    project.run();
    assert_eq!(project.failures().len(), 2);
}
