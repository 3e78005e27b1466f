//! `madmix extract`: the missing shards of this process's share, and the centroids once all are there.

use anyhow::{Context as _, Result};
use clap::Args;

use super::make::{Arguments, make};
use super::session::Session;
use super::{Ending, stop};
use crate::launch::{LaunchError, Share};
use crate::store::Store;

#[derive(Args)]
pub(super) struct ShareArguments {
    #[command(flatten)]
    common: Arguments,
    /// Which of the ranks this process is, from 0; if not given, as srun, a Slurm array, torchrun or a Kubernetes
    /// Indexed Job says.
    #[arg(long, value_name = "R")]
    rank: Option<u64>,
    /// How many ranks share the work; each makes only its part of the missing shards.
    #[arg(long, value_name = "N")]
    ranks: Option<u64>,
}

pub(super) fn run(arguments: &ShareArguments) -> Result<Ending> {
    let share = share(arguments.rank, arguments.ranks)?;
    if share != Share::whole() {
        tracing::info!("{share}");
    }
    let stop = stop::on_signal().context("listening for signals")?;
    let Some((session, store)) = make(&arguments.common, &share, &stop, "extract")? else {
        return Ok(Ending::Resumable);
    };
    let run = session.config.output.display();
    if share.is_whole() {
        if session.run(&store).aggregate()?.is_none() {
            return Ok(Ending::Resumable);
        }
        tracing::info!("next: madmix solve {run}");
    } else {
        match session.run(&store).absent() {
            0 => tracing::info!(
                "this share is done, and so are the others; next: madmix solve {run}"
            ),
            others => tracing::info!(
                "this share is done; {others} shards of other ranks are not there yet. Once all are: madmix solve {run}"
            ),
        }
    }
    Ok(Ending::Done)
}

fn share(rank: Option<u64>, ranks: Option<u64>) -> Result<Share, LaunchError> {
    Share::find(rank, ranks, &|name: &str| std::env::var(name).ok())
}

/// Makes all that is missing; `None` if it was interrupted.
pub(super) fn whole(arguments: &Arguments) -> Result<Option<(Session, Store)>> {
    if let Ok(share) = share(None, None)
        && !share.is_whole()
    {
        tracing::warn!(
            "this is {share}, but `run` does all of the work in each; `madmix extract` divides it, and `madmix solve` \
             joins what comes of it"
        );
    }
    let stop = stop::on_signal().context("listening for signals")?;
    make(arguments, &Share::whole(), &stop, "run")
}
