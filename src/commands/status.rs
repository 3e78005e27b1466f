//! `madmix status`: what of a run is done, what is missing and what failed. Needs neither checkpoint nor data, and
//! changes nothing.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use rayon::prelude::*;
use serde::Serialize;

use super::aggregate::each_shard;
use super::{Ending, terminal};
use crate::report;
use crate::store::{Failures, Manifest, ManifestDataset, Store};

/// Tasks that the rest of a run is worth, if nobody says how many there can be.
const TASKS: u64 = 8;

#[derive(Args)]
pub(super) struct Arguments {
    /// The folder of a run.
    run: PathBuf,
    /// Print the missing work as a Slurm array, such as 0-7, with as many tasks as there are missing shards, at most
    /// RANKS; nothing when nothing is missing.
    #[arg(long, conflicts_with_all = ["json", "failures"])]
    array: bool,
    /// The most tasks of the array.
    #[arg(long, value_name = "RANKS", requires = "array", default_value_t = TASKS, value_parser = clap::value_parser!(u64).range(1..))]
    ranks: u64,
    /// Print JSON.
    #[arg(long, conflicts_with = "failures")]
    json: bool,
    /// Print the failed samples of the shards that are there, a JSON object per line.
    #[arg(long)]
    failures: bool,
}

/// What is there of a dataset.
#[derive(Serialize)]
struct State {
    dataset: String,
    samples: u64,
    shards: u32,
    done: u32,
    missing: u32,
    /// Those of the missing shards whose file is there and cannot be used.
    damaged: u32,
    failed: usize,
}

pub(super) fn run(arguments: &Arguments) -> Result<Ending> {
    let manifest = Manifest::read(&arguments.run)?;
    let store = Store::at(&arguments.run);
    let looked_at = manifest
        .datasets
        .par_iter()
        .map(|dataset| look(dataset, &manifest, &store))
        .collect::<Vec<_>>()
        .into_iter()
        .collect::<Result<Vec<_>>>()?;
    let (states, failures): (Vec<State>, Vec<Failures>) = looked_at.into_iter().unzip();
    let missing: u64 = states.iter().map(|state| u64::from(state.missing)).sum();
    let text = if arguments.array {
        array(missing, arguments.ranks)
    } else if arguments.json {
        serde_json::to_string_pretty(&states)? + "\n"
    } else if arguments.failures {
        failures.iter().map(Failures::to_jsonl).collect()
    } else {
        table(&states)
    };
    terminal::print(&text)?;
    if missing == 0 {
        return Ok(Ending::Done);
    }
    tracing::info!("{missing} of {} shards are missing", manifest.shards());
    Ok(Ending::Resumable)
}

fn look(
    dataset: &ManifestDataset,
    manifest: &Manifest,
    store: &Store,
) -> Result<(State, Failures)> {
    let mut state = State {
        dataset: dataset.name.clone(),
        samples: manifest.wanted_samples(dataset),
        shards: manifest.wanted(dataset),
        done: 0,
        missing: 0,
        damaged: 0,
        failed: 0,
    };
    let mut failures = Failures::default();
    let lacking = each_shard(dataset, manifest, store, |shard| {
        state.done += 1;
        state.failed += shard.failures.len();
        failures.add(&dataset.name, &shard.failures);
        Ok(())
    })?;
    (state.missing, state.damaged) = (lacking.missing, lacking.damaged);
    Ok((state, failures))
}

fn table(states: &[State]) -> String {
    let header = [
        "dataset",
        "samples",
        "shards",
        "done",
        "missing",
        "failed samples",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(states.iter().map(|state| {
        vec![
            report::shown(&state.dataset),
            state.samples.to_string(),
            state.shards.to_string(),
            state.done.to_string(),
            state.missing.to_string(),
            state.failed.to_string(),
        ]
    }));
    report::align(&rows, 1)
}

/// Task numbers from 0, without holes: every task then knows its share.
fn array(missing: u64, ranks: u64) -> String {
    match missing.min(ranks) {
        0 => String::new(),
        1 => "0\n".into(),
        tasks => format!("0-{}\n", tasks - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_has_no_more_tasks_than_there_is_work() {
        let printed = [(0, 8), (1, 8), (2, 8), (100, 8), (100, 1)]
            .map(|(missing, ranks)| array(missing, ranks));
        assert_eq!(printed, ["", "0\n", "0-1\n", "0-7\n", "0\n"]);
    }
}
