//! The report of a run, as text, as JSON and as a page.

use serde_json::Value;

use crate::assert_ended;
use crate::project::{Project, assert_same};

#[test]
fn run_solve_and_report_write_the_same_page() {
    let project = Project::new();
    project.run();
    let tree = project.tree();
    let page = project.read("run/report.html");
    for name in ["Words", "Pictures", "mad-mix"] {
        assert!(page.contains(name), "{name}");
    }
    let ended = project.madmix(&["report", "run"]).expect(0);
    assert_same(&project.tree(), &tree);
    assert_ended!("report", ended);
    project.madmix(&["solve", "run"]).expect(0);
    assert_same(&project.tree(), &tree);

    // Of other weights the page is another, and `report` goes by the mixture that is there.
    project
        .madmix(&["solve", "run", "--lambda", "0.1"])
        .expect(0);
    let other = project.tree();
    assert_ne!(project.read("run/report.html"), page);
    project.madmix(&["report", "run"]).expect(0);
    assert_same(&project.tree(), &other);
}

#[test]
fn programs_can_read_it() {
    let project = Project::new();
    project.extract("layers = [\"last\", 1]");
    project.run();
    let ended = project.madmix(&["report", "run", "--json"]).expect(0);
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    let mixture: Value = serde_json::from_str(&project.read("run/mixture.json")).unwrap();
    assert_eq!(report["mixture"], mixture);
    let analysis = &report["analysis"];
    assert_eq!(analysis["lambda_path"].as_array().unwrap().len(), 25);
    assert_eq!(analysis["spectrum"].as_array().unwrap().len(), 2);
    assert_eq!(analysis["without_modality"].as_array().unwrap().len(), 2);
    let layers = analysis["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 2);
    // What the report says of another layer is what solving with it gives.
    project.madmix(&["solve", "run", "--layer", "1"]).expect(0);
    let solved: Value = serde_json::from_str(&project.read("run/mixture.json")).unwrap();
    assert_eq!(solved["domains"][0]["weight"], layers[1]["weights"][0]);
    assert_eq!(solved["settings"]["layer"], "1");
}

#[test]
fn less_than_a_run_is_said_to_be_less() {
    let project = Project::new();
    let none = project.madmix(&["report", "run"]).expect(1);
    assert!(none.stderr.contains("run"), "{none}");
    project.run();
    fs_err::copy(project.path("run/mixture.json"), project.path("mine.json")).unwrap();
    let alone = project.madmix(&["report", "mine.json"]).expect(0);
    assert!(alone.stdout.contains("Words"), "{alone}");
    assert!(alone.stderr.contains("without all shards"), "{alone}");

    fs_err::remove_file(project.path("run/shards/words/00000.safetensors")).unwrap();
    let partly = project.madmix(&["report", "run"]).expect(0);
    assert!(partly.stderr.contains("1 of words"), "{partly}");
    assert!(project.read("run/report.html").contains("What is not here"));
    fs_err::remove_file(project.path("run/mixture.json")).unwrap();
    let unsolved = project.madmix(&["report", "run"]).expect(1);
    assert!(unsolved.stderr.contains("madmix solve run"), "{unsolved}");
}
