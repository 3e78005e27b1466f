//! Samples in cells of concept and task, and cells as domains.

use std::collections::BTreeMap;

use image::ImageFormat;
use serde_json::{Value, json};

use crate::project::{Project, repository, tree};
use crate::samples::{picture, picture_row};

const ATLAS: &str = "
[atlas]
min_cell = 2
[atlas.concepts]
clusters = 2
[atlas.search]
budget = 100
";

/// The small project with settings for labels, and a picture that is to be read.
fn project() -> Project {
    let project = Project::new();
    let text = project
        .read("mix.toml")
        .replace("\"off\"\n", "\"off\"\ndomains.from = \"atlas\"\n")
        + ATLAS;
    project.write("mix.toml", text);
    let mut rows: String = (0..6).map(|i| picture_row(i) + "\n").collect();
    for i in 6..9 {
        let row = picture_row(i).replace("Which one is it?", "Transcribe the text.");
        rows += &(row + "\n");
        project.write(&format!("{i}.png"), picture(i, ImageFormat::Png));
    }
    project.write("pictures.jsonl", rows);
    project
}

fn label(project: &Project) -> Value {
    let ended = project
        .madmix(&["atlas", "label", "mix.toml", "--json"])
        .expect(0);
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended}"))
}

fn cells(summary: &Value) -> BTreeMap<String, u64> {
    let cells = summary["cells"].as_array().unwrap().iter();
    cells
        .map(|cell| {
            let name = format!("{} {}", cell["task"].as_str().unwrap(), cell["name"]);
            (name, cell["samples"].as_u64().unwrap())
        })
        .collect()
}

#[test]
fn a_corpus_is_labelled_solved_and_exported_by_cells() {
    let project = project();
    // Without labels there are no cells, and the message says what makes them.
    let early = project.madmix(&["run", "mix.toml"]).expect(2);
    assert!(early.stderr.contains("run `madmix atlas label"), "{early}");
    let summary = label(&project);
    let found = cells(&summary);
    assert_eq!(found.values().sum::<u64>(), 21);
    assert_eq!(
        found.get("conversation \"text only × conversation\""),
        Some(&12)
    );
    let hits: BTreeMap<&str, u64> = summary["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| {
            (
                rule["rule"].as_str().unwrap(),
                rule["samples"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(hits["no picture"], 12);
    assert_eq!(hits["question, short answer"], 6);
    assert_eq!(hits["asks to read"], 3);
    let page = project.read("run/atlas/concepts.html");
    assert_eq!(page.matches("data:image/jpeg;base64,").count(), 9);

    // A second time nothing is done; the labels are the same on one thread.
    let first = project.tree();
    let again = project.madmix(&["atlas", "label", "mix.toml"]).expect(0);
    assert!(again.stderr.contains("nothing has changed"), "{again}");
    assert!(again.stdout.contains("text only × conversation"), "{again}");
    assert_eq!(project.tree(), first);
    fs_err::remove_dir_all(project.path("run/atlas/labels")).unwrap();
    fs_err::remove_file(project.path("run/atlas/grid.json")).unwrap();
    let mut command = project.command(&["atlas", "label", "mix.toml"]);
    project
        .ended(command.env("RAYON_NUM_THREADS", "1"))
        .expect(0);
    assert_eq!(project.tree(), first);

    let solved = project.run();
    assert!(
        solved.stdout.contains("text only × conversation"),
        "{solved}"
    );
    let mixture: Value = serde_json::from_str(&project.read("run/mixture.json")).unwrap();
    let sizes = mixture["domains"].as_array().unwrap().iter();
    assert_eq!(
        sizes
            .map(|domain| domain["size"].as_u64().unwrap())
            .sum::<u64>(),
        21
    );
    let trainers = project.madmix(&["export", "--list"]).expect(0);
    for trainer in trainers
        .stdout
        .lines()
        .filter_map(|line| line.split("  ").next())
    {
        let ended = project
            .madmix(&["export", "run", "--to", trainer, "--budget", "40"])
            .expect(0);
        assert!(ended.stdout.contains("words · text only"), "{ended}");
    }
    // A trainer that wants files has one of each cell's rows.
    let rows = project.path("run/export/llava-next/rows");
    let mut lines = 0;
    for entry in fs_err::read_dir(rows).unwrap() {
        lines += fs_err::read_to_string(entry.unwrap().path())
            .unwrap()
            .lines()
            .count();
    }
    assert_eq!(lines, 21);
}

#[test]
fn rows_that_change_need_new_labels() {
    let project = project();
    label(&project);
    let more = project.read("words.jsonl");
    project.write("words.jsonl", format!("{more}{more}"));
    let stale = project.madmix(&["run", "mix.toml"]).expect(1);
    assert!(
        stale.stderr.contains("older than the data") && stale.stderr.contains("madmix atlas label"),
        "{stale}"
    );
    let found = cells(&label(&project));
    assert_eq!(found.values().sum::<u64>(), 33);
    project.run();
}

#[test]
fn what_the_user_says_of_tasks_counts_and_is_checked() {
    let project = project();
    project.edit(
        "mix.toml",
        "[atlas.concepts]",
        "[atlas.tasks]\ndata_source = { poems = \"verse\" }\nrule = [{ task = \"pick\", user = \"^Which|\\nWhich\" }]\n[atlas.concepts]",
    );
    let summary = label(&project);
    let of = |rule: &str| {
        let rules = summary["rules"].as_array().unwrap().iter();
        let found = rules.clone().find(|one| one["rule"] == json!(rule));
        found.map(|one| one["samples"].as_u64().unwrap())
    };
    assert_eq!(of("data_source poems"), Some(4));
    assert_eq!(of("rule 1"), Some(6));
    assert_eq!(of("no picture"), Some(8));
    project.edit("mix.toml", "user = \"^Which", "user = \"(Which");
    let wrong = project.madmix(&["atlas", "label", "mix.toml"]).expect(2);
    assert!(wrong.stderr.contains("regular expression"), "{wrong}");
}

#[test]
fn samples_that_cannot_be_read_are_listed_and_held_against_the_limit() {
    let project = project();
    project.write("3.png", "no picture");
    let failed = project.madmix(&["atlas", "label", "mix.toml"]).expect(1);
    assert!(
        failed.stderr.contains("max_failure_rate") && failed.stderr.contains("p3"),
        "{failed}"
    );
    let list = project.read("run/atlas/failures.jsonl");
    assert_eq!(list.lines().count(), 1, "{list}");
    project.extract("max_failure_rate = 0.2");
    let summary = label(&project);
    assert_eq!(summary["failed"], json!(1));
    assert_eq!(cells(&summary).values().sum::<u64>(), 20);
    // Cells have the rows that could be read alone.
    project.run();
    assert_eq!(project.failures(), Vec::<Value>::new());
}

#[test]
fn a_model_with_a_text_side_names_concepts_by_words() {
    let project = project();
    project.write("words.txt", "# mine\nred square\nblue square\ngradient\n");
    project.edit(
        "mix.toml",
        "clusters = 2",
        &format!(
            "clusters = \"auto\"\nwords = \"words.txt\"\ncheckpoint = \"{}/tests/fixtures/atlas/clip\"",
            repository()
        ),
    );
    let summary = label(&project);
    assert_eq!(summary["named_by"], json!("words"));
    assert_eq!(summary["stability"][0]["clusters"], json!(2));
    let known = ["red square", "blue square", "gradient", "text only"];
    for concept in summary["concepts"].as_array().unwrap() {
        let name = concept["name"].as_str().unwrap();
        assert!(known.contains(&name), "{name}");
    }
    project.write("words.txt", "# none");
    let empty = project.madmix(&["atlas", "label", "mix.toml"]).expect(2);
    assert!(empty.stderr.contains("words.txt has no words"), "{empty}");
}

#[test]
fn a_picture_that_cannot_be_decoded_stops_no_search() {
    let project = project();
    // Its header can be read, and the rest is not there.
    let whole = picture(3, ImageFormat::Png);
    project.write("3.png", &whole[..whole.len() / 2]);
    project.extract("max_failure_rate = 0.2");
    project.edit(
        "mix.toml",
        "budget = 100",
        "budget = 100\nruns = 6\ninitial = 4",
    );
    let summary = label(&project);
    assert_eq!(summary["failed"], json!(1));
    let embeddings = project.path("run/atlas/embeddings");
    let before = tree(&embeddings);
    let ended = project.madmix(&["atlas", "run", "mix.toml"]).expect(0);
    assert!(ended.stderr.contains("trains on"), "{ended}");
    assert_eq!(tree(&embeddings), before, "nothing was embedded again");
}

#[test]
fn data_that_change_are_labelled_anew() {
    let project = project();
    project.extract("max_failure_rate = 0.2");
    let third = project.path("3.png");
    fs_err::rename(&third, project.path("away.png")).unwrap();
    assert_eq!(label(&project)["failed"], json!(1));
    fs_err::rename(project.path("away.png"), &third).unwrap();
    let mended = project
        .madmix(&["atlas", "label", "mix.toml", "--retry-failed", "--json"])
        .expect(0);
    assert!(mended.stderr.contains("made anew"), "{mended}");
    let summary: Value = serde_json::from_str(&mended.stdout).unwrap();
    assert_eq!(summary["failed"], json!(0));
    // A row less.
    let rows = project.read("pictures.jsonl");
    let (_, rows) = rows.split_once('\n').unwrap();
    project.write("pictures.jsonl", rows);
    assert_eq!(cells(&label(&project)).values().sum::<u64>(), 20);
    project.run();
}

#[test]
fn labels_of_another_grid_are_told_and_damaged_ones_made_anew() {
    let project = project();
    label(&project);
    let labels = project.path("run/atlas/labels");
    let first = tree(&labels);
    let file = project.path("run/atlas/labels/pictures.parquet");
    let of_two = fs_err::read(&file).unwrap();
    project.edit("mix.toml", "clusters = 2", "clusters = 1");
    label(&project);
    fs_err::write(&file, of_two).unwrap();
    for arguments in [
        ["run", "mix.toml"].as_slice(),
        &["atlas", "run", "mix.toml"],
    ] {
        let mixed = project.madmix(arguments).expect(1);
        assert!(
            mixed.stderr.contains("of another grid") && mixed.stderr.contains("madmix atlas label"),
            "{mixed}"
        );
    }
    project.edit("mix.toml", "clusters = 1", "clusters = 2");
    label(&project);
    assert_eq!(tree(&labels), first);
    for damage in ["", "no labels"] {
        fs_err::write(&file, damage).unwrap();
        let again = project.madmix(&["atlas", "label", "mix.toml"]).expect(0);
        assert!(again.stderr.contains("labels are made anew"), "{again}");
        assert_eq!(tree(&labels), first);
    }
}

#[test]
fn a_config_that_says_other_things_than_the_labels_is_refused() {
    let project = project();
    label(&project);
    for (from, to) in [
        ("min_cell = 2", "min_cell = 3"),
        ("clusters = 2", "clusters = 1"),
        (
            "[atlas.concepts]",
            "[atlas.tasks]\ndata_source = { poems = \"verse\" }\n[atlas.concepts]",
        ),
        (
            "path = \"words.jsonl\"",
            "path = \"words.jsonl\"\nsampling_strategy = \"first:8\"",
        ),
    ] {
        project.edit("mix.toml", from, to);
        for command in [["atlas", "propose"], ["atlas", "status"], ["atlas", "best"]] {
            let older = project
                .madmix(&[command[0], command[1], "mix.toml"])
                .expect(1);
            assert!(
                older.stderr.contains("older than the config")
                    && older.stderr.contains("madmix atlas label"),
                "{older}"
            );
        }
        let older = project.madmix(&["run", "mix.toml"]);
        assert!(older.stderr.contains("older than the config"), "{older}");
        project.edit("mix.toml", to, from);
    }
    project.madmix(&["atlas", "status", "mix.toml"]).expect(0);
    project.edit("mix.toml", "min_cell = 2", "min_cell = 3");
    let older = project.madmix(&["atlas", "run", "mix.toml"]).expect(1);
    assert!(older.stderr.contains("older than the config"), "{older}");
    project.edit("mix.toml", "min_cell = 3", "min_cell = 2");
    // What the labels do not hang on may change, and is shown as it is now.
    let page = project.read("run/atlas/concepts.html");
    project.edit("mix.toml", "budget = 100", "budget = 200");
    let twice = project
        .madmix(&["atlas", "label", "mix.toml", "--json"])
        .expect(0);
    assert!(twice.stderr.contains("nothing has changed"), "{twice}");
    let twice: Value = serde_json::from_str(&twice.stdout).unwrap();
    assert_eq!(twice["budget"], json!(200));
    let epochs: f64 = twice["cells"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cell| cell["epochs_today"].as_f64().unwrap() * cell["samples"].as_f64().unwrap())
        .sum();
    assert!((epochs - 200.0).abs() < 1e-6, "{epochs}");
    assert_eq!(project.read("run/atlas/concepts.html"), page);
}

#[test]
fn labels_are_made_by_one_process_at_a_time() {
    let project = project();
    fs_err::create_dir_all(project.path("run/atlas")).unwrap();
    let path = project.path("run/atlas/label.lock");
    let held = fs_err::File::create(&path).unwrap();
    held.file().lock().unwrap();
    let child = project.start(&["atlas", "label", "mix.toml"]);
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert!(!project.path("run/atlas/grid.json").exists());
    drop(held);
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(
        ended.status.success() && said.contains("waiting until it is done"),
        "{said}"
    );
    assert!(project.path("run/atlas/grid.json").exists());
}
