//! `madmix atlas`: one file per subcommand, and what they share.

mod best;
pub(super) mod embed;
mod label;
mod propose;
mod replay;
mod run;
mod status;
mod tell;

use std::path::Path;

use anyhow::{Context as _, Result};
use clap::Subcommand;

use super::{Ending, ground};
use crate::atlas::study::{Study, StudyError};
use crate::atlas::{Grid, StoredGrid};
use crate::config::{Atlas, Config};

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Put every sample into a cell: what its pictures show, and which task its conversation sets.
    Label(label::Arguments),
    /// Do all of it: label where there are no labels, try mixtures until there are enough runs, and say which is best.
    Run(run::Arguments),
    /// Say which mixtures of the cells to try next, and write them down.
    Propose(propose::Arguments),
    /// Say what came of a trial, or of a run that was made elsewhere.
    Tell(tell::Arguments),
    /// List the trials, with what came of them.
    Status(status::Arguments),
    /// Say which mixture is thought best, how sure that is, and what each benchmark pays for it.
    Best(best::Arguments),
    /// Search over a table of finished runs, and say how many were needed to find a good one.
    Replay(replay::Arguments),
}

pub(super) fn run(arguments: &Arguments) -> Result<Ending> {
    match &arguments.command {
        Command::Label(arguments) => label::run(arguments),
        Command::Run(arguments) => run::run(arguments),
        Command::Propose(arguments) => propose::run(arguments),
        Command::Tell(arguments) => tell::run(arguments),
        Command::Status(arguments) => status::run(arguments),
        Command::Best(arguments) => best::run(arguments),
        Command::Replay(arguments) => replay::run(arguments),
    }
}

/// The grid of a config, if it was labelled.
fn stored_grid(config: &Config) -> Result<Option<StoredGrid>> {
    let stored = StoredGrid::find(&config.output)?;
    if let Some(stored) = &stored {
        stored.check_config(config)?;
    }
    Ok(stored)
}

/// The search of a config that was labelled, and its settings.
fn study(path: &Path) -> Result<(Study, Atlas)> {
    opened(path, Study::open)
}

fn opened(
    path: &Path,
    open: impl Fn(&Config, &Grid) -> Result<Study, StudyError>,
) -> Result<(Study, Atlas)> {
    let config = ground::plain_config(path)?;
    let missing = || {
        format!(
            "nothing is labelled yet: run `madmix atlas label {}` first",
            path.display()
        )
    };
    let stored = stored_grid(&config)?.with_context(missing)?;
    let study = open(&config, &stored.grid)?;
    Ok((study, config.atlas.unwrap_or_default()))
}
