//! Many processes on one run: each makes its share, and together they end in the files of a single one.

use std::sync::LazyLock;

use crate::assert_ended;
use crate::project::{Project, Tree, assert_same};
use crate::samples::rows;

/// Eight shards: seven of words, one of pictures.
fn project() -> Project {
    let project = Project::new();
    project.write("words.jsonl", rows(0..400));
    project
}

/// The results of a single process.
static ALONE: LazyLock<Tree> = LazyLock::new(|| {
    let project = project();
    project.run();
    project.results()
});

fn shards(project: &Project) -> usize {
    let is_shard = |path: &&std::path::PathBuf| path.starts_with("shards");
    project.tree().keys().filter(is_shard).count()
}

fn extract(project: &Project, rank: usize, ranks: usize) {
    let (rank, ranks) = (rank.to_string(), ranks.to_string());
    project
        .madmix(&["extract", "mix.toml", "--rank", &rank, "--ranks", &ranks])
        .expect(0);
}

#[track_caller]
fn solve(project: &Project) {
    project.madmix(&["solve", "run"]).expect(0);
    assert_same(&project.results(), &ALONE);
}

#[test]
fn ranks_share_the_work_and_solve_joins_it() {
    let project = project();
    let first = project
        .madmix(&["extract", "mix.toml", "--rank", "0", "--ranks", "3"])
        .expect(0);
    assert!(first.stderr.contains("rank 0 of 3, as told"), "{first}");
    assert!(first.stderr.contains("5 shards of other ranks"), "{first}");
    assert_eq!(shards(&project), 3);
    assert!(!project.path("run/centroids.safetensors").exists());
    assert!(!project.path("run/failures.jsonl").exists());

    let early = project.madmix(&["solve", "run"]).expect(75);
    assert!(
        early
            .stderr
            .contains("5 of 8 shards are missing: 4 of words, 1 of pictures"),
        "{early}"
    );
    assert!(!project.path("run/mixture.json").exists());

    extract(&project, 1, 3);
    extract(&project, 2, 3);
    solve(&project);
}

#[test]
fn another_number_of_ranks_may_go_on() {
    let project = project();
    extract(&project, 1, 2);
    for rank in 0..5 {
        extract(&project, rank, 5);
    }
    solve(&project);
}

#[test]
fn ranks_at_work_at_once_end_in_the_same_files() {
    let project = project();
    let start = |rank: usize| {
        let rank = rank.to_string();
        project.start(&["extract", "mix.toml", "--rank", &rank, "--ranks", "4"])
    };
    let children: Vec<_> = (0..4).map(start).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    solve(&project);
}

#[test]
fn the_share_is_found_in_the_environment() {
    for (environment, says, made) in [
        (
            "SLURM_STEP_ID=0 SLURM_PROCID=1 SLURM_STEP_NUM_TASKS=2 SLURM_LOCALID=1",
            "rank 1 of 2, from srun",
            4,
        ),
        (
            "SLURM_ARRAY_TASK_ID=5 SLURM_ARRAY_TASK_MIN=4 SLURM_ARRAY_TASK_MAX=7 SLURM_ARRAY_TASK_STEP=1 SLURM_ARRAY_TASK_COUNT=4",
            "rank 1 of 4, from the Slurm array",
            2,
        ),
        (
            "SLURM_ARRAY_TASK_ID=5 SLURM_ARRAY_TASK_MIN=3 SLURM_ARRAY_TASK_MAX=5 SLURM_ARRAY_TASK_STEP=1 SLURM_ARRAY_TASK_COUNT=2",
            "which has holes",
            8,
        ),
        (
            "TORCHELASTIC_RUN_ID=a RANK=3 WORLD_SIZE=8 LOCAL_RANK=3",
            "rank 3 of 8, from torchrun",
            1,
        ),
        (
            "JOB_COMPLETION_INDEX=0 MADMIX_RANKS=4",
            "rank 0 of 4, from the Kubernetes Indexed Job",
            2,
        ),
    ] {
        let project = project();
        let mut command = project.command(&["extract", "mix.toml"]);
        command.envs(
            environment
                .split(' ')
                .map(|pair| pair.split_once('=').unwrap()),
        );
        let ended = project.ended(&mut command).expect(0);
        assert!(ended.stderr.contains(says), "{ended}");
        assert_eq!(shards(&project), made, "{says}");
    }
}

#[test]
fn what_cannot_be_a_share_is_wrong_usage() {
    let project = project();
    let extract = |arguments: &[&str]| {
        let all = [&["extract", "mix.toml"], arguments].concat();
        project.madmix(&all).expect(2)
    };
    assert_ended!("rank_without_ranks", extract(&["--rank", "1"]));
    assert_ended!(
        "rank_out_of_range",
        extract(&["--rank", "2", "--ranks", "2"])
    );
    let mut command = project.command(&["extract", "mix.toml"]);
    command.env("JOB_COMPLETION_INDEX", "0");
    assert_ended!("rank_of_kubernetes", project.ended(&mut command).expect(2));
    assert!(!project.path("run").exists());
}

/// A rank that is to make nothing must still not join a run of something else.
#[test]
fn a_rank_with_other_settings_is_refused() {
    let project = project();
    extract(&project, 0, 2);
    project.edit("mix.toml", "seed = 0", "seed = 1");
    let tree = project.tree();
    let ended = project
        .madmix(&["extract", "mix.toml", "--rank", "1", "--ranks", "2"])
        .expect(1);
    assert!(
        ended
            .stderr
            .contains("settings `seed`: 0 in the shard, 1 in the config"),
        "{ended}"
    );
    assert_same(&project.tree(), &tree);
}

#[test]
fn solve_notices_that_the_run_has_grown() {
    let project = project();
    project.extract("samples_per_dataset = 64");
    project.run();
    let before = project.read("run/mixture.json");
    project.edit(
        "mix.toml",
        "samples_per_dataset = 64",
        "samples_per_dataset = 512",
    );
    extract(&project, 0, 2);
    let early = project.madmix(&["solve", "run"]).expect(75);
    assert!(early.stderr.contains("shards are missing"), "{early}");
    assert_eq!(project.read("run/mixture.json"), before);
    extract(&project, 1, 2);
    solve(&project);
}

/// The centroids of a run whose shards were made again are not those that are there.
#[test]
fn solve_notices_that_failures_were_mended() {
    let project = project();
    project.extract("max_failure_rate = 0.5");
    let hide = |from: &str, to: &str| {
        fs_err::rename(project.path(from), project.path(to)).unwrap();
    };
    hide("2.png", "2.gone");
    extract(&project, 0, 2);
    extract(&project, 1, 2);
    project.madmix(&["solve", "run"]).expect(0);
    assert_eq!(project.failures().len(), 1);

    hide("2.gone", "2.png");
    for rank in ["0", "1"] {
        let again = [
            "extract",
            "mix.toml",
            "--retry-failed",
            "--rank",
            rank,
            "--ranks",
            "2",
        ];
        project.madmix(&again).expect(0);
    }
    solve(&project);
}

#[test]
fn solve_wants_every_shard_also_when_it_has_solved_before() {
    let project = project();
    project.run();
    fs_err::remove_file(project.path("run/shards/words/00003.safetensors")).unwrap();
    let ended = project.madmix(&["solve", "run"]).expect(75);
    assert!(
        ended.stderr.contains("1 of 8 shards are missing"),
        "{ended}"
    );
    project
        .madmix(&["solve", "run/centroids.safetensors"])
        .expect(0);
}

/// `run` in every task of a job would do the same work as many times.
#[test]
fn run_says_that_it_does_not_share() {
    let project = Project::new();
    let mut command = project.command(&["run", "mix.toml"]);
    command.envs([
        ("SLURM_STEP_ID", "0"),
        ("SLURM_PROCID", "1"),
        ("SLURM_STEP_NUM_TASKS", "2"),
    ]);
    let ended = project.ended(&mut command).expect(0);
    assert!(
        ended.stderr.contains("`run` does all of the work in each"),
        "{ended}"
    );
}

#[test]
fn solve_holds_all_ranks_failures_against_the_limit() {
    let project = project();
    for i in 0..3 {
        fs_err::remove_file(project.path(&format!("{i}.png"))).unwrap();
    }
    // The second rank of two has no picture among its shards, the first all of them.
    project.extract("max_failure_rate = 0.5");
    extract(&project, 0, 2);
    extract(&project, 1, 2);
    project.edit(
        "run/config.toml",
        "max_failure_rate = 0.5",
        "max_failure_rate = 0.1",
    );
    let ended = project.madmix(&["solve", "run"]).expect(1);
    assert!(ended.stderr.contains("3 of 6 samples failed"), "{ended}");
    assert_eq!(project.failures().len(), 3);
    assert!(!project.path("run/mixture.json").exists());
}
