//! `madmix compare`: how far two mixtures are apart, and how much of that is noise.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::solved::Found;
use super::{Ending, terminal};
use crate::mix::{Comparison, Replicates};
use crate::report;

#[derive(Args)]
pub(super) struct Arguments {
    /// The folder of a run, or a mixture.json.
    first: PathBuf,
    /// The folder or mixture.json to compare it with.
    second: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Ending> {
    let first = Found::read(&arguments.first)?;
    let second = Found::read(&arguments.second)?;
    let replicates = replicates(&first, &second)?;
    let pair = replicates.as_ref().map(|(a, b)| (a, b));
    let comparison = Comparison::new(&first.mixture, &second.mixture, pair)?;
    terminal::print(if arguments.json {
        serde_json::to_string_pretty(&comparison)? + "\n"
    } else {
        report::comparison_text(&comparison)
    })?;
    Ok(Ending::Done)
}

/// The replicates of both, drawn by one seed: rows that both have are then drawn alike.
fn replicates(first: &Found, second: &Found) -> Result<Option<(Replicates, Replicates)>> {
    let (Some(a), Some(b)) = (first.means()?, second.means()?) else {
        return Ok(None);
    };
    let seed = first.run().map_or(0, |run| run.config.extract.seed);
    let a = first.replicates(&a, seed)?;
    let b = second.replicates(&b, seed)?;
    Ok(a.zip(b))
}
