//! The published checkpoints that the program knows of.

use madmix::config::{BatchTokens, Config};
use serde_json::Value;

use crate::assert_ended;
use crate::project::Project;

#[test]
fn one_card_in_full() {
    let project = Project::new();
    let shown = project.madmix(&["models", "llava-1.5-7b-hf"]).expect(0);
    assert_ended!("models_one", shown);
    assert_ended!(
        "models_unknown",
        project.madmix(&["models", "llava-1.5-8b-hf"]).expect(2)
    );
}

#[test]
fn the_table_and_the_json_list_the_same_cards() {
    let project = Project::new();
    let table = project.madmix(&["models"]).expect(0).stdout;
    let json = project.madmix(&["models", "--json"]).expect(0).stdout;
    let cards: Vec<Value> = serde_json::from_str(&json).unwrap();
    let mut lines = table.lines();
    assert!(lines.next().unwrap().starts_with("checkpoint "), "{table}");
    let listed: Vec<&str> = lines.filter_map(|line| line.split(' ').next()).collect();
    let in_json: Vec<&str> = cards
        .iter()
        .map(|card| card["checkpoint"].as_str().unwrap())
        .collect();
    assert_eq!(listed, in_json);
    assert!(listed.contains(&"lmms-lab/llava-onevision-qwen2-0.5b-mid-stage-a4"));

    let one = project
        .madmix(&["models", "llava-hf/llava-1.5-13b-hf", "--json"])
        .expect(0);
    let one: Value = serde_json::from_str(&one.stdout).unwrap();
    assert!(cards.contains(&one));
    assert_eq!(one["layout"], "hugging-face");
    assert!((one["memory_gb"].as_f64().unwrap() - 26.7).abs() < 1e-9);
}

/// What a card says of settings is what a config takes.
#[test]
fn settings_of_every_card_are_those_of_a_config() {
    let project = Project::new();
    let json = project.madmix(&["models", "--json"]).expect(0).stdout;
    let cards: Vec<Value> = serde_json::from_str(&json).unwrap();
    for card in cards {
        let name = card["checkpoint"].as_str().unwrap();
        let shown = project.madmix(&["models", name]).expect(0).stdout;
        let (_, fragment) = shown.split_once("in a config:").unwrap();
        let rest = "[[domain]]\nname = \"Words\"\n[[domain.dataset]]\npath = \"words.jsonl\"\n";
        let path = project.path("card.toml");
        fs_err::write(&path, format!("output = \"run\"\n{fragment}\n{rest}")).unwrap();
        let config = Config::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(config.model.checkpoint, name);
        let pixels = &card["settings"]["media"]["max_pixels"];
        assert_eq!(config.media.max_pixels, pixels.as_u64(), "{name}");
        let frames = &card["settings"]["video"]["max_frames"];
        assert_eq!(
            config.video.max_frames.map(u64::from),
            frames.as_u64(),
            "{name}"
        );
        // The device knows better.
        assert_eq!(config.extract.batch_tokens, BatchTokens::Auto);
    }
}
