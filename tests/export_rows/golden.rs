//! What the trainers' files say, to the letter.

use madmix::dataset::DatasetSpec;
use madmix::export::{Folder, Plan, PlannedDataset, PlannedDomain, Unit};
use madmix::mix::Provenance;

use crate::{Project, plain, provenance, trainer_of};

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
            let text = text.replace(folder.path().to_str().unwrap(), "[DIR]");
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
