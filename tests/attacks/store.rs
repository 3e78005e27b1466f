//! Files of a run that somebody else has put there.

use std::os::unix::fs::symlink;
use std::process::Command;

use crate::project::Project;
use crate::{assert_says, attack, victim};

const SHARD: &str = "run/shards/words/00000.safetensors";

/// A finished run whose shard of words was replaced; it must be set aside and made again.
#[track_caller]
fn is_made_again(replace: impl FnOnce(&Project)) {
    let project = victim();
    attack(&project, &["run", "mix.toml"]).expect(0);
    let whole = fs_err::read(project.path(SHARD)).unwrap();
    fs_err::remove_file(project.path(SHARD)).unwrap();
    replace(&project);
    let ended = attack(&project, &["run", "mix.toml"]).expect(0);
    assert_says(
        &ended.stderr,
        &["00000.safetensors is damaged", "set aside"],
    );
    assert_eq!(fs_err::read(project.path(SHARD)).unwrap(), whole);
}

#[test]
fn shards_that_are_no_files_or_too_large_are_made_again() {
    is_made_again(|project| {
        let made = Command::new("mkfifo").arg(project.path(SHARD)).status();
        assert!(made.unwrap().success());
    });
    is_made_again(|project| symlink("/dev/zero", project.path(SHARD)).unwrap());
    is_made_again(|project| fs_err::create_dir(project.path(SHARD)).unwrap());
    is_made_again(|project| {
        let file = fs_err::File::create(project.path(SHARD)).unwrap();
        file.set_len(1 << 40).unwrap();
    });
}

#[test]
fn shards_whose_headers_lie_are_made_again() {
    for bytes in [
        (1_u64 << 63).to_le_bytes().to_vec(),
        [&90_000_000_u64.to_le_bytes()[..], b"{}"].concat(),
        [
            &600_000_u64.to_le_bytes()[..],
            "{\"a\":".repeat(120_000).as_bytes(),
        ]
        .concat(),
    ] {
        is_made_again(|project| project.write(SHARD, &bytes));
    }
}

#[test]
fn centroids_that_are_no_files_are_errors() {
    let project = victim();
    for (path, code, says) in [
        ("/dev/zero", 2, "not a regular file"),
        (".", 1, "no manifest.json"),
        ("none", 1, "there is no none"),
    ] {
        assert_says(
            &attack(&project, &["solve", path]).expect(code).stderr,
            &[says],
        );
    }
    let lies = [&(1_u64 << 63).to_le_bytes()[..], b"{}"].concat();
    project.write("lies", lies);
    assert_says(
        &attack(&project, &["solve", "lies"]).expect(2).stderr,
        &["lies"],
    );
}
