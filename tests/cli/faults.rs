//! Faults of the machine at single system calls, put there by strace: kills, a disk that fails, one that is full. A few
//! of each; `scripts/torture` has all of them.

use std::collections::HashMap;
use std::process::Stdio;

use assert_cmd::Command;

use crate::project::{Ended, Project, Tree, assert_same};

/// At most so many faults of a kind.
const FAULTS: usize = 8;

/// Whether strace can trace here. It must where `MADMIX_TEST_STRACE` is set.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn has_strace(test: &str) -> bool {
    let mut command = std::process::Command::new("strace");
    command
        .args(["-f", "-o", "/dev/null", "true"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let here = command.status().is_ok_and(|status| status.success());
    if !here {
        assert!(
            std::env::var_os("MADMIX_TEST_STRACE").is_none(),
            "{test}: strace does not work here"
        );
        eprintln!("{test} is skipped: strace does not work here");
    }
    here
}

/// `madmix run` under strace, its log in `trace`.
fn traced(project: &Project, options: &[&str]) -> Ended {
    let run = project.command(&["run", "mix.toml"]);
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-y", "-qq", "-s", "0", "-o", "trace"])
        .args(options)
        .arg(run.get_program())
        .args(run.get_args())
        .current_dir(project.path(""));
    for (name, value) in run.get_envs() {
        match value {
            Some(value) => strace.env(name, value),
            None => strace.env_remove(name),
        };
    }
    project.ended(&mut strace)
}

/// The calls of a name that concern files of the run, by their number among the calls of that name in their
/// thread, which is how strace counts them; some of them, spread over the run.
fn calls(name: &str) -> Vec<usize> {
    let project = Project::new();
    traced(&project, &["-e", &format!("trace={name}")]).expect(0);
    let run = project.path("run");
    let mut counts: HashMap<String, usize> = HashMap::new();
    let mut found = Vec::new();
    for line in project.read("trace").lines() {
        let thread = line.split(' ').next().unwrap();
        let count = counts.entry(thread.to_owned()).or_default();
        *count += 1;
        if line.contains(run.to_str().unwrap()) {
            found.push(*count);
        }
    }
    assert!(!found.is_empty(), "no {name} in the run's folder");
    found.dedup();
    let step = found.len().div_ceil(FAULTS);
    found.into_iter().step_by(step).collect()
}

fn quiet() -> Tree {
    let project = Project::new();
    project.run();
    project.results()
}

fn is_whole(project: &Project, expected: &Tree) {
    if !project.path("run").exists() {
        return;
    }
    for (path, bytes) in project.results() {
        if path.extension().is_some_and(|e| e == "safetensors") {
            assert_eq!(bytes, expected[&path], "not whole: {}", path.display());
        }
    }
}

/// The error of one call after the other: each run fails, names its folder, leaves nothing half, and the next finishes.
fn never_success(name: &str, error: &str, said: &str) {
    let expected = quiet();
    for number in calls(name) {
        let project = Project::new();
        let inject = format!("inject={name}:error={error}:when={number}");
        let ended = traced(&project, &["-e", &format!("trace={name}"), "-e", &inject]);
        let hit = |line: &str| line.contains("(INJECTED)") && line.contains("/run");
        assert!(
            project.read("trace").lines().any(hit),
            "{inject} missed the run"
        );
        let ended = ended.expect(1);
        assert!(
            ended.stderr.contains("[DIR]/run") && ended.stderr.contains(said),
            "{inject}: {ended}"
        );
        if project.path("run").exists() {
            let tree = project.tree();
            let mut names = tree.keys().map(|path| path.to_str().unwrap());
            assert!(names.all(|name| !name.contains("tmp")), "{inject}");
        }
        is_whole(&project, &expected);
        project.run();
        assert_same(&project.results(), &expected);
    }
}

#[test]
fn a_failed_fsync_is_never_success() {
    if has_strace("a_failed_fsync_is_never_success") {
        never_success("fsync", "EIO", "Input/output error");
    }
}

#[test]
fn a_failed_rename_is_never_success() {
    if has_strace("a_failed_rename_is_never_success") {
        never_success("rename", "EIO", "Input/output error");
    }
}

#[test]
fn a_full_disk_is_said_and_the_next_run_finishes() {
    if has_strace("a_full_disk_is_said_and_the_next_run_finishes") {
        never_success("write", "ENOSPC", "no space is left");
    }
}

#[test]
fn killed_at_a_call_the_files_end_the_same() {
    if !has_strace("killed_at_a_call_the_files_end_the_same") {
        return;
    }
    let expected = quiet();
    for name in ["fsync", "rename"] {
        for number in calls(name) {
            let project = Project::new();
            let inject = format!("inject={name}:signal=KILL:when={number}");
            let ended = traced(&project, &["-e", &format!("trace={name}"), "-e", &inject]);
            assert_eq!(ended.code, None, "{inject}: {ended}");
            is_whole(&project, &expected);
            project.run();
            assert_same(&project.results(), &expected);
        }
    }
}

/// Some network file systems have none.
#[test]
fn a_file_system_without_locks_will_do() {
    if has_strace("a_file_system_without_locks_will_do") {
        let project = Project::new();
        let ended = traced(&project, &["-e", "inject=flock:error=ENOLCK"]);
        ended.expect(0);
        assert_same(&project.results(), &quiet());
    }
}
