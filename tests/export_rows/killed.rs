//! Exports that are killed.

use std::path::PathBuf;

use madmix::export::Folder;

use crate::{Project, plain, trainer_of};

const KILLED: &str = "MADMIX_TEST_KILLED_EXPORT";

/// The process of the next test that is killed: it dies in the middle of its file.
#[test]
fn dies_in_the_middle_when_told_to() {
    let Some(root) = std::env::var_os(KILLED) else {
        return;
    };
    let mut project = Project::new();
    project.add("a", &plain("a", 20_000), 20_000);
    let die = Box::new(|done, total| {
        if done * 2 > total {
            std::process::abort();
        }
    });
    let mut folder = Folder::with_progress(PathBuf::from(root), die);
    let _ = trainer_of("jsonl").write(&project.plan(), &mut folder);
}

#[test]
fn an_export_that_is_killed_leaves_no_half_file() {
    let mut project = Project::new();
    project.add("a", &plain("a", 20_000), 20_000);
    let kill = || {
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::dies_in_the_middle_when_told_to"])
            .env(KILLED, project.out())
            .output()
            .unwrap()
            .status;
        assert!(!status.success());
    };
    kill();
    let left = project.names_in_out();
    assert!(
        left.len() == 1 && left[0].ends_with(".madmix-tmp"),
        "{left:?}"
    );
    project.export("jsonl").unwrap();
    assert_eq!(project.names_in_out(), ["mixture.jsonl"]);
    assert_eq!(project.mixture().len(), 20_000);

    let whole = fs_err::read(project.out().join("mixture.jsonl")).unwrap();
    kill();
    assert!(fs_err::read(project.out().join("mixture.jsonl")).unwrap() == whole);
}
