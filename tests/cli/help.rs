//! What the program says about itself.

use crate::assert_ended;
use crate::project::Project;

#[test]
fn every_subcommand_explains_itself() {
    let project = Project::new();
    let help = |arguments: &[&str]| {
        let ended = project.madmix(arguments).expect(0);
        assert!(ended.stderr.is_empty(), "help goes to stdout: {ended}");
        ended
    };
    assert_ended!("help", help(&["--help"]));
    assert_ended!("help_init", help(&["init", "--help"]));
    assert_ended!("help_run", help(&["run", "--help"]));
    assert_ended!("help_plan", help(&["plan", "--help"]));
    assert_ended!("help_extract", help(&["extract", "--help"]));
    assert_ended!("help_status", help(&["status", "--help"]));
    assert_ended!("help_solve", help(&["solve", "--help"]));
    assert_ended!("help_report", help(&["report", "--help"]));
    assert_ended!("help_compare", help(&["compare", "--help"]));
    assert_ended!("help_export", help(&["export", "--help"]));
    assert_ended!("help_cache", help(&["cache", "--help"]));
    assert_ended!("help_cache_list", help(&["cache", "list", "--help"]));
    assert_ended!("help_cache_verify", help(&["cache", "verify", "--help"]));
    assert_ended!("help_cache_prune", help(&["cache", "prune", "--help"]));
    assert_ended!("help_models", help(&["models", "--help"]));
    assert_ended!("help_atlas_label", help(&["atlas", "label", "--help"]));
}

#[test]
fn the_version_is_the_crates() {
    let ended = Project::new().madmix(&["--version"]).expect(0);
    assert_eq!(
        ended.stdout,
        concat!("madmix ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn wrong_usage() {
    let project = Project::new();
    assert_ended!("usage_no_subcommand", project.madmix(&[]).expect(2));
    assert_ended!(
        "usage_misspelt_subcommand",
        project.madmix(&["rum"]).expect(2)
    );
    assert_ended!("usage_no_config", project.madmix(&["run"]).expect(2));
    assert_ended!(
        "usage_lambda_is_no_number",
        project
            .madmix(&["solve", "run", "--lambda", "ten"])
            .expect(2)
    );
}
