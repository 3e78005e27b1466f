//! Two mixtures side by side.

use serde_json::Value;

use crate::assert_ended;
use crate::project::Project;

/// A project with the runs `run` and `other`, of another λ, and `same`, a copy of the first.
fn two() -> Project {
    let project = Project::new();
    project.run();
    project.edit("mix.toml", "output = \"run\"", "output = \"same\"");
    project.run();
    project.edit("mix.toml", "output = \"same\"", "output = \"other\"");
    project.edit("mix.toml", "[[domain]]", "[mix]\nlambda = 0.01\n[[domain]]");
    project.run();
    project
}

fn comparison(project: &Project, first: &str, second: &str) -> Value {
    let ended = project
        .madmix(&["compare", first, second, "--json"])
        .expect(0);
    serde_json::from_str(&ended.stdout).unwrap()
}

#[test]
fn differences_are_held_against_their_noise() {
    let project = two();
    let other = comparison(&project, "run", "other");
    assert_eq!(other["paired"], true);
    let variation = other["total_variation"].as_f64().unwrap();
    let domain = &other["domains"][0];
    let difference = domain["difference"].as_f64().unwrap();
    assert!(
        (variation - difference.abs()).abs() < 1e-12,
        "of two domains"
    );
    assert!(domain["low"].as_f64().unwrap() <= domain["high"].as_f64().unwrap());
    assert_ended!(
        "compare_table",
        project.madmix(&["compare", "run", "other"]).expect(0)
    );

    // The same rows drawn alike: no noise is left between two equal runs.
    let same = comparison(&project, "run", "same");
    for key in ["total_variation", "noise"] {
        assert_eq!(same[key], 0.0, "{same}");
    }

    // The files alone: intervals that know nothing of each other are wider.
    let files = comparison(&project, "run/mixture.json", "other/mixture.json");
    assert_eq!(files["paired"], false);
    assert_eq!(files["total_variation"], other["total_variation"]);
    let width = |of: &Value| {
        of["domains"][0]["high"].as_f64().unwrap() - of["domains"][0]["low"].as_f64().unwrap()
    };
    assert!(width(&files) > width(&other));
}

#[test]
fn mistakes() {
    let project = two();
    assert_ended!(
        "compare_no_run",
        project.madmix(&["compare", "run", "nowhere"]).expect(1)
    );
    project.edit("other/mixture.json", "\"Words\"", "\"Wörter\"");
    let files = ["compare", "run/mixture.json", "other/mixture.json"];
    assert_ended!("compare_other_domains", project.madmix(&files).expect(2));
    project.write("other/mixture.json", "{}");
    assert_ended!("compare_no_mixture", project.madmix(&files).expect(2));
    fs_err::remove_file(project.path("other/mixture.json")).unwrap();
    assert_ended!(
        "compare_not_solved",
        project.madmix(&["compare", "run", "other"]).expect(1)
    );
}
