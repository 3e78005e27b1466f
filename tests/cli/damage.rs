//! Files of a run that were damaged or left behind.

use crate::project::{Project, assert_same};

const SHARD: &str = "run/shards/words/00000.safetensors";

#[test]
fn a_damaged_shard_is_set_aside_and_made_again() {
    let project = Project::new();
    project.run();
    let whole = project.tree();
    let bytes = fs_err::read(project.path(SHARD)).unwrap();
    // In the header, in the middle and at the very end.
    for at in [20, bytes.len() / 2, bytes.len() - 1] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        project.write(SHARD, &damaged);
        let ended = project.run();
        assert!(
            ended.stderr.contains("00000.safetensors is damaged"),
            "{ended}"
        );
        let aside = project.path(&format!("{SHARD}.corrupt"));
        assert_eq!(fs_err::read(&aside).unwrap(), damaged);
        fs_err::remove_file(aside).unwrap();
        assert_same(&project.tree(), &whole);
    }
}

#[test]
fn a_truncated_or_misplaced_shard_is_made_again() {
    let project = Project::new();
    project.run();
    let whole = project.tree();
    let bytes = fs_err::read(project.path(SHARD)).unwrap();
    let other = fs_err::read(project.path("run/shards/pictures/00000.safetensors")).unwrap();
    for damaged in [&bytes[..0], &bytes[..bytes.len() - 1], &other] {
        project.write(SHARD, damaged);
        project.run();
        fs_err::remove_file(project.path(&format!("{SHARD}.corrupt"))).unwrap();
        assert_same(&project.tree(), &whole);
    }
}

#[test]
fn deleted_files_are_made_again() {
    let project = Project::new();
    project.run();
    let whole = project.tree();
    for file in whole.keys() {
        fs_err::remove_file(project.path("run").join(file)).unwrap();
        project.run();
        assert_same(&project.tree(), &whole);
    }
}

#[test]
fn temporaries_of_the_dead_are_removed() {
    let project = Project::new();
    project.run();
    let whole = project.tree();
    for folder in ["run", "run/shards/words"] {
        project.write(&format!("{folder}/.0123456789ab.madmix-tmp"), "half a file");
    }
    project.run();
    assert_same(&project.tree(), &whole);
}
