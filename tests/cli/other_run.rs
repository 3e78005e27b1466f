//! A run's folder that holds shards of something else: they are never used, and the message names what differs.

use crate::assert_ended;
use crate::project::{Ended, Project, assert_same, repository};
use crate::samples::rows;

/// Runs a project, changes it, and runs it again, which must be refused and change nothing.
#[track_caller]
fn refused(change: impl FnOnce(&Project)) -> Ended {
    let project = Project::new();
    project.run();
    let tree = project.tree();
    change(&project);
    let ended = project.madmix(&["run", "mix.toml"]).expect(1);
    assert_same(&project.tree(), &tree);
    ended
}

/// Gives a project a copy of its checkpoint in which one weight differs.
pub(crate) fn with_other_weights(project: &Project) {
    let original = format!("{}/models/tiny-llava-onevision", repository());
    for file in fs_err::read_dir(&original).unwrap() {
        let path = file.unwrap().path();
        let mut bytes = fs_err::read(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name == "model.safetensors" {
            // The sign of the last weight.
            *bytes.last_mut().unwrap() ^= 0x80;
        }
        project.write(&format!("model/{name}"), bytes);
    }
    project.edit("mix.toml", &original, "model");
}

#[test]
fn other_settings() {
    let ended = refused(|project| {
        project.edit("mix.toml", "seed = 0", "seed = 1\nlayers = [\"last\", 1]");
    });
    assert_ended!("other_settings", ended);
}

#[test]
fn another_checkpoint() {
    let ended = refused(with_other_weights);
    assert_ended!("other_checkpoint", ended);
}

#[test]
fn changed_data() {
    let ended = refused(|project| project.write("words.jsonl", rows(0..13)));
    assert_ended!("other_data", ended);
}

#[test]
fn output_that_is_a_file() {
    let project = Project::new();
    project.write("run", "my notes");
    assert_ended!(
        "output_is_a_file",
        project.madmix(&["run", "mix.toml"]).expect(2)
    );
    assert_eq!(project.read("run"), "my notes");
}

/// The checkpoint and the data may move; what counts is what is in them.
#[test]
fn the_same_elsewhere_is_the_same() {
    let project = Project::new();
    project.run();
    let tree = project.results();
    for file in [
        "words.jsonl",
        "pictures.jsonl",
        "0.png",
        "1.png",
        "2.png",
        "3.png",
        "4.png",
        "5.png",
    ] {
        fs_err::create_dir_all(project.path("moved")).unwrap();
        fs_err::rename(project.path(file), project.path(&format!("moved/{file}"))).unwrap();
    }
    project.edit("mix.toml", "\"words.jsonl\"", "\"moved/words.jsonl\"");
    project.edit("mix.toml", "\"pictures.jsonl\"", "\"moved/pictures.jsonl\"");
    let ended = project.run();
    assert!(
        ended.stderr.contains("every shard is there already"),
        "{ended}"
    );
    assert_same(&project.results(), &tree);
}
