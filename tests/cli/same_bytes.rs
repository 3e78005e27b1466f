//! A run's files depend on its inputs alone: not on threads, nor on the order in which shards were made.

use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::project::{Project, Tree, assert_same};
use crate::samples::rows;

/// The results of a project with two shards of text, run in some way.
fn results(prepare: impl FnOnce(&Project), threads: Option<&str>) -> Tree {
    let project = Project::new();
    project.write("words.jsonl", rows(0..80));
    prepare(&project);
    let mut command = project.command(&["run", "mix.toml"]);
    if let Some(threads) = threads {
        command.env("RAYON_NUM_THREADS", threads);
    }
    project.ended(&mut command).expect(0);
    project.results()
}

#[test]
fn threads_and_workers_change_nothing() {
    let expected = results(|_| {}, None);
    for threads in ["1", "3"] {
        assert_same(&results(|_| {}, Some(threads)), &expected);
    }
    for workers in [1, 4] {
        let found = results(
            |project| project.extract(&format!("workers = {workers}")),
            None,
        );
        assert_same(&found, &expected);
    }
}

/// Neither the data's times, nor those of what is there, nor the time of day.
#[test]
fn clocks_change_nothing() {
    let set = |path: &Path, year: u64| {
        let time = SystemTime::UNIX_EPOCH + Duration::from_hours((year - 1970) * 365 * 24);
        let file = fs_err::File::options().write(true).open(path).unwrap();
        file.set_modified(time).unwrap();
    };
    let expected = results(|_| {}, None);
    let project = Project::new();
    project.write("words.jsonl", rows(0..80));
    for (i, name) in ["words.jsonl", "pictures.jsonl", "0.png", "1.png"]
        .iter()
        .enumerate()
    {
        set(&project.path(name), 1980 + 40 * i as u64);
    }
    project.run();
    assert_same(&project.results(), &expected);
    for (name, year) in expected.keys().zip([1975, 2090].into_iter().cycle()) {
        set(&project.path("run").join(name), year);
    }
    set(&project.path("words.jsonl"), 2095);
    let ended = project.run();
    assert!(
        ended.stderr.contains("every shard is there already"),
        "{ended}"
    );
    assert_same(&project.results(), &expected);
}

#[test]
fn two_runs_at_once_do_no_harm() {
    let expected = results(|_| {}, None);
    let project = Project::new();
    project.write("words.jsonl", rows(0..80));
    let both = [0, 1].map(|_| project.start(&["run", "mix.toml"]));
    for child in both {
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    assert_same(&project.results(), &expected);
}

#[test]
fn progress_goes_to_stderr_and_results_to_stdout() {
    let project = Project::new();
    let ended = project.run();
    let lines: Vec<_> = ended.stdout.lines().collect();
    assert!(lines[0].starts_with("domain "), "{ended}");
    assert_eq!(lines.len(), 3, "a head and two domains: {ended}");
    assert!(ended.stderr.contains("extracted 18 samples"), "{ended}");
    assert!(
        !ended.stderr.contains('\u{1b}'),
        "no terminal, no colours or bars: {ended}"
    );
    assert!(
        ended.stderr.lines().all(|line| line.starts_with(" INFO ")),
        "{ended}"
    );
}
