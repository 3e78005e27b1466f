//! `madmix plan`: what it counts and foretells, and what it needs.

use serde_json::{Value, json};

use crate::assert_ended;
use crate::demo::demo;
use crate::project::Project;
use crate::samples::rows;

/// The document of `plan --json`, with further arguments; the exit code must be as given.
#[track_caller]
pub(crate) fn planned(project: &Project, arguments: &[&str], code: i32) -> Value {
    let arguments = [&["plan", "mix.toml", "--json"], arguments].concat();
    let ended = project.madmix(&arguments).expect(code);
    serde_json::from_str(&ended.stdout).unwrap()
}

/// The dataset of that name.
#[track_caller]
pub(crate) fn dataset<'a>(plan: &'a Value, name: &str) -> &'a Value {
    let datasets = plan["datasets"].as_array().unwrap();
    let found = datasets.iter().find(|dataset| dataset["name"] == name);
    found.unwrap_or_else(|| panic!("{plan:#}"))
}

#[test]
fn the_demo_as_text_and_as_json() {
    let project = demo();
    assert_ended!("demo_plan", project.madmix(&["plan", "mix.toml"]).expect(0));
    let ended = project.madmix(&["plan", "mix.toml", "--json"]).expect(0);
    insta::with_settings!({
        filters => [
            (r#""flops_per_second": [\d.e]+"#, r#""flops_per_second": "[RATE]""#),
            (r#""seconds": [\d.e-]+"#, r#""seconds": "[TIME]""#),
            (r#""host": \d+"#, r#""host": "[MEMORY]""#),
        ],
        omit_expression => true,
        prepend_module_to_snapshot => false,
    }, { insta::assert_snapshot!("demo_plan_json", ended.stdout) });
    assert!(!project.path("run").exists(), "a plan changes nothing");
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let project = demo();
    let plans = ["1", "3"].map(|threads| {
        let mut command = project.command(&["plan", "mix.toml", "--json"]);
        let ended = project.ended(command.env("RAYON_NUM_THREADS", threads));
        let mut plan: Value = serde_json::from_str(&ended.expect(0).stdout).unwrap();
        plan["forecast"]["time"] = Value::Null;
        plan
    });
    assert_eq!(plans[0], plans[1]);
}

#[test]
fn all_rows_or_those_that_a_run_takes() {
    let project = Project::new();
    project.write("words.jsonl", rows(0..200));
    project.extract("samples_per_dataset = 64");
    let counts = |plan: &Value| {
        let words = dataset(plan, "words");
        ["rows", "samples", "measured", "with_text_only", "failed"].map(|key| words[key].clone())
    };
    let some = planned(&project, &[], 0);
    assert_eq!(counts(&some), [200, 64, 64, 64, 0]);
    let all = planned(&project, &["--all"], 0);
    assert_eq!(counts(&all), [200, 64, 200, 200, 0]);
    assert_eq!(
        (&some["all_rows"], &all["all_rows"]),
        (&json!(false), &json!(true))
    );
    assert!(all["total"]["tokens"].as_u64() > some["total"]["tokens"].as_u64());
    let work = |plan: &Value| plan["forecast"]["time"]["language_flops"].clone();
    assert_eq!(work(&some), work(&all), "the run is the same");
    let ended = project.madmix(&["plan", "mix.toml", "--all"]).expect(0);
    assert!(ended.stdout.contains("measured"), "{ended}");

    // What is beyond the samples counts with --all.
    let broken: String = (0..400).map(|_| "{\"id\": \"bad\"}\n").collect();
    project.write("words.jsonl", rows(0..200) + &broken);
    planned(&project, &["--all"], 1);
}

#[test]
fn a_bad_config_is_wrong_usage() {
    let project = Project::new();
    project.extract("seeds = 1");
    let ended = project.madmix(&["plan", "mix.toml"]).expect(2);
    assert!(ended.stdout.is_empty(), "{ended}");
}

#[test]
fn every_dataset_that_does_not_open_is_named() {
    let project = Project::new();
    project.write("words.jsonl", "");
    fs_err::remove_file(project.path("pictures.jsonl")).unwrap();
    let ended = project.madmix(&["plan", "mix.toml"]).expect(1);
    assert!(ended.stdout.is_empty(), "{ended}");
    for name in ["words", "pictures"] {
        let named = format!("error: dataset `{name}`");
        assert!(ended.stderr.contains(&named), "{ended}");
    }
}

#[test]
fn no_device_is_needed() {
    let project = Project::new();
    project.edit("mix.toml", "device = \"cpu\"", "device = \"cuda:99\"");
    let plan = planned(&project, &[], 0);
    assert_eq!(
        (&plan["device"]["here"], &plan["device"]["dtype"]),
        (&json!(false), &json!("bf16"))
    );
    let time = &plan["forecast"]["time"];
    assert_eq!(
        (&time["rate"], &time["seconds"]),
        (&Value::Null, &Value::Null)
    );
    assert!(time["tower_flops"].as_f64() > Some(0.0));
    let ended = project.madmix(&["plan", "mix.toml"]).expect(0);
    for text in ["no device here", "time    unknown", "of each device"] {
        assert!(ended.to_string().contains(text), "{ended}");
    }
    // Where there is one, it has to be able to do what is asked for.
    project.edit(
        "mix.toml",
        "device = \"cuda:99\"",
        "device = \"cpu\"\ndtype = \"bf16\"",
    );
    project.madmix(&["plan", "mix.toml"]).expect(2);
}
