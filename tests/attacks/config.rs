//! Configs with numbers and names out of all range. Their authors are trusted, their slips of the key are not.

use std::process::Command;

use crate::{assert_says, attack, fails, refuses, victim};

#[test]
fn nesting_without_end_is_an_error() {
    for tail in [
        format!("x = {}{}", "[".repeat(100_000), "]".repeat(100_000)),
        format!("x = {}1{}", "{a=".repeat(100_000), "}".repeat(100_000)),
        format!("{}a = 1", "a.".repeat(100_000)),
        format!("[{}a]", "a.".repeat(100_000)),
    ] {
        let project = victim();
        project.write("mix.toml", project.read("mix.toml") + &tail);
        assert_says(&refuses(&project), &["mix.toml", "recurs"]);
    }
}

#[test]
fn what_does_not_end_or_is_too_large_is_no_config() {
    let project = victim();
    project.write("mix.toml", "#".repeat(17 << 20));
    assert_says(&refuses(&project), &["more than 16777216 bytes"]);
    let endless = attack(&project, &["run", "/dev/zero"]).expect(2);
    assert_says(&endless.stderr, &["more than 16777216 bytes"]);
}

#[test]
fn numbers_out_of_range_are_errors() {
    for (from, to, says) in [
        (
            "seed = 0",
            "samples_per_dataset = 18446744073709551615",
            "samples_per_dataset must be at most",
        ),
        (
            "seed = 0",
            "samples_per_dataset = 0",
            "samples_per_dataset must be at least 1",
        ),
        (
            "workers = 2",
            "workers = 1000000000",
            "workers must be at most 1024",
        ),
        ("seed = 0", "seed = -1", "line 10"),
        ("seed = 0", "seed = 1e400", "line 10"),
        (
            "seed = 0",
            "layers = [18446744073709551615]",
            "layers: 18446744073709551615",
        ),
        (
            "seed = 0",
            "max_tokens = 0",
            "max_tokens must be at least 1",
        ),
        (
            "max_failure_rate = 1.0",
            "max_failure_rate = nan",
            "max_failure_rate = NaN",
        ),
        (
            "max_failure_rate = 1.0",
            "max_failure_rate = inf",
            "max_failure_rate = inf",
        ),
        (
            "[extract]",
            "[video]\nmax_frames = 0\n[extract]",
            "video.max_frames",
        ),
        (
            "[extract]",
            "[video]\nsampling = \"fps\"\nfps = inf\n[extract]",
            "video.fps",
        ),
        (
            "[extract]",
            "[mix]\nlambda = nan\n[extract]",
            "lambda is NaN",
        ),
    ] {
        let project = victim();
        project.edit("mix.toml", from, to);
        assert_says(&refuses(&project), &["mix.toml", says]);
    }
}

/// Numbers that are large and mean "no limit" have to be taken as that.
#[test]
fn the_largest_numbers_are_taken() {
    let project = victim();
    let most = i64::MAX;
    project.edit(
        "mix.toml",
        "seed = 0",
        &format!(
            "seed = 18446744073709551615\nsamples_per_dataset = 4294967296\nbatch_tokens = {most}\nmax_tokens = {most}\n\
             [video]\nsampling = \"fps\"\nfps = 1e300\ntimeout_seconds = {most}\n\
             [media]\nmin_pixels = {most}\nmax_pixels = {most}\nfile_max_pixels = {most}\nfile_max_bytes = {most}"
        ),
    );
    attack(&project, &["run", "mix.toml"]).expect(0);
}

/// A name becomes one folder below `shards`, whatever is in it.
#[test]
fn names_of_datasets_lead_nowhere() {
    let long = "x".repeat(10_000);
    for name in [
        "../../../x",
        "/x",
        "a/b",
        "..",
        ".",
        r"a\u0000b",
        r"\u001b[31m",
        r"a\nb",
        &long,
    ] {
        let project = victim();
        let named = format!("path = \"words.jsonl\"\nname = \"{name}\"");
        project.edit("mix.toml", "path = \"words.jsonl\"", &named);
        let ended = attack(&project, &["run", "mix.toml"]).expect(0);
        let shards: Vec<_> = fs_err::read_dir(project.path("run/shards"))
            .unwrap()
            .collect();
        assert_eq!(shards.len(), 2, "{ended}");
        let control = |c: char| c != '\n' && c.is_control();
        assert!(!(ended.stdout + &ended.stderr).contains(control), "{name}");
    }
}

#[test]
fn an_output_that_cannot_be_a_folder_is_an_error() {
    let project = victim();
    project.edit("mix.toml", "output = \"run\"", "output = \"words.jsonl\"");
    assert_says(&refuses(&project), &["words.jsonl, which is a file"]);
    for output in ["words.jsonl/run".to_owned(), "x/".repeat(3_000)] {
        let project = victim();
        project.edit(
            "mix.toml",
            "output = \"run\"",
            &format!("output = \"{output}\""),
        );
        fails(&project);
    }
}

#[test]
fn datasets_that_never_end_are_errors() {
    for path in ["/dev/zero", "pipe"] {
        let project = victim();
        project.edit(
            "mix.toml",
            "path = \"words.jsonl\"",
            &format!("name = \"d\"\npath = \"{path}\""),
        );
        if path == "pipe" {
            let made = Command::new("mkfifo").arg(project.path("pipe")).status();
            assert!(made.unwrap().success());
        }
        assert_says(&fails(&project), &["dataset `d`", "not a regular file"]);
    }
}

#[test]
fn hub_ids_lead_nowhere() {
    for id in [
        "a/../b",
        "..%2f..%2fb/c",
        "a/b@../../x",
        "a/b@--upload",
        r"\u0000/x",
    ] {
        let project = victim();
        let text = project.read("mix.toml");
        let line = text
            .lines()
            .find(|line| line.starts_with("checkpoint"))
            .unwrap();
        project.edit("mix.toml", line, &format!("checkpoint = \"{id}\""));
        assert_says(
            &fails(&project),
            &["no checkpoint", "not of the form owner/name"],
        );
    }
}
