//! What a hostile provider of data, checkpoints or configs may try, tried on the program itself. Every attack has to
//! end in time and in bounded memory, in a failure that is counted or an error that says what is wrong; never in a
//! panic or a signal. `SECURITY.md` lists them.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod checkpoint;
mod config;
mod media;
mod picture;
#[expect(dead_code, reason = "the command line's own tests use the rest")]
#[path = "../cli/project.rs"]
mod project;
mod rows;
#[path = "../cli/samples.rs"]
mod samples;
mod store;
mod template;

use std::time::Duration;

use assert_cmd::Command;
use project::{Ended, Project};
use serde_json::Value;

/// An attack that takes longer has succeeded.
const DEADLINE: Duration = Duration::from_secs(90);
/// KiB of address space, beyond which an allocation fails and the program is aborted.
const MEMORY: u64 = 6 << 20;

/// A project whose samples may all fail.
fn victim() -> Project {
    let project = Project::new();
    project.extract("max_failure_rate = 1.0\nworkers = 2");
    project
}

/// Runs the program within the limits above.
#[track_caller]
fn attack(project: &Project, arguments: &[&str]) -> Ended {
    attack_within(project, arguments, MEMORY)
}

/// Runs the program within so many KiB of address space.
#[track_caller]
fn attack_within(project: &Project, arguments: &[&str], memory: u64) -> Ended {
    let mut command = Command::new("sh");
    let limits = format!("ulimit -v {memory}; ulimit -c 0; exec \"$0\" \"$@\"");
    command
        .args(["-c", &limits, env!("CARGO_BIN_EXE_madmix")])
        .args(arguments)
        .current_dir(project.path(""))
        .env("HF_HUB_OFFLINE", "1")
        // Address space that the allocator sets aside for each thread is no memory in use.
        .env("MALLOC_ARENA_MAX", "2")
        .timeout(DEADLINE);
    let ended = project.ended(&mut command);
    assert!(
        ended.code.is_some(),
        "ended by a signal or too late: {ended}"
    );
    assert_ne!(ended.code, Some(101), "{ended}");
    assert!(!ended.stderr.contains("panicked"), "{ended}");
    ended
}

/// Runs the main job, which must fail with exit code 1.
#[track_caller]
fn fails(project: &Project) -> String {
    attack(project, &["run", "mix.toml"]).expect(1).stderr
}

/// Runs the main job, which must refuse the config.
#[track_caller]
fn refuses(project: &Project) -> String {
    attack(project, &["run", "mix.toml"]).expect(2).stderr
}

/// Runs the main job on pictures' rows of which all fail, next to sound ones of words; gives the reasons by row.
#[track_caller]
fn reasons(project: &Project) -> Vec<String> {
    if project.path("run").exists() {
        fs_err::remove_dir_all(project.path("run")).unwrap();
    }
    let ended = attack(project, &["run", "mix.toml"]);
    // 2 where the domain is left without any sample.
    assert!(matches!(ended.code, Some(0..=2)), "{ended}");
    if ended.code == Some(2) {
        assert!(ended.stderr.contains("has no modality"), "{ended}");
    }
    let failures = project.failures();
    let reason = |failure: &Value| failure["reason"].as_str().unwrap().to_owned();
    failures.iter().map(reason).collect()
}

/// The reason of the only row of pictures.
#[track_caller]
fn reason(project: &Project, row: &str) -> String {
    project.write("pictures.jsonl", row);
    let reasons = reasons(project);
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    reasons.into_iter().next().unwrap()
}

#[track_caller]
fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}
