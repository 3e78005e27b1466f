//! The files as they are, for two datasets whose names and paths hold what each syntax gives a meaning to.

use madmix::export::{Request, TRAINERS};

use crate::project::{Project, budget, by_tokens};

/// The trainers whose files are tested here.
const NAMES: [&str; 6] = [
    "llava-next",
    "llama-factory",
    "ms-swift",
    "qwen-vl-finetune",
    "internvl",
    "veomni",
];

fn golden(name: &str, project: &Project, trainer: &str, request: &Request) {
    let written = project.export(trainer, request).unwrap();
    let anew = written.prepared.notes.len();
    // One file is an array, which it does not read.
    let arrays = usize::from(trainer == "internvl");
    assert_eq!(anew, arrays, "{:?}", written.prepared.notes);
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(format!("{trainer}_{name}"), project.general(&written.all()));
    });
}

#[test]
fn with_a_budget() {
    let project = Project::new();
    for trainer in NAMES {
        golden("budget", &project, trainer, &budget(123));
    }
}

#[test]
fn without_a_budget() {
    let project = Project::new();
    for trainer in NAMES {
        golden("shares", &project, trainer, &Request::default());
    }
    golden("tokens", &project, "veomni", &by_tokens());
}

#[test]
fn all_are_listed_by_these_names() {
    for name in NAMES {
        assert!(TRAINERS.iter().any(|entry| entry.name == name), "{name}");
    }
}
