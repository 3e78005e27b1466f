//! A run's mixture for trainers.

use serde_json::Value;

use crate::assert_ended;
use crate::project::{Ended, Project};

/// A run with weights that are easy to follow: three quarters words (12 rows), one quarter pictures (6 rows).
fn solved() -> Project {
    let project = Project::new();
    for (name, human) in [("Words", 3), ("Pictures", 1)] {
        let line = format!("name = \"{name}\"");
        project.edit("mix.toml", &line, &format!("{line}\nhuman = {human}"));
    }
    project.run();
    project
        .madmix(&["solve", "run", "--method", "human"])
        .expect(0);
    project
}

fn export(project: &Project, arguments: &[&str]) -> Ended {
    project.madmix(&[&["export"], arguments].concat())
}

/// The counts and the weights of a plan in JSON.
fn planned(project: &Project, arguments: &[&str]) -> (Vec<u64>, Vec<f64>) {
    let ended = export(project, &[arguments, &["--json"]].concat()).expect(0);
    let plan: Value = serde_json::from_str(&ended.stdout).unwrap();
    let datasets = plan["domains"].as_array().unwrap().iter();
    let datasets: Vec<_> = datasets
        .flat_map(|d| d["datasets"].as_array().unwrap().clone())
        .collect();
    let counts = datasets
        .iter()
        .filter_map(|dataset| dataset["count"].as_u64())
        .collect();
    let weights = datasets
        .iter()
        .map(|dataset| dataset["weight"].as_f64().unwrap())
        .collect();
    (counts, weights)
}

#[test]
fn every_trainer_gets_files() {
    let project = solved();
    let list = export(&project, &["--list"]).expect(0);
    let names: Vec<&str> = list
        .stdout
        .lines()
        .filter_map(|line| line.split("  ").next())
        .collect();
    assert!(names.len() >= 6, "{list}");
    for name in names {
        let ended = export(&project, &["run", "--to", name, "--budget", "40"]).expect(0);
        assert!(
            ended
                .stdout
                .contains("words     Words        75.00    12     30    2.50"),
            "{ended}"
        );
        let folder = project.path("run/export").join(name);
        let files = fs_err::read_dir(&folder).unwrap().count();
        assert!(
            files > 0 && ended.stderr.contains("wrote [DIR]/run/export/"),
            "{ended}"
        );
        let without = export(&project, &["run", "--to", name, "--out", "elsewhere"]);
        assert!(
            without.code == Some(0) || without.stderr.contains("--budget"),
            "{without}"
        );
    }
}

#[test]
fn what_is_printed() {
    let project = solved();
    assert_ended!(
        "export_budget",
        export(&project, &["run", "--to", "llava-next", "--budget", "41"]).expect(0)
    );
    assert_ended!(
        "export_shares",
        export(&project, &["run", "--to", "ms-swift"]).expect(0)
    );
}

#[test]
fn budgets_and_caps() {
    let project = solved();
    let counts = |arguments: &[&str]| {
        let all = [&["run", "--to", "ms-swift"], arguments].concat();
        planned(&project, &all).0
    };
    assert_eq!(counts(&["--budget", "41"]), [31, 10]);
    assert_eq!(counts(&["--steps", "5", "--batch", "8"]), [30, 10]);
    assert_eq!(
        counts(&["--budget", "41", "--max-epochs-of", "Words=2"]),
        [24, 17]
    );
    assert_eq!(
        counts(&[
            "--budget",
            "27",
            "--max-epochs",
            "1",
            "--max-epochs-of",
            "Words=2"
        ])
        .iter()
        .sum::<u64>(),
        27
    );
    assert!(counts(&[]).is_empty());
    let ended = export(
        &project,
        &[
            "run",
            "--to",
            "ms-swift",
            "--budget",
            "41",
            "--max-epochs-of",
            "Words=2",
        ],
    );
    assert!(
        ended
            .stderr
            .contains("max-epochs holds domain Words at 58.54 % in place of 75.00 %"),
        "{ended}"
    );
}

#[test]
fn wrong_usage() {
    let project = solved();
    let to = |trainer: &str, arguments: &[&str]| {
        export(&project, &[&["run", "--to", trainer], arguments].concat()).expect(2)
    };
    assert_ended!("export_unknown_trainer", to("lava-next", &[]));
    assert_ended!(
        "export_no_domain",
        to("veomni", &["--budget", "9", "--max-epochs-of", "Wrods=2"])
    );
    assert_ended!(
        "export_epochs_are_no_number",
        to("veomni", &["--max-epochs-of", "Words:2"])
    );
    assert_ended!(
        "export_too_large",
        to("veomni", &["--budget", "99", "--max-epochs", "2"])
    );
    assert_ended!(
        "export_cap_without_budget",
        to("veomni", &["--max-epochs", "2"])
    );
    assert_ended!(
        "export_budget_of_tokens",
        to("veomni", &["--budget", "9", "--by", "tokens"])
    );
    assert_ended!("export_draws_samples", to("ms-swift", &["--by", "tokens"]));
    assert_ended!(
        "export_steps_without_batch",
        to("veomni", &["--steps", "9"])
    );
    assert_ended!("export_nothing", export(&project, &[]).expect(2));
    assert!(!project.path("run/export").exists());
}

#[test]
fn not_solved() {
    let project = Project::new();
    assert_ended!(
        "export_nowhere",
        export(&project, &["run", "--to", "veomni"]).expect(1)
    );
    project.madmix(&["extract", "mix.toml"]).expect(0);
    assert_ended!(
        "export_not_solved",
        export(&project, &["run", "--to", "veomni"]).expect(1)
    );
}

/// As for a 7B model, trained elsewhere.
#[test]
fn another_config_says_where_the_data_is() {
    let project = solved();
    let other = project
        .read("mix.toml")
        .replace("words.jsonl", "big/words.jsonl");
    let other = other.replace("output = \"run\"", "output = \"run7\"");
    project.write("other.toml", &other);
    // Twice the rows.
    let words = project.read("words.jsonl");
    project.write("big/words.jsonl", format!("{words}{words}"));
    fs_err::copy(
        project.path("run/mixture.json"),
        project.path("mixture.json"),
    )
    .unwrap();
    for run in ["run", "mixture.json"] {
        let arguments = [
            "--to",
            "ms-swift",
            "--config",
            "other.toml",
            "--budget",
            "40",
            "--out",
            "args",
        ];
        let ended = export(&project, &[&[run], &arguments[..]].concat()).expect(0);
        assert!(
            ended
                .stdout
                .contains("words     Words        75.00    24     30    1.25"),
            "{ended}"
        );
        assert!(
            ended
                .stderr
                .contains("dataset words has 24 rows here, and had 12"),
            "{ended}"
        );
        assert!(
            project
                .read("args/dataset_args.sh")
                .contains("/big/words.jsonl#30'")
        );
    }
    let refused = |name: &str, from: &str, to: &str, code: i32| {
        project.write("other.toml", other.replace(from, to));
        let ended = export(
            &project,
            &["run", "--to", "ms-swift", "--config", "other.toml"],
        )
        .expect(code);
        (name.to_owned(), ended)
    };
    let (_, ended) = refused("missing", "pictures.jsonl", "photos.jsonl", 2);
    assert_ended!("export_dataset_missing", ended);
    let (_, ended) = refused("domain", "name = \"Words\"", "name = \"Letters\"", 2);
    assert_ended!("export_dataset_elsewhere", ended);
    fs_err::remove_file(project.path("run/config.toml")).unwrap();
    assert_ended!(
        "export_no_config",
        export(&project, &["mixture.json", "--to", "ms-swift"]).expect(2)
    );
}

#[test]
fn files_that_are_not_here_are_taken_as_they_were() {
    let project = solved();
    fs_err::remove_file(project.path("words.jsonl")).unwrap();
    let (counts, weights) = planned(&project, &["run", "--to", "ms-swift", "--budget", "40"]);
    assert_eq!(counts, [30, 10]);
    assert_eq!(weights, [0.75, 0.25]);
    let ended = export(
        &project,
        &["run", "--to", "llama-factory", "--budget", "40"],
    )
    .expect(1);
    assert!(ended.stderr.contains("export where its file is"), "{ended}");
}

#[test]
fn a_filter_is_not_left_to_the_trainer() {
    let project = Project::new();
    project.edit(
        "mix.toml",
        "path = \"words.jsonl\"",
        "path = \"words.jsonl\"\nfilter = { data_source = [\"poems\"] }",
    );
    project.run();
    let ended = export(&project, &["run", "--to", "llava-next", "--budget", "40"]).expect(0);
    assert!(
        ended
            .stderr
            .contains("its filter keeps only part of the file, so its 4 rows are written anew"),
        "{ended}"
    );
    let rows = project.read("run/export/llava-next/rows/words.jsonl");
    assert_eq!(rows.lines().count(), 4);
    assert!(
        !project
            .read("run/export/llava-next/mixture.yaml")
            .contains("[DIR]/words.jsonl")
    );
}

#[test]
fn a_dataset_is_never_replaced() {
    let project = Project::new();
    project.edit("mix.toml", "words.jsonl", "data/mixture.jsonl");
    let rows = project.read("words.jsonl");
    project.write("data/mixture.jsonl", &rows);
    project.run();
    let jsonl = ["run", "--to", "jsonl", "--budget", "20", "--out"];
    let ended = export(&project, &[&jsonl[..], &["data"]].concat()).expect(2);
    assert!(
        ended.stderr.contains("the export would replace it"),
        "{ended}"
    );
    assert_eq!(project.read("data/mixture.jsonl"), rows);
    let ended = export(&project, &[&jsonl[..], &["mix.toml"]].concat()).expect(2);
    assert!(ended.stderr.contains("mix.toml is a file"), "{ended}");
}

#[test]
fn a_budget_beyond_all_sense_is_refused() {
    let project = solved();
    let most = u64::MAX.to_string();
    for arguments in [
        &[
            "run",
            "--to",
            "llava-next",
            "--steps",
            &most,
            "--batch",
            "2",
        ][..],
        &["run", "--to", "jsonl", "--budget", &most],
    ] {
        export(&project, arguments).expect(2);
    }
    let often = ["run", "--to", "llava-next", "--budget", "100000"];
    let ended = export(&project, &often).expect(1);
    assert!(
        ended.stderr.contains("words would be listed 6250 times"),
        "{ended}"
    );
}
