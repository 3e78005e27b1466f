//! What a file of rows holds: exact counts, shuffled, whatever some rows are like.

use std::collections::BTreeMap;

use madmix::dataset::order;
use madmix::export::rows::subset;
use madmix::export::{ExportError, Folder, Plan};

use crate::layouts::layout;
use crate::{Project, ids, plain, trainer_of};

#[test]
fn counts_are_exact_in_whole_passes_and_a_prefix_of_the_order() {
    let mut project = Project::new();
    project.add("up", &plain("u", 100), 250);
    project.add("down", &plain("d", 3000), 1700);
    project.add("none", &plain("n", 5), 0);
    project.export("jsonl").unwrap();
    let rows = project.mixture();
    assert_eq!(rows.len(), 1950);

    let up = ids(&rows, "up");
    let rest: Vec<String> = order(100, 7, 50).iter().map(|i| format!("u{i}")).collect();
    assert_eq!(up.len(), 100);
    for (id, count) in up {
        assert_eq!(count, if rest.contains(&id) { 3 } else { 2 }, "{id}");
    }
    let mut down: Vec<String> = order(3000, 7, 1700)
        .iter()
        .map(|i| format!("d{i}"))
        .collect();
    down.sort();
    assert!(
        ids(&rows, "down")
            .into_iter()
            .eq(down.into_iter().map(|id| (id, 1)))
    );
    assert!(ids(&rows, "none").is_empty());
}

#[test]
fn rows_are_shuffled_and_the_same_for_the_same_seed() {
    let mut project = Project::new();
    project.add("a", &plain("a", 1000), 1000);
    project.add("b", &plain("b", 1000), 3000);
    let bytes = |seed| {
        let plan = Plan {
            seed,
            ..project.plan()
        };
        let mut folder = Folder::new(project.out());
        trainer_of("jsonl").write(&plan, &mut folder).unwrap();
        fs_err::read(project.out().join("mixture.jsonl")).unwrap()
    };
    let first = bytes(7);
    assert!(first == bytes(7), "the same seed, other bytes");
    assert!(first != bytes(8), "another seed, the same bytes");

    // Each tenth of the file holds its share of `a`: 100 in the mean, with a standard deviation below 9.
    bytes(7);
    for rows in project.mixture().chunks(400) {
        let a = rows.iter().filter(|row| row["dataset"] == "a").count();
        assert!((60..=140).contains(&a), "{a} of 400");
    }
}

#[test]
fn rows_that_cannot_be_used_are_replaced_as_if_they_were_not_there() {
    let mut project = Project::new();
    let mut lines = plain("x", 50);
    for i in (0..50).step_by(2) {
        lines[i] = r#"{"id": "bad"}"#.into();
    }
    project.add("up", &lines, 60);
    project.add("down", &lines, 20);
    let text = project.export("jsonl").unwrap();
    let rows = project.mixture();
    let readable: Vec<String> = order(50, 7, 50)
        .iter()
        .filter(|i| *i % 2 == 1)
        .map(|i| format!("x{i}"))
        .collect();
    let drawn = |n: usize| {
        let mut counts = BTreeMap::new();
        for id in readable.iter().cycle().take(n) {
            *counts.entry(id.clone()).or_default() += 1;
        }
        counts
    };
    assert_eq!(ids(&rows, "up"), drawn(60));
    assert_eq!(ids(&rows, "down"), drawn(20));
    assert!(text.contains("dataset `up` 25 rows"), "{text}");
}

#[test]
fn a_dataset_without_a_usable_row_is_an_error_and_leaves_nothing() {
    let mut project = Project::new();
    project.add("good", &plain("x", 5000), 5000);
    project.add("bad", &vec!["{}".into(); 3], 1);
    let error = project.export("jsonl").unwrap_err().to_string();
    assert!(
        error.contains("dataset `bad`") && error.contains("none of its 3 rows"),
        "{error}"
    );
    assert!(project.names_in_out().is_empty());

    let error = subset(
        &project.datasets[1],
        layout(),
        &mut Folder::new(project.out()),
    );
    assert!(matches!(
        error,
        Err(ExportError::NothingReadable { rows: 3, .. })
    ));
}

#[test]
fn without_a_budget_there_is_no_file_of_rows() {
    let mut project = Project::new();
    project.add("a", &plain("a", 5), 5);
    let plan = Plan {
        budget: None,
        ..project.plan()
    };
    let error = trainer_of("jsonl")
        .write(&plan, &mut Folder::new(project.out()))
        .unwrap_err();
    assert!(error.to_string().contains("give --budget"), "{error}");
    assert!(!project.out().exists());
}
