//! Runs that are stopped at any moment, and go on where they were.

use std::process::Child;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crate::project::{Ended, Project, Tree, assert_same};
use crate::samples::rows;

/// Moments at which a run is killed.
const KILLS: u32 = 10;
const HOW_TO_GO_ON: &str =
    " WARN interrupted; every finished shard is kept. To go on from there: madmix";
/// How long a test waits for what should come soon, on a machine that is busy.
const PATIENCE: Duration = Duration::from_mins(2);

/// Work for some seconds, in eight shards.
fn project() -> Project {
    let project = Project::new();
    project.write("words.jsonl", rows(0..448));
    project.extract("batch_tokens = 512");
    project
}

/// The results of an undisturbed run, and how long it took.
static QUIET: LazyLock<(Tree, Duration)> = LazyLock::new(|| {
    let project = project();
    let started = Instant::now();
    project.run();
    (project.results(), started.elapsed())
});

fn has_a_shard(project: &Project) -> bool {
    project.path("run/shards/words/00000.safetensors").exists()
}

/// Starts a run and waits for its first shard.
fn start(project: &Project, arguments: &[&str]) -> Child {
    let mut child = project.start(arguments);
    let started = Instant::now();
    while !has_a_shard(project) {
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended before its first shard"
        );
        assert!(started.elapsed() < PATIENCE, "no shard for a long time");
        std::thread::sleep(Duration::from_millis(2));
    }
    child
}

fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    let status = std::process::Command::new("kill")
        .args(["-s", name, &pid])
        .status();
    assert!(status.unwrap().success());
}

/// Waits for the end and takes what was said.
fn end(child: Child) -> Ended {
    let output = child.wait_with_output().unwrap();
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn a_signal_ends_the_run_in_order_and_the_next_run_completes_it() {
    let (expected, _) = &*QUIET;
    for name in ["INT", "TERM", "USR1"] {
        let project = project();
        let child = start(&project, &["run", "mix.toml"]);
        signal(&child, name);
        let ended = end(child).expect(75);
        assert_eq!(
            ended.stderr.lines().last(),
            Some(format!("{HOW_TO_GO_ON} run mix.toml").as_str())
        );
        assert!(ended.stdout.is_empty(), "{ended}");
        assert!(!project.path("run/mixture.json").exists());
        assert!(
            project
                .tree()
                .keys()
                .all(|path| !path.to_str().unwrap().contains("tmp"))
        );
        project.run();
        assert_same(&project.results(), expected);
    }
}

#[test]
fn an_interrupted_extract_is_told_to_extract() {
    let project = project();
    let child = start(&project, &["extract", "mix.toml"]);
    signal(&child, "INT");
    let ended = end(child).expect(75);
    assert_eq!(
        ended.stderr.lines().last(),
        Some(format!("{HOW_TO_GO_ON} extract mix.toml").as_str())
    );
}

#[test]
fn killed_at_any_moment_the_files_end_the_same() {
    let (expected, whole) = &*QUIET;
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let project = project();
    for i in 0..KILLS {
        // Every run does what the ones before left, so moments early in it are met most often.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let share = (f64::from(i) + (random % 1000) as f64 / 1000.0) / f64::from(KILLS);
        let mut child = project.start(&["run", "mix.toml"]);
        std::thread::sleep(whole.mul_f64(share / 2.0));
        child.kill().unwrap();
        child.wait().unwrap();
        for (path, bytes) in project.results() {
            if path
                .extension()
                .is_some_and(|extension| extension == "safetensors")
            {
                assert_eq!(
                    bytes,
                    expected[&path],
                    "a visible file is whole: {}",
                    path.display()
                );
            }
        }
    }
    project.run();
    assert_same(&project.results(), expected);
}

#[test]
fn killed_while_mending_the_files_end_the_same() {
    let (expected, whole) = &*QUIET;
    let project = project();
    project.extract("max_failure_rate = 1.0");
    for i in 0..6 {
        fs_err::rename(
            project.path(&format!("{i}.png")),
            project.path(&format!("{i}.gone")),
        )
        .unwrap();
    }
    // The domain of pictures has no usable sample yet.
    project.madmix(&["run", "mix.toml"]).expect(1);
    for i in 0..6 {
        fs_err::rename(
            project.path(&format!("{i}.gone")),
            project.path(&format!("{i}.png")),
        )
        .unwrap();
    }
    for share in [0.01, 0.03, 0.05, 0.1] {
        let mut child = project.start(&["run", "mix.toml", "--retry-failed"]);
        std::thread::sleep(whole.mul_f64(share));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    project
        .madmix(&["run", "mix.toml", "--retry-failed"])
        .expect(0);
    assert_same(&project.results(), expected);
}
