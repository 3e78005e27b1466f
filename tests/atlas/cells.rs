//! Rows of a dataset by the cell that their labels put them into.

use std::path::PathBuf;

use madmix::atlas::label::kmeans::Vectors;
use madmix::atlas::label::tasks::Rule;
use madmix::atlas::label::{Concepts, Label, Labelled, Meaning, merge, write};
use madmix::dataset::{self, CellRows, Dataset, DatasetSpec, Labels};
use tempfile::TempDir;

/// A dataset of nine rows, and labels of all but the last: three to a task.
struct Project {
    folder: TempDir,
    spec: DatasetSpec,
}

const RULES: [&str; 3] = ["vqa", "ocr", "other"];

impl Project {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let spec = DatasetSpec {
            name: "d".into(),
            path: folder.path().join("d.jsonl"),
            ..DatasetSpec::default()
        };
        let project = Self { folder, spec };
        project.write_rows(9, "");
        let rows = dataset::open(&project.spec).unwrap();
        project.write_labels(rows.fingerprint());
        project
    }

    fn labels(&self) -> PathBuf {
        self.folder.path().join("labels/d.parquet")
    }

    fn write_rows(&self, count: u32, word: &str) {
        let row = |i| {
            format!(
                r#"{{"id": "r{i}", "conversations": [{{"from": "human", "value": "What{word}?"}}, {{"from": "gpt", "value": "{i}"}}]}}"#
            ) + "\n"
        };
        let rows: String = (0..count).map(row).collect();
        fs_err::write(&self.spec.path, rows).unwrap();
    }

    fn write_labels(&self, fingerprint: &str) {
        let mut labels = Labelled::new("d", fingerprint);
        for index in 0..8 {
            labels.push(&Label {
                index,
                row: index,
                id: &format!("r{index}"),
                concept: 0,
                rule: (index % 3) as u32,
                tokens: 7,
                similarity: f32::NAN,
            });
        }
        let rules = RULES.map(|task| Rule {
            name: format!("rule {task}"),
            task: task.into(),
        });
        let names = ["text only".to_owned()];
        let concepts = Concepts {
            names: &names,
            centres: Vectors::new(&[], 4),
        };
        let merged = merge(std::slice::from_ref(&labels), concepts, &rules, 3);
        let meaning = Meaning {
            concepts: &names,
            rules: &rules,
            merged: &merged,
        };
        write(&self.labels(), &labels, meaning, "{}").unwrap();
    }

    fn cell(&self, task: &str) -> DatasetSpec {
        DatasetSpec {
            labels: Some(Labels {
                path: self.labels(),
                cell: format!("text only × {task}"),
                grid: None,
            }),
            ..self.spec.clone()
        }
    }
}

fn ids(rows: &dyn Dataset) -> Vec<String> {
    let read = |index| rows.read(index).unwrap().id;
    (0..rows.len()).map(read).collect()
}

#[test]
fn a_cell_has_the_rows_that_were_labelled_so() {
    let project = Project::new();
    let [vqa, ocr] = ["vqa", "ocr"].map(|task| dataset::open(&project.cell(task)).unwrap());
    // Two rows of the third task are too few, and go to the largest, which is the first of two.
    assert_eq!(ids(vqa.as_ref()), ["r0", "r2", "r3", "r5", "r6"]);
    assert_eq!(ids(ocr.as_ref()), ["r1", "r4", "r7"]);
    assert_eq!(vqa.read(1).unwrap().row, 2);
    assert!(vqa.read(5).is_err());
    assert!(project.cell("vqa").is_part() && !project.spec.is_part());
    let all = dataset::open(&project.spec).unwrap();
    let mut prints = [vqa.fingerprint(), ocr.fingerprint(), all.fingerprint()];
    prints.sort_unstable();
    assert!(prints.windows(2).all(|pair| pair[0] != pair[1]));
    let rows = CellRows::read(&project.labels(), all.fingerprint(), all.len()).unwrap();
    let sizes: Vec<_> = rows.iter().map(|(cell, rows)| (cell, rows.len())).collect();
    assert_eq!(sizes, [("text only × ocr", 3), ("text only × vqa", 5)]);
}

#[test]
fn cells_of_one_dataset_share_its_files() {
    let project = Project::new();
    let specs = ["vqa", "ocr"].map(|task| project.cell(task));
    let shared = dataset::share(&specs);
    // What is open does not see that the file is gone.
    fs_err::remove_file(project.labels()).unwrap();
    for spec in &specs {
        assert!(dataset::open(spec).unwrap().len() >= 3);
    }
    drop(shared);
    assert!(dataset::open(&specs[0]).is_err());
}

#[test]
fn labels_that_do_not_fit_are_refused_with_what_to_do() {
    let project = Project::new();
    let error = |spec: &DatasetSpec| match dataset::open(spec) {
        Ok(_) => panic!("it opens"),
        Err(error) => error.to_string(),
    };
    let no_cell = error(&project.cell("detection"));
    assert!(no_cell.contains("\"text only × ocr\""), "{no_cell}");
    project.write_rows(9, " now");
    let stale = error(&project.cell("vqa"));
    assert!(
        stale.contains("older than the data") && stale.contains("madmix atlas label"),
        "{stale}"
    );
    project.write_rows(9, "");
    let part = DatasetSpec {
        sampling_strategy: Some("first:8".parse().unwrap()),
        ..project.cell("vqa")
    };
    assert!(error(&part).contains("of other rows"), "{}", error(&part));

    let whole = fs_err::read(project.labels()).unwrap();
    for (what, bytes) in [
        ("cut off", whole[..whole.len() / 2].to_vec()),
        ("empty", Vec::new()),
        ("no parquet", b"PAR1 and no more PAR1".to_vec()),
        ("zeros", vec![0; whole.len()]),
    ] {
        fs_err::write(project.labels(), bytes).unwrap();
        let found = error(&project.cell("vqa"));
        assert!(found.contains("makes them anew"), "{what}: {found}");
    }
    for place in (0..whole.len()).step_by(7) {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x55;
        fs_err::write(project.labels(), bytes).unwrap();
        // Whatever comes of it, it is a dataset or an error.
        if let Ok(rows) = dataset::open(&project.cell("vqa")) {
            assert!(rows.len() <= 9);
        }
    }
    fs_err::remove_file(project.labels()).unwrap();
    assert!(error(&project.cell("vqa")).contains("there are no labels"));
}
