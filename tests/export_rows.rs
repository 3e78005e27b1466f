//! Exports that hold rows, and the trainers that read Python and Energon's YAML.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use madmix::dataset::{self, DatasetSpec, Filter, order};
use madmix::export::rows::{Layout, MediaPaths, VideoPlaceholder, subset};
use madmix::export::{
    ExportError, Folder, Plan, PlannedDataset, PlannedDomain, TRAINERS, Trainer, Unit,
};
use madmix::mix::Provenance;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Datasets in a folder, and a folder to export into.
struct Project {
    folder: TempDir,
    datasets: Vec<PlannedDataset>,
}

impl Project {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            datasets: Vec::new(),
        }
    }

    /// Adds a dataset of these lines, `count` of which are to be drawn.
    fn add(&mut self, name: &str, lines: &[String], count: u64) -> &mut PlannedDataset {
        let path = self
            .folder
            .path()
            .join(format!("{}.jsonl", self.datasets.len()));
        fs_err::write(&path, lines.join("\n")).unwrap();
        self.datasets.push(PlannedDataset {
            spec: DatasetSpec {
                name: name.into(),
                path,
                ..DatasetSpec::default()
            },
            size: lines.len() as u64,
            weight: 0.0,
            tokens: None,
            count: Some(count),
        });
        self.datasets.last_mut().unwrap()
    }

    fn plan(&self) -> Plan {
        let budget: u64 = self.datasets.iter().filter_map(|d| d.count).sum();
        let mut datasets = self.datasets.clone();
        for dataset in &mut datasets {
            dataset.weight = dataset.count.unwrap() as f64 / budget as f64;
        }
        Plan {
            method: "mad-mix, λ = 10".into(),
            provenance: provenance(),
            budget: Some(budget),
            unit: Unit::Samples,
            seed: 7,
            domains: vec![PlannedDomain {
                name: "General".into(),
                weight: 1.0,
                datasets,
            }],
        }
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn export(&self, trainer: &str) -> Result<String, ExportError> {
        trainer_of(trainer).write(&self.plan(), &mut Folder::new(self.out()))
    }

    /// The rows of the materialised mixture.
    fn mixture(&self) -> Vec<Value> {
        rows_of(&self.out().join("mixture.jsonl"))
    }

    fn names_in_out(&self) -> Vec<String> {
        let mut names: Vec<_> = fs_err::read_dir(self.out())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn provenance() -> Provenance {
    Provenance {
        checkpoint: "models/tiny".into(),
        fingerprint: "0123abcd".into(),
        samples: 1024,
        madmix: "0.1.0".into(),
    }
}

fn trainer_of(name: &str) -> &'static dyn Trainer {
    TRAINERS
        .iter()
        .find(|entry| entry.name == name)
        .unwrap()
        .trainer
}

fn rows_of(path: &Path) -> Vec<Value> {
    let text = fs_err::read_to_string(path).unwrap();
    assert!(text.ends_with('\n'));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn row(id: &str) -> String {
    json!({"id": id, "conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]})
        .to_string()
}

/// Rows `PREFIX0`, `PREFIX1` and so on.
fn plain(prefix: &str, n: usize) -> Vec<String> {
    (0..n).map(|i| row(&format!("{prefix}{i}"))).collect()
}

/// How often each id comes in the rows of a dataset.
fn ids(rows: &[Value], dataset: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for row in rows.iter().filter(|row| row["dataset"] == dataset) {
        *counts
            .entry(row["id"].as_str().unwrap().to_owned())
            .or_default() += 1;
    }
    counts
}

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

fn layout() -> Layout {
    Layout {
        paths: MediaPaths::MediaRoot,
        lists: false,
        video: VideoPlaceholder::Video,
        named: false,
    }
}

/// Rows as real files have them, each with what a subset makes of it.
fn awkward() -> Vec<(Value, Value)> {
    let says = |role: &str, text: &str| json!({"from": role, "value": text});
    vec![
        (
            json!({"id": 3, "images": ["b/ü 😀.jpg"], "conversations": [{"role": "user", "content": "q"}]}),
            json!({"id": "3", "image": "b/ü 😀.jpg", "conversations": [says("human", "<image>\nq")]}),
        ),
        (
            json!({"image": ["a.jpg", "b.jpg"], "data_source": "x", "conversations": [
                says("system", "s"), says("human", "<image> and <image>"), says("gpt", "\u{2028}\"a\"\n")
            ]}),
            json!({"id": "1", "image": ["a.jpg", "b.jpg"], "conversations": [
                says("system", "s"), says("human", "<image> and <image>"), says("gpt", "\u{2028}\"a\"\n")
            ]}),
        ),
        (
            json!({"id": "v", "video": "v.mp4", "conversations": [says("human", "<image>\nq")]}),
            json!({"id": "v", "video": "v.mp4", "conversations": [says("human", "<video>\nq")]}),
        ),
        (
            json!({"id": "both", "image": "a.jpg", "video": "v.mp4", "conversations": [says("human", "<video><image>")]}),
            json!({"id": "both", "image": "a.jpg", "video": "v.mp4", "conversations": [says("human", "<video><image>")]}),
        ),
        (
            json!({"id": "t", "image": null, "conversations": [says("human", "q"), says("gpt", "a")]}),
            json!({"id": "t", "conversations": [says("human", "q"), says("gpt", "a")]}),
        ),
    ]
}

#[test]
fn awkward_rows_become_plain_ones() {
    let mut project = Project::new();
    let mut lines: Vec<String> = awkward()
        .iter()
        .map(|(given, _)| given.to_string())
        .collect();
    lines.push("{\"id\": \"no turns\", \"conversations\": []}".into());
    lines.push("not json".replace("not json", "{\"image\": 3}"));
    project.add("odd / name", &lines, 1);
    let mut folder = Folder::new(project.out());
    let written = subset(&project.datasets[0], layout(), &mut folder).unwrap();
    assert_eq!((written.rows, written.unreadable), (5, 2));
    assert_eq!(
        written.path,
        project.out().join("rows/odd%20%2F%20name.jsonl")
    );
    assert_eq!(folder.written(), std::slice::from_ref(&written.path));
    let expected: Vec<Value> = awkward().into_iter().map(|(_, written)| written).collect();
    assert_eq!(rows_of(&written.path), expected);

    // What is written is read as the same samples.
    let spec = DatasetSpec {
        path: written.path,
        media_root: Some(project.folder.path().to_owned()),
        ..DatasetSpec::default()
    };
    let (before, after) = (
        dataset::open(&project.datasets[0].spec).unwrap(),
        dataset::open(&spec).unwrap(),
    );
    for i in 0..5 {
        assert_eq!(before.read(i).unwrap(), after.read(i).unwrap());
    }
}

#[test]
fn a_layout_says_lists_placeholders_paths_and_names() {
    let mut project = Project::new();
    let lines: Vec<String> = awkward()
        .iter()
        .map(|(given, _)| given.to_string())
        .collect();
    project.add("d", &lines, 1);
    let layout = Layout {
        paths: MediaPaths::Absolute,
        lists: true,
        video: VideoPlaceholder::Image,
        named: true,
    };
    let written = subset(
        &project.datasets[0],
        layout,
        &mut Folder::new(project.out()),
    )
    .unwrap();
    let rows = rows_of(&written.path);
    let root = fs_err::canonicalize(project.folder.path()).unwrap();
    let place = |name: &str| root.join(name).to_str().unwrap().to_owned();
    assert_eq!(rows[0]["image"], json!([place("b/ü 😀.jpg")]));
    assert_eq!(rows[2]["video"], json!([place("v.mp4")]));
    assert_eq!(rows[2]["conversations"][0]["value"], "<image>\nq");
    assert_eq!(rows[3]["conversations"][0]["value"], "<video><image>");
    assert!(rows[4].get("image").is_none());
    assert!(rows.iter().all(|row| row["dataset"] == "d"));
}

#[test]
fn a_subset_is_what_the_filter_keeps() {
    let mut project = Project::new();
    let lines: Vec<String> = (0..5000)
        .map(|i| {
            let source = ["a", "b", "c"][i % 3];
            json!({"id": i.to_string(), "data_source": source, "conversations": [{"from": "human", "value": "q"}]})
                .to_string()
        })
        .collect();
    let dataset = project.add("d", &lines, 1);
    dataset.spec.filter = Some(Filter {
        data_source: Some(vec!["b".into()]),
        media: None,
    });
    let kept = dataset::open(&dataset.spec).unwrap();
    let expected: Vec<String> = (0..kept.len()).map(|i| kept.read(i).unwrap().id).collect();
    let dataset = dataset.clone();
    let written = subset(&dataset, layout(), &mut Folder::new(project.out())).unwrap();
    let found = rows_of(&written.path);
    assert_eq!((written.rows, written.unreadable), (1667, 0));
    assert!(
        found
            .iter()
            .map(|row| row["id"].as_str().unwrap())
            .eq(expected)
    );
}

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
            .args(["--exact", "dies_in_the_middle_when_told_to"])
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

const AWKWARD_NAME: &str = "it's \"q\" \\ 日本 😀 #: \n# x";

/// A plan with names that break out of quotes and comments where they can.
fn awkward_plan(budget: Option<u64>) -> Plan {
    let dataset = |name: &str, path: &str, size, weight, count| PlannedDataset {
        spec: DatasetSpec {
            name: name.into(),
            path: path.into(),
            ..DatasetSpec::default()
        },
        size,
        weight,
        tokens: None,
        count: budget.map(|_| count),
    };
    Plan {
        method: "mad-mix\n# \r\u{85}\u{2028}import os".into(),
        provenance: Provenance {
            checkpoint: "a\nb".into(),
            ..provenance()
        },
        budget,
        unit: Unit::Samples,
        seed: 7,
        domains: vec![
            PlannedDomain {
                name: AWKWARD_NAME.into(),
                weight: 0.7 + 1e-7,
                datasets: vec![
                    dataset(
                        AWKWARD_NAME,
                        "/data/it's \"q\" \\ 日本 😀/a.jsonl",
                        10,
                        0.7,
                        700,
                    ),
                    dataset("rare", "/data/rare.jsonl", 1000, 1e-7, 3),
                ],
            },
            PlannedDomain {
                name: "unused".into(),
                weight: 0.0,
                datasets: vec![dataset("unused", "/data/unused.jsonl", 10, 0.0, 0)],
            },
            PlannedDomain {
                name: "b".into(),
                weight: 0.3 - 1e-7,
                datasets: vec![dataset("b", "/data/b.jsonl", 7, 0.3 - 1e-7, 297)],
            },
        ],
    }
}

#[test]
fn golden_files() {
    for (trainer, file) in [
        ("webdataset", "madmix_webdataset.py"),
        ("mosaic", "madmix_mosaic.py"),
        ("energon", "mixture.yaml"),
    ] {
        for budget in [None, Some(1000)] {
            let folder = tempfile::tempdir().unwrap();
            let text = trainer_of(trainer)
                .write(&awkward_plan(budget), &mut Folder::new(folder.path()))
                .unwrap();
            let file = fs_err::read_to_string(folder.path().join(file)).unwrap();
            let budget = budget.map_or("shares", |_| "budget");
            insta::assert_snapshot!(
                format!("{trainer}_{budget}"),
                format!("{file}\n=====\n{text}")
            );
        }
    }
}

#[test]
fn golden_file_of_hf_datasets() {
    let mut project = Project::new();
    project.add(AWKWARD_NAME, &plain("a", 10), 700);
    project.add("rare", &plain("r", 1000), 3);
    project.add("b", &[plain("b", 7), vec!["{}".into()]].concat(), 297);
    for budget in [None, Some(1000)] {
        let mut plan = awkward_plan(budget);
        for domain in &mut plan.domains {
            for dataset in &mut domain.datasets {
                let lies = |other: &&PlannedDataset| other.spec.name == dataset.spec.name;
                if let Some(real) = project.datasets.iter().find(lies) {
                    dataset.spec = real.spec.clone();
                }
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let text = trainer_of("hf-datasets")
            .write(&plan, &mut Folder::new(folder.path()))
            .unwrap();
        let file = fs_err::read_to_string(folder.path().join("madmix_hf_datasets.py")).unwrap();
        let budget = budget.map_or("shares", |_| "budget");
        insta::assert_snapshot!(
            format!("hf_datasets_{budget}"),
            format!("{file}\n=====\n{text}")
        );
    }
}
