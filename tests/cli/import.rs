//! `[[import]]`: LLaVA-NeXT's mixture file in a config, as `madmix plan` and `madmix run` take it.

use crate::assert_ended;
use crate::project::{Ended, Project};

const MIX: &str = r#"datasets:
  - json_path: words.jsonl   # a comment
    sampling_strategy: "first:25%"
  - json_path: pictures.jsonl
    sampling_strategy: "end:4"
  - json_path: words.jsonl
    sampling_strategy: "random:5"
"#;

const IMPORT: &str = r#"
[[import]]
path = "mixes/mix.yaml"
media_root = "."
domain = [
    { name = "Pictures", dataset = "PICTURES" },
    { name = "Words", pattern = "" },
]
"#;

/// The usual project with its datasets out of a mixture file.
fn project() -> Project {
    let project = Project::new();
    let text = project.read("mix.toml");
    let (settings, _) = text.split_once("[[domain]]").unwrap();
    let import = IMPORT.replace("\"PICTURES\"", "[\"pictures\"]");
    project.write("mix.toml", format!("{settings}{import}"));
    project.write("mixes/mix.yaml", MIX);
    project
}

/// Plans a project with one mistake in it.
#[track_caller]
fn refused(mistake: impl FnOnce(&Project)) -> Ended {
    let project = project();
    mistake(&project);
    let ended = project.madmix(&["plan", "mix.toml"]).expect(2);
    assert!(ended.stdout.is_empty(), "{ended}");
    ended
}

#[test]
fn a_mixture_is_planned_with_its_strategies() {
    assert_ended!(
        "import_plan",
        project().madmix(&["plan", "mix.toml"]).expect(0)
    );
}

#[test]
fn a_run_writes_down_the_datasets_and_no_import() {
    let project = project();
    project.run();
    let written = project.read("run/config.toml");
    assert!(!written.contains("import"), "{written}");
    assert!(
        written.contains("sampling_strategy = \"random:5\""),
        "{written}"
    );
    // The run's folder stands by itself: neither the config nor the mixture file is needed any more.
    for file in ["mix.toml", "mixes/mix.yaml"] {
        fs_err::remove_file(project.path(file)).unwrap();
    }
    project.madmix(&["solve", "run"]).expect(0);
    project.madmix(&["run", "run/config.toml"]).expect(0);
}

#[test]
fn paths_start_from_the_mixture_file_before_the_config() {
    let project = project();
    let rows = project.read("words.jsonl");
    let one = rows.lines().next().unwrap();
    project.write("mixes/words.jsonl", format!("{one}\n"));
    project.write(
        "mixes/mix.yaml",
        "datasets:\n- {json_path: words.jsonl}\n- {json_path: pictures.jsonl}\n",
    );
    let ended = project.madmix(&["plan", "mix.toml", "--json"]).expect(0);
    let plan: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let datasets = plan["datasets"].as_array().unwrap().iter();
    let rows: Vec<_> = datasets
        .map(|dataset| (dataset["name"].as_str(), dataset["rows"].as_u64()))
        .collect();
    let expected = [(Some("pictures"), Some(6)), (Some("words"), Some(1))];
    assert_eq!(rows, expected, "{ended}");
}

#[test]
fn entries_that_no_domain_has_are_listed() {
    let ended =
        refused(|project| project.edit("mix.toml", "pattern = \"\"", "pattern = \"letters\""));
    assert_ended!("import_unassigned", ended);
}

#[test]
fn strategies_that_llava_next_would_not_take() {
    let ended = refused(|project| project.edit("mixes/mix.yaml", "first:25%", "first:12.5%"));
    assert_ended!("import_strategy", ended);
}

#[test]
fn mixture_files_that_are_not_there_or_no_yaml() {
    let ended = refused(|project| fs_err::remove_file(project.path("mixes/mix.yaml")).unwrap());
    assert_ended!("import_missing", ended);
    let ended = refused(|project| project.write("mixes/mix.yaml", "datasets: [\n"));
    assert_ended!("import_not_yaml", ended);
    let ended = refused(|project| project.write("mixes/mix.yaml", "- words.jsonl\n"));
    assert_ended!("import_not_a_mixture", ended);
}

#[test]
fn keys_of_other_readers_are_passed_over_aloud() {
    let project = project();
    project.edit(
        "mixes/mix.yaml",
        "    sampling_strategy: \"end:4\"",
        "    image_root: x\n    sampling_strategies: \"end:4\"",
    );
    assert_ended!(
        "import_other_keys",
        project.madmix(&["plan", "mix.toml"]).expect(0)
    );
}
