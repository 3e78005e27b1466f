//! `madmix atlas status`: what was tried, what came of it, and what is pending. Changes nothing.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::opened;
use crate::atlas::study::Study;
use crate::atlas::{Outcome, Trial};
use crate::commands::{Ending, terminal};
use crate::config::Search;
use crate::printable::ascii_escaped;
use crate::report;

/// How many benchmarks have a column.
const COLUMNS: usize = 6;

#[derive(Args)]
pub(super) struct Arguments {
    /// The TOML file that describes the run.
    config: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A search as it stands.
struct Standing {
    trials: Vec<Trial>,
    scores: Vec<Option<f64>>,
}

impl Standing {
    fn count(&self, of: impl Fn(&Option<Outcome>) -> bool) -> usize {
        self.trials
            .iter()
            .filter(|trial| of(&trial.outcome))
            .count()
    }

    fn told(&self) -> usize {
        self.count(|outcome| matches!(outcome, Some(Outcome::Told(_))))
    }

    fn failed(&self) -> usize {
        self.count(|outcome| matches!(outcome, Some(Outcome::Failed(_))))
    }

    fn pending(&self) -> usize {
        self.count(Option::is_none)
    }

    /// The trial of the best score.
    fn best(&self) -> Option<(&Trial, f64)> {
        let scored = self.trials.iter().zip(&self.scores);
        let scored = scored.filter_map(|(trial, score)| Some((trial, (*score)?)));
        scored.max_by(|a, b| a.1.total_cmp(&b.1))
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<Ending> {
    let (study, settings) = opened(&arguments.config, Study::look)?;
    let trials = study.trials()?;
    let standing = Standing {
        scores: scores(&study, &trials)?,
        trials,
    };
    let text = if arguments.json {
        let json = json!({
            "trials": standing.trials,
            "scores": standing.scores,
            "told": standing.told(),
            "pending": standing.pending(),
            "failed": standing.failed(),
            "best": standing.best().map(|(trial, _)| trial.number),
        });
        ascii_escaped(&serde_json::to_string_pretty(&json)?) + "\n"
    } else {
        described(&study, &standing, &settings.search)
    };
    terminal::print(text)?;
    Ok(Ending::Done)
}

/// The scores of all trials that have what it takes; the others are named.
fn scores(study: &Study, trials: &[Trial]) -> Result<Vec<Option<f64>>> {
    let mut usable = trials.to_vec();
    let mut lacking = Vec::new();
    for trial in &mut usable {
        if let Err(problem) = study.check_told(trial) {
            trial.outcome = None;
            lacking.push(problem);
        }
    }
    if let Some(problem) = lacking.first() {
        tracing::warn!(
            "{} of the runs that are told cannot be compared: {problem}. `madmix atlas tell … --replace` takes what is missing",
            lacking.len()
        );
    }
    Ok(study.scores(&usable)?)
}

fn described(study: &Study, standing: &Standing, search: &Search) -> String {
    let mut text = String::new();
    if !standing.trials.is_empty() {
        text += &table(study, standing);
        text.push('\n');
    }
    let more = format!(
        "{} of {} runs told, {} failed, {} pending\n",
        standing.told(),
        search.runs,
        standing.failed(),
        standing.pending()
    );
    text.push_str(&more);
    if let Some((trial, score)) = standing.best() {
        let more = format!(
            "best so far: #{}, score {}\n",
            trial.number,
            shown(Some(score))
        );
        text.push_str(&more);
    }
    text
}

/// A number; no minus before what is shown as 0.
fn shown(value: Option<f64>) -> String {
    let Some(value) = value else {
        return "-".to_owned();
    };
    let text = format!("{value:.4}");
    if text == "-0.0000" {
        "0.0000".to_owned()
    } else {
        text
    }
}

fn table(study: &Study, standing: &Standing) -> String {
    let benchmarks: Vec<&str> = study
        .benchmarks()
        .iter()
        .take(COLUMNS)
        .map(|benchmark| benchmark.name.as_str())
        .collect();
    let mut header: Vec<String> = ["trial", "space", "by", "state"].map(String::from).to_vec();
    header.push("score".into());
    header.extend(benchmarks.iter().map(|name| report::shown(name)));
    let mut rows = vec![header];
    for (trial, score) in standing.trials.iter().zip(&standing.scores) {
        let state = match &trial.outcome {
            None => "pending".to_owned(),
            Some(Outcome::Told(_)) => "told".to_owned(),
            Some(Outcome::Failed(reason)) => report::shown(&format!("failed: {reason}")),
        };
        let mut row = vec![
            format!("#{}", trial.number),
            trial.space.clone(),
            trial.by.clone(),
            state,
        ];
        row.push(shown(*score));
        row.extend(benchmarks.iter().map(|&name| match &trial.outcome {
            Some(Outcome::Told(metrics)) => shown(metrics.get(name).copied()),
            _ => "-".to_owned(),
        }));
        rows.push(row);
    }
    report::align(&rows, 4)
}
