//! The page of a search: whole, and with as little as there may be.

use std::collections::BTreeMap;

use super::atlas_html;
use crate::atlas::analysis::{
    Analysis, BenchmarkFit, BestMixture, Effect, Estimate, Fitted, Interaction,
};
use crate::atlas::space::Axis;
use crate::atlas::{Cell, CellDataset, Grid, Outcome, Trial};
use crate::config::{Benchmark, Goal};

fn grid() -> Grid {
    let cell = |concept: usize, task: usize, name: &str| Cell {
        name: name.into(),
        concept,
        task,
        today: 0.5,
        datasets: vec![CellDataset {
            name: "a".into(),
            samples: 1200,
            tokens: 240_000,
        }],
    };
    Grid {
        concepts: vec!["chart".into(), "<photo> & co".into()],
        tasks: vec!["ocr".into(), "vqa".into()],
        cells: vec![cell(0, 0, "chart × ocr"), cell(1, 1, "<photo> & co × vqa")],
    }
}

fn estimate(mean: f64) -> Estimate {
    Estimate {
        mean,
        deviation: 0.1,
    }
}

fn trial(number: u32, outcome: Option<Outcome>) -> Trial {
    Trial {
        number,
        space: "joint".into(),
        point: vec![0.4, 0.6],
        weights: vec![0.4, 0.6],
        seed: 1,
        by: "design".into(),
        predicted: BTreeMap::new(),
        outcome,
    }
}

fn whole() -> Analysis {
    let told = |value| Some(Outcome::Told(BTreeMap::from([("docvqa".into(), value)])));
    let run = |trial, observed: f64, ahead| Fitted {
        trial,
        observed,
        expected: estimate(observed + 0.05),
        ahead,
    };
    Analysis {
        grid: grid(),
        trials: vec![
            trial(1, told(51.0)),
            trial(2, told(54.5)),
            trial(3, Some(Outcome::Failed("exit status 1: </table>".into()))),
            trial(4, None),
        ],
        scores: vec![Some(-0.5), Some(0.75), None, None],
        best: BestMixture {
            weights: vec![0.7, 0.3],
            trial: None,
            score: estimate(1.0),
            gain: estimate(0.8),
            beats_today: 0.97,
        },
        benchmarks: vec![BenchmarkFit {
            benchmark: Benchmark {
                name: "docvqa".into(),
                goal: Goal::Max,
                weight: 1.0,
            },
            noise: 0.4,
            pays: estimate(1.5),
            widened: 1.75,
            runs: vec![run(1, 51.0, false), run(2, 54.5, true)],
        }],
        effects: vec![Effect {
            axis: Axis::Task,
            level: "ocr".into(),
            at: 0.7,
            shares: vec![0.0, 0.5, 0.9],
            change: vec![estimate(-0.4), estimate(-0.1), estimate(0.1)],
        }],
        interactions: vec![Interaction {
            levels: ["chart".into(), "ocr".into()],
            change: estimate(0.5),
        }],
    }
}

#[test]
fn a_search_is_on_its_page() {
    let page = atlas_html(&whole());
    for text in [
        "2 proxy runs",
        "(1 more failed)",
        "<strong>97\u{a0}%</strong>",
        "No trial has tried it yet",
        "&lt;photo&gt; &amp; co × vqa",
        "id=\"regret\"",
        "id=\"effects\"",
        "they help each other",
        "failed: exit status 1: &lt;/table&gt;",
        "not told yet",
        "docvqa by 1.75",
        "beyond noise",
    ] {
        assert!(page.contains(text), "{text}");
    }
    assert!(!page.contains("left-out") && !page.contains("<photo>") && !page.contains("NaN"));
    assert_eq!(page, atlas_html(&whole()));
}

#[test]
fn what_is_not_known_is_said_to_be_missing() {
    let analysis = Analysis {
        benchmarks: Vec::new(),
        effects: Vec::new(),
        interactions: Vec::new(),
        scores: vec![None; 4],
        ..whole()
    };
    let page = atlas_html(&analysis);
    for text in [
        "What each benchmark pays",
        "Predicted against observed: there are too few runs",
        "Regret over runs: no run was told",
        "Main effects: nothing",
        "Interactions: nothing",
    ] {
        assert!(page.contains(text), "{text}");
    }
}
