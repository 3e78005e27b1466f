//! `madmix atlas propose`: mixtures to try next.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::study;
use crate::atlas::Trial;
use crate::commands::{Ending, terminal};
use crate::printable::ascii_escaped;
use crate::report;

#[derive(Args)]
pub(super) struct Arguments {
    /// The TOML file that describes the run.
    config: PathBuf,
    /// How many; `batch` of the config if not given.
    #[arg(short, long = "number", value_name = "Q", value_parser = clap::value_parser!(u32).range(1..=1000))]
    number: Option<u32>,
    /// Print the trials as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Ending> {
    let (study, settings) = study(&arguments.config)?;
    let number = arguments.number.unwrap_or(settings.search.batch);
    let trials = study.propose(number as usize)?;
    if arguments.json {
        let json = serde_json::to_string_pretty(&trials)?;
        terminal::print(ascii_escaped(&json) + "\n")?;
        return Ok(Ending::Done);
    }
    terminal::print(table(&trials, study.spaces()[0].cells()))?;
    let folder = study.folder().root().join("trials");
    tracing::info!(
        "the mixtures are in {}; say what comes of each with `madmix atlas tell {} NUMBER --metrics FILE`",
        folder.display(),
        arguments.config.display()
    );
    Ok(Ending::Done)
}

/// A column for each trial, a line for each cell.
fn table(trials: &[Trial], cells: &[String]) -> String {
    let mut rows = vec![vec!["cell %".to_owned()], vec!["by".to_owned()]];
    rows[0].extend(trials.iter().map(|trial| format!("#{}", trial.number)));
    rows[1].extend(trials.iter().map(|trial| trial.by.clone()));
    for (i, cell) in cells.iter().enumerate() {
        let mut row = vec![report::shown(cell)];
        row.extend(
            trials
                .iter()
                .map(|trial| format!("{:.2}", 100.0 * trial.weights[i])),
        );
        rows.push(row);
    }
    report::align(&rows, 1)
}
