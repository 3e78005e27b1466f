//! What each trainer would make of its file, by the rules in its own source.

use std::collections::BTreeMap;

use madmix::export::{ExportError, Request, Unit};
use serde_json::Value;

use crate::project::{DATASETS, Project, Written, budget, by_tokens, file_of};

type Counts = BTreeMap<String, u64>;

fn rows_of(path: &str) -> u64 {
    let text = fs_err::read_to_string(path).unwrap();
    match serde_json::from_str::<Vec<Value>>(&text) {
        Ok(rows) => rows.len() as u64,
        Err(_) => text.lines().count() as u64,
    }
}

/// A scalar behind `key`, for every line that has one.
fn scalars(text: &str, key: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| line.trim_start_matches([' ', '-']).strip_prefix(key))
        .map(|scalar| serde_json::from_str(scalar).unwrap())
        .collect()
}

/// The words of a shell's array or assignment, as a shell would take them.
fn words(text: &str) -> Vec<String> {
    let output = std::process::Command::new("bash")
        .args([
            "-c",
            &format!("{text}\nprintf '%s\\0' \"${{DATASET_ARGS[@]}}\" \"$datasets\""),
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_terminator('\0').map(str::to_owned).collect()
}

fn llava_next(written: &Written) -> Counts {
    let yaml = written.file("mixture.yaml");
    let mut counts = Counts::new();
    let paths = scalars(yaml, "json_path: ");
    let strategies = scalars(yaml, "sampling_strategy: ");
    assert_eq!(paths.len(), strategies.len());
    for (path, strategy) in paths.iter().zip(strategies) {
        let rows = rows_of(path);
        let taken = match strategy.strip_prefix("random:") {
            None => {
                assert_eq!(strategy, "all");
                rows
            }
            Some(number) => match number.strip_suffix('%') {
                Some(percent) => {
                    (percent.parse::<u64>().unwrap() as f64 * rows as f64 / 100.0).ceil() as u64
                }
                None => number.parse::<u64>().unwrap().min(rows),
            },
        };
        *counts.entry(path.clone()).or_default() += taken;
    }
    counts
}

fn llama_factory(written: &Written) -> Counts {
    let info: Value = serde_json::from_str(written.file("dataset_info.json")).unwrap();
    let names = &scalars(written.file("mixture.yaml"), "dataset: ")[0];
    let mut counts = Counts::new();
    for name in names.split(',') {
        let entry = &info[name.trim()];
        let path = entry["file_name"].as_str().unwrap();
        counts.insert(path.to_owned(), entry["num_samples"].as_u64().unwrap());
    }
    counts
}

fn ms_swift(written: &Written) -> Counts {
    let words = words(written.file("dataset_args.sh"));
    assert_eq!(words[0], "--dataset");
    let datasets = words[1..].iter().take_while(|word| !word.starts_with("--"));
    let split = |word: &String| {
        let (path, count) = word.rsplit_once('#').unwrap();
        (path.to_owned(), count.parse().unwrap())
    };
    datasets.map(split).collect()
}

fn internvl(written: &Written) -> Counts {
    let meta: Value = serde_json::from_str(written.file("meta.json")).unwrap();
    let mut counts = Counts::new();
    for entry in meta.as_object().unwrap().values() {
        let path = entry["annotation"].as_str().unwrap();
        let rows = rows_of(path);
        assert_eq!(entry["length"], rows);
        let times = &entry["repeat_time"];
        let taken = if let Some(times) = times.as_u64() {
            rows * times
        } else {
            let times = times.as_f64().unwrap();
            assert!(times < 1.0, "a whole number is asserted above 1");
            (rows as f64 * times) as u64
        };
        *counts.entry(path.to_owned()).or_default() += taken;
    }
    counts
}

/// Needs the places of datasets from the Python file, whose values are those of JSON.
fn qwen_vl(written: &Written) -> Counts {
    let python = written.file("madmix_data.py");
    let names: Vec<String> = python
        .lines()
        .filter_map(|line| line.strip_prefix("    \"")?.strip_suffix("\": {"))
        .map(str::to_owned)
        .collect();
    let paths: Vec<String> = python
        .lines()
        .filter_map(|line| {
            line.trim()
                .strip_prefix("\"annotation_path\": ")?
                .strip_suffix(',')
        })
        .map(|path| serde_json::from_str(path).unwrap())
        .collect();
    let places: BTreeMap<_, _> = names.iter().zip(&paths).collect();
    let used = words(written.file("dataset_use.sh")).pop().unwrap();
    let mut counts = Counts::new();
    for name in used.split(',') {
        let (name, percent) = match name.rsplit_once('%') {
            Some((name, percent)) => (name, percent.parse::<u64>().unwrap()),
            None => (name, 100),
        };
        let path = places[&name.to_owned()];
        let rows = rows_of(path);
        let taken = if percent < 100 {
            (rows as f64 * (percent as f64 / 100.0)) as u64
        } else {
            rows
        };
        *counts.entry(path.clone()).or_default() += taken;
    }
    counts
}

#[test]
fn counts_are_recovered_exactly() {
    type Reader = fn(&Written) -> Counts;
    let readers: [(&str, Reader); 4] = [
        ("llava-next", llava_next),
        ("llama-factory", llama_factory),
        ("ms-swift", ms_swift),
        ("internvl", internvl),
    ];
    let mut project = Project::new();
    // The filter leaves 5 of 10 rows.
    project.filter(1);
    for size in [3, 17, 200, 1001] {
        for (name, read) in readers {
            let written = project.export(name, &budget(size)).unwrap();
            let planned: Counts = written.counts().into_iter().collect();
            assert_eq!(planned.values().sum::<u64>(), size);
            assert_eq!(read(&written), planned, "{name} with {size}");
        }
    }
}

#[test]
fn percentages_come_as_near_as_they_can() {
    let project = Project::new();
    let written = project.export("qwen-vl-finetune", &budget(200)).unwrap();
    let drawn = qwen_vl(&written);
    for (path, planned) in written.counts() {
        let rows = rows_of(&path);
        assert!(
            drawn[&path].abs_diff(planned) <= rows / 100 + 1,
            "{path}: {planned} {drawn:?}"
        );
    }
    for trainer in ["llava-next", "qwen-vl-finetune", "internvl"] {
        let written = project.export(trainer, &Request::default()).unwrap();
        let drawn = match trainer {
            "llava-next" => llava_next(&written),
            "internvl" => internvl(&written),
            _ => qwen_vl(&written),
        };
        let total: u64 = drawn.values().sum();
        for (_, dataset) in written.prepared.plan.used() {
            let path = dataset.spec.path.to_str().unwrap();
            assert!(drawn[path] <= dataset.size, "{trainer} repeats {path}");
            let share = drawn[path] as f64 / total as f64;
            assert!(
                (share - dataset.weight).abs() < 0.02,
                "{trainer}, {path}: {share}"
            );
        }
    }
}

#[test]
fn what_draws_nothing_is_left_out() {
    let project = Project::new();
    let (unwanted, ..) = DATASETS[3];
    for trainer in madmix::export::TRAINERS.iter().map(|entry| entry.name) {
        if let Ok(written) = project.export(trainer, &budget(100)) {
            assert!(!written.all().contains(unwanted), "{trainer}");
        }
    }
}

#[test]
fn tokens_weigh_by_the_length_of_samples() {
    let project = Project::new();
    let plan = project
        .export("veomni", &by_tokens())
        .unwrap()
        .prepared
        .plan;
    let weights: Vec<f64> = plan.datasets().map(|(_, dataset)| dataset.weight).collect();
    // Shares 0.44, 0.11, 0.45 of samples with 400, 100, 300 tokens.
    let parts = [176.0, 11.0, 135.0, 0.0];
    for (weight, part) in weights.iter().zip(parts) {
        assert!((weight - part / 322.0).abs() < 1e-12, "{weights:?}");
    }
}

#[test]
fn a_file_that_does_not_fit_is_written_anew() {
    let mut project = Project::new();
    project.filter(0);
    let path = |name: &str| project.folder.path().join(name);
    // Lines under the name of an array, and media elsewhere.
    fs_err::write(path("lines.json"), file_of("lines", 30, true)).unwrap();
    let (lines, elsewhere) = (path("lines.json"), path("elsewhere"));
    project.sources[2].spec.path = lines;
    project.sources[1].spec.media_root = Some(elsewhere.clone());
    let written = project.export("llava-next", &budget(100)).unwrap();
    let notes = written.prepared.notes.join("\n");
    for reason in [
        "its filter keeps only part",
        "media lie in another folder",
        "goes by the name",
    ] {
        assert!(notes.contains(reason), "{reason} is not in:\n{notes}");
    }
    let drawn = llava_next(&written);
    assert_eq!(drawn, written.counts().into_iter().collect());
    for path in drawn.keys() {
        assert!(path.contains("/out/llava-next/rows/"), "{path}");
    }
    let moved = drawn.keys().find(|path| rows_of(path) == 10).unwrap();
    let row = fs_err::read_to_string(moved).unwrap();
    let row: Value = serde_json::from_str(row.lines().next().unwrap()).unwrap();
    assert_eq!(row["image"], elsewhere.join("p/0.png").to_str().unwrap());
}

#[test]
fn pictures_inside_of_rows_and_in_buckets_are_not_left_to_the_trainer() {
    let mut project = Project::new();
    let plain = project
        .sources
        .iter()
        .position(|it| it.spec.name == "plain");
    let path = project.folder.path().join("plain.jsonl");
    let row = r#"{"image": "data:image/png;base64,iVBORw0KGgo=", "conversations": [{"from": "human", "value": "<image>"}]}"#;
    fs_err::write(&path, format!("{row}\n").repeat(40)).unwrap();
    project.sources[plain.unwrap()].spec.path = path;
    let written = project.export("llava-next", &budget(100)).unwrap();
    let notes = written.prepared.notes.join("\n");
    assert!(
        notes.contains("its rows hold pictures themselves"),
        "{notes}"
    );
    let yaml = written.file("mixture.yaml");
    let paths = scalars(yaml, "json_path: ");
    let rows = paths
        .iter()
        .find(|path| path.ends_with("rows/plain.jsonl"))
        .unwrap();
    let first = fs_err::read_to_string(rows).unwrap();
    let first: Value = serde_json::from_str(first.lines().next().unwrap()).unwrap();
    let picture = fs_err::read(first["image"].as_str().unwrap()).unwrap();
    assert_eq!(picture, b"\x89PNG\r\n\x1a\n");
}

#[test]
fn columns_of_one_type_where_the_trainer_needs_them() {
    let project = Project::new();
    let file = project.folder.path().join("plain.jsonl");
    let mixed = file_of("a", 20, true)
        + &file_of("b", 20, true)
            .replace(r#""p/"#, r#"["p/"#)
            .replace(r#".png""#, r#".png"]"#);
    fs_err::write(file, mixed).unwrap();
    let written = project.export("llama-factory", &budget(100)).unwrap();
    assert!(written.prepared.notes[0].contains("values of two types"));
    let info: Value = serde_json::from_str(written.file("dataset_info.json")).unwrap();
    assert_eq!(info["plain"]["columns"]["images"], "image");
    // LLaVA-NeXT reads both.
    assert!(
        project
            .export("llava-next", &budget(100))
            .unwrap()
            .prepared
            .notes
            .is_empty()
    );
}

fn refused(project: &Project, trainer: &str, request: &Request) -> String {
    match project.export(trainer, request) {
        Ok(_) => panic!("{trainer} takes it"),
        Err(error) => project.general(&error.to_string()),
    }
}

#[test]
fn names_that_a_trainer_cannot_take_are_refused() {
    let mut project = Project::new();
    let renamed = |project: &mut Project, name: &str| {
        let path = project.folder.path().join(name);
        fs_err::write(&path, file_of(name, 40, false)).unwrap();
        project.sources[0].spec.path = path;
    };
    renamed(&mut project, "a,b.jsonl");
    let message = refused(&project, "veomni", &Request::default());
    assert!(
        message.contains("[DIR]/a,b.jsonl") && message.contains("commas"),
        "{message}"
    );
    for name in ["a[1].jsonl", "a?.jsonl", "$HOME.jsonl", "a::b.jsonl"] {
        renamed(&mut project, name);
        for trainer in ["llama-factory", "ms-swift", "veomni"] {
            let message = refused(&project, trainer, &Request::default());
            assert!(message.contains("for more than a name"), "{message}");
        }
    }
    project.export("llava-next", &Request::default()).unwrap();
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let project = Project::new();
    let error = |request: Request| project.export("veomni", &request).err().unwrap();
    let caps = Request {
        max_epochs: Some(2.0),
        ..Request::default()
    };
    assert!(matches!(error(caps), ExportError::CapWithoutBudget));
    let tokens = Request {
        unit: Unit::Tokens,
        ..budget(10)
    };
    assert!(matches!(error(tokens), ExportError::BudgetOfTokens));
    let misspelt = Request {
        max_epochs_of: BTreeMap::from([("Genral".to_owned(), 1.0)]),
        ..budget(10)
    };
    let message = error(misspelt).to_string();
    assert!(
        message.contains("`Genral` (did you mean `General`?)"),
        "{message}"
    );
    let too_large = Request {
        max_epochs: Some(1.0),
        ..budget(81)
    };
    let message = error(too_large).to_string();
    assert!(message.contains("the largest possible is 80"), "{message}");
    assert!(
        matches!(project.export("lava-next", &budget(1)), Err(ExportError::UnknownTrainer { nearest: Some(name), .. }) if name == "llava-next")
    );
}

#[test]
fn caps_hold_and_the_rest_is_shared() {
    let project = Project::new();
    let request = Request {
        max_epochs_of: BTreeMap::from([("General".to_owned(), 1.0)]),
        ..budget(100)
    };
    let plan = project.export("ms-swift", &request).unwrap().prepared.plan;
    let counts: Vec<_> = plan
        .datasets()
        .map(|(_, dataset)| dataset.count.unwrap())
        .collect();
    assert_eq!(counts, [40, 10, 50, 0]);
    assert!((plan.domains[0].weight - 0.5).abs() < 1e-12);
}
