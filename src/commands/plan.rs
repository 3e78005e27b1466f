//! `madmix plan`: what a run would do, and what is wrong with the data. Reads every chosen sample and
//! the headers of its pictures, changes nothing.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;

use super::session::Session;
use super::{Ending, extract};
use crate::extract::{FailureLimit, ShardWork};

#[derive(Args)]
pub(super) struct Arguments {
    /// The TOML file that describes the run.
    config: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<Ending> {
    let session = Session::open(&arguments.config)?;
    let work: Vec<ShardWork> = session
        .datasets()
        .flat_map(|dataset| {
            (0..dataset.shards()).map(|index| ShardWork {
                dataset: dataset.clone(),
                index,
            })
        })
        .collect();
    let plans = extract::measure(&work, &session);
    let width = session
        .datasets()
        .map(|dataset| dataset.name.chars().count())
        .max()
        .unwrap_or(0);
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{:width$}  {:>10}  {:>8}  {:>12}  {:>12}  {:>8}  {:>7}",
        "dataset", "rows", "samples", "tokens", "of pictures", "longest", "failed"
    )
    .context("writing to standard output")?;
    for dataset in session.datasets() {
        let plan = &plans[&dataset.name];
        writeln!(
            out,
            "{:width$}  {:>10}  {:>8}  {:>12}  {:>12}  {:>8}  {:>7}",
            dataset.name,
            dataset.dataset.len(),
            plan.tally.samples,
            plan.tally.tokens,
            plan.picture_tokens,
            plan.longest,
            plan.tally.failures
        )
        .context("writing to standard output")?;
    }
    let config = &session.config;
    let list = config.output.join("failures.jsonl");
    let mut limit = FailureLimit::new(session.datasets(), config.extract.max_failure_rate, &list);
    for (dataset, plan) in &plans {
        for failure in &plan.failures {
            let (row, id, reason) = (failure.row, &failure.id, &failure.reason);
            tracing::warn!("{dataset}, row {row} ({id}): {reason}");
        }
        limit.add(dataset, &plan.failures)?;
    }
    Ok(Ending::Done)
}
