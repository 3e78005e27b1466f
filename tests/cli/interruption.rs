//! Runs that are stopped at any moment, and go on where they were.

use std::process::Child;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crate::project::{Ended, Project, Tree, assert_same};
use crate::samples::{picture_row, rows};

/// How many runs are killed before their end.
const KILLS: u32 = 10;
const HOW_TO_GO_ON: &str =
    " WARN interrupted; every finished shard is kept. To go on from there: madmix";
/// How long a test waits for what should come soon, on a machine that is busy.
const PATIENCE: Duration = Duration::from_mins(2);

/// Work for some seconds, in eight shards of about the same size: one picture, and 448 conversations.
fn project() -> Project {
    let project = Project::new();
    project.write("words.jsonl", rows(0..448));
    project.write("pictures.jsonl", picture_row(0));
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

/// Starts the program and kills it; `false` if it had come to its end by then.
fn killed_after(project: &Project, arguments: &[&str], delay: Duration) -> bool {
    let mut child = project.start(arguments);
    std::thread::sleep(delay);
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    let ended = output.status.code();
    assert!(
        matches!(ended, None | Some(0)),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    ended.is_none()
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
    let mut project = project();
    let mut kills = 0;
    while kills < KILLS {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        // Long enough for a shard or two, so that the kills are spread over all of the work.
        let delay = whole.mul_f64((random % 1000) as f64 / 4000.0);
        if killed_after(&project, &["run", "mix.toml"], delay) {
            kills += 1;
            for (path, bytes) in project.results() {
                let visible = path
                    .extension()
                    .is_some_and(|extension| extension == "safetensors");
                if visible {
                    assert_eq!(bytes, expected[&path], "not whole: {}", path.display());
                }
            }
        } else {
            // It was quicker than the kill: one more that must be right, and a fresh start.
            assert_same(&project.results(), expected);
            project = self::project();
        }
    }
    project.run();
    assert_same(&project.results(), expected);
}

#[test]
fn killed_while_mending_the_files_end_the_same() {
    let quiet = Project::new();
    quiet.run();
    let project = Project::new();
    project.extract("max_failure_rate = 1.0");
    for i in 0..6 {
        fs_err::rename(
            project.path(&format!("{i}.png")),
            project.path(&format!("{i}.gone")),
        )
        .unwrap();
    }
    // The domain of pictures has no usable sample yet.
    project.madmix(&["run", "mix.toml"]).expect(2);
    for i in 0..6 {
        fs_err::rename(
            project.path(&format!("{i}.gone")),
            project.path(&format!("{i}.png")),
        )
        .unwrap();
    }
    // Twenty moments close together, since there is little to mend.
    let mut kills = 0;
    for step in 0..20 {
        let delay = Duration::from_millis(4 * step);
        kills += u32::from(killed_after(
            &project,
            &["run", "mix.toml", "--retry-failed"],
            delay,
        ));
    }
    assert!(kills > 0, "every run was quicker than its kill");
    project
        .madmix(&["run", "mix.toml", "--retry-failed"])
        .expect(0);
    assert_same(&project.results(), &quiet.results());
}
