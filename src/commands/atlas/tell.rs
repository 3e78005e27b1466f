//! `madmix atlas tell`: what came of a trial, or of a run that was made elsewhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::Value;

use super::study;
use crate::atlas::Outcome;
use crate::atlas::proxy::command::metrics;
use crate::atlas::study::Study;
use crate::commands::{Ending, Usage, terminal, usage};
use crate::store::read_regular;

/// A mixture of a hundred thousand cells has less.
const MAX_BYTES: u64 = 64 << 20;

#[derive(Args)]
pub(super) struct Arguments {
    /// The TOML file that describes the run.
    config: PathBuf,
    /// The number of a trial, and metrics as NAME=VALUE.
    #[arg(value_name = "TRIAL | NAME=VALUE")]
    what: Vec<String>,
    /// A file of metrics: JSON, or CSV.
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,
    /// Why the run has no result.
    #[arg(long, value_name = "REASON", conflicts_with_all = ["metrics", "mixture"])]
    failed: Option<String>,
    /// The mixture of a run that was made elsewhere, in place of a trial: a mixture.json of the cells, or JSON with a share
    /// for each cell by its name.
    #[arg(long, value_name = "FILE")]
    mixture: Option<PathBuf>,
    /// Put it in place of what was told before, which is kept beside it.
    #[arg(long, conflicts_with = "mixture")]
    replace: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Ending> {
    let (study, _) = study(&arguments.config)?;
    let (values, numbers): (Vec<&String>, Vec<&String>) =
        arguments.what.iter().partition(|word| word.contains('='));
    let outcome = outcome(arguments, &study, &values)?;
    if let Some(path) = &arguments.mixture {
        if !numbers.is_empty() {
            return Err(usage(
                "a trial has its mixture: leave out either its number or --mixture",
            ));
        }
        let weights = weights(path, &study)?;
        let trial = study
            .tell_run(&weights, &outcome)
            .with_context(|| path.display().to_string())?;
        tracing::info!("it is trial {}", trial.number);
        return Ok(Ending::Done);
    }
    let [number] = numbers[..] else {
        return Err(usage(
            "name one trial by its number, or a run made elsewhere by --mixture FILE",
        ));
    };
    let number = number.parse().with_context(|| {
        Usage(format!(
            "`{number}` is neither the number of a trial nor NAME=VALUE"
        ))
    })?;
    if arguments.replace {
        study.tell_instead(number, &outcome)?;
    } else {
        study.tell(number, &outcome)?;
    }
    let pending = study
        .trials()?
        .iter()
        .filter(|trial| trial.outcome.is_none())
        .count();
    terminal::print(format!("trial {number} is told; {pending} pending\n"))?;
    Ok(Ending::Done)
}

fn outcome(arguments: &Arguments, study: &Study, values: &[&String]) -> Result<Outcome> {
    if let Some(reason) = &arguments.failed {
        if !values.is_empty() {
            return Err(usage("a run that failed has no metrics"));
        }
        return Ok(Outcome::Failed(reason.clone()));
    }
    if arguments.metrics.is_none() && values.is_empty() {
        return Err(usage(
            "say what came of it: --metrics FILE, NAME=VALUE, or --failed REASON",
        ));
    }
    let mut given = BTreeMap::new();
    for value in values {
        // A name may hold a =, and a number does not.
        let (name, text) = value.rsplit_once('=').unwrap_or((value.as_str(), ""));
        let number: f64 = text
            .trim()
            .parse()
            .with_context(|| Usage(format!("metric `{name}`: `{text}` is no number")))?;
        given.insert(name.trim().to_owned(), number);
    }
    let mut found = BTreeMap::new();
    if let Some(path) = &arguments.metrics {
        if !path.exists() {
            return Err(usage(format!("there is no {}", path.display())));
        }
        let benchmarks = study.benchmarks().iter();
        let names = benchmarks.map(|benchmark| benchmark.name.as_str());
        // What is given as NAME=VALUE need not be in the file.
        let read = metrics::read(path, names.filter(|name| !given.contains_key(*name)));
        found = read.map_err(usage)?;
    }
    found.extend(given);
    Ok(Outcome::Told(found))
}

/// The shares of the cells in a file, in the order of the grid.
fn weights(path: &Path, study: &Study) -> Result<Vec<f64>> {
    let no_mixture = || {
        Usage(format!(
            "{} is no mixture: a mixture.json, or JSON such as {{\"chart × ocr\": 0.5, …}}",
            path.display()
        ))
    };
    let bytes = read_regular(path, MAX_BYTES)?.with_context(no_mixture)?;
    let value: Value = serde_json::from_slice(&bytes).with_context(no_mixture)?;
    let mut shares: Vec<(&str, f64)> = Vec::new();
    match value.get("domains").and_then(Value::as_array) {
        Some(domains) => {
            for domain in domains {
                let name = domain.get("name").and_then(Value::as_str);
                let weight = domain.get("weight").and_then(Value::as_f64);
                shares.push(name.zip(weight).with_context(no_mixture)?);
            }
        }
        None => {
            for (name, share) in value.as_object().with_context(no_mixture)? {
                let share = share.as_f64();
                let share = share.with_context(|| {
                    Usage(format!(
                        "{}: the share of \"{name}\" is no number",
                        path.display()
                    ))
                })?;
                shares.push((name, share));
            }
        }
    }
    study
        .in_order(shares)
        .with_context(|| path.display().to_string())
}
