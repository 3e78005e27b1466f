//! `madmix plan`: what a run would do, and what is wrong with the data. Reads every chosen sample and
//! the headers of its pictures, changes nothing.

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result};
use clap::Args;

use super::session::Session;
use super::{Ending, make};
use crate::extract::{DatasetWork, FailureLimit, ShardWork};
use crate::printable::printable;

/// How many failures of a dataset are shown.
const SHOWN: usize = 10;

#[derive(Args)]
pub(super) struct Arguments {
    /// The TOML file that describes the run.
    config: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<Ending> {
    let session = Session::open(&arguments.config, None)?;
    let work: Vec<ShardWork> = session
        .datasets()
        .flat_map(DatasetWork::all_shards)
        .collect();
    // Nothing is left behind, so a signal may simply end it.
    let Some(plans) = make::measure(&work, &session, &AtomicBool::new(false)) else {
        return Ok(Ending::Resumable);
    };
    let width = session
        .datasets()
        .map(|dataset| dataset.name.chars().count())
        .chain(["dataset".len()])
        .max()
        .unwrap_or(0);
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{:width$}  {:>10}  {:>8}  {:>12}  {:>12}  {:>12}  {:>8}  {:>7}",
        "dataset", "rows", "samples", "tokens", "of pictures", "of videos", "longest", "failed"
    )
    .context("writing to standard output")?;
    for dataset in session.datasets() {
        let plan = &plans[&dataset.name];
        writeln!(
            out,
            "{:width$}  {:>10}  {:>8}  {:>12}  {:>12}  {:>12}  {:>8}  {:>7}",
            dataset.name,
            dataset.dataset.len(),
            plan.tally.samples,
            plan.tally.tokens,
            plan.picture_tokens,
            plan.video_tokens,
            plan.longest,
            plan.tally.failures
        )
        .context("writing to standard output")?;
    }
    let rate = session.config.extract.max_failure_rate;
    let samples = |dataset: &DatasetWork| (dataset.name.clone(), dataset.order.len() as u64);
    let mut limit = FailureLimit::new(session.datasets().map(samples), rate, None);
    for (dataset, plan) in &plans {
        for failure in plan.failures.iter().take(SHOWN) {
            let (row, id, reason) = (
                failure.row,
                printable(&failure.id),
                printable(&failure.reason),
            );
            tracing::warn!("{dataset}, row {row} ({id}): {reason}");
        }
        if plan.failures.len() > SHOWN {
            let more = plan.failures.len() - SHOWN;
            tracing::warn!("{dataset}: and {more} more; `madmix run` lists all");
        }
        limit.add(dataset, &plan.failures);
    }
    make::machine_is_sound(&session)?;
    limit.check()?;
    Ok(Ending::Done)
}
