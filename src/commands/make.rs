//! Making the missing shards of a run, or of a rank's share of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use clap::Args;

use super::aggregate::FAILURES;
use super::cached::Cached;
use super::placed;
use super::rounds::Rounds;
use super::session::Session;
use super::shards::{Loaded, Shards};
use crate::extract::{DatasetWork, FailureLimit, Outcome, ShardWork};
use crate::launch::Share;
use crate::store::Store;
use crate::vlm::profile::Profile;

/// What `run` and `extract` have in common.
#[derive(Args)]
pub(super) struct Arguments {
    /// The TOML file that describes the run.
    pub config: PathBuf,
    /// Make shards that hold failed samples again, after the data was mended.
    #[arg(long)]
    pub retry_failed: bool,
    /// Say at the end where the time of the forward passes went. Slows the run: devices wait between sections.
    #[arg(long)]
    pub profile: bool,
}

/// What making shards needs from one round to the next.
struct Maker<'a> {
    session: &'a Session,
    /// The shards of this share, in the order in which they are made.
    mine: Vec<ShardWork>,
    shards: Shards<'a>,
    /// Loaded once there is something to make.
    loaded: Loaded,
    profile: Option<Arc<Profile>>,
}

/// Makes the missing shards of a share; `None` if it was interrupted. `command` is the subcommand that goes on from
/// there.
pub(super) fn make(
    arguments: &Arguments,
    share: &Share,
    stop: &AtomicBool,
    command: &str,
) -> Result<Option<(Session, Store)>> {
    let mut session = Session::open(&arguments.config, share.local_rank)?;
    let store = Store::open(&session.config.output)?;
    let list = session.config.output.join(FAILURES);
    let samples = session
        .datasets()
        .map(|dataset| (dataset.name.clone(), dataset.order.len() as u64));
    // The list of a rank that does not see all of the work would pass for that of the run.
    let failures = FailureLimit::new(
        samples,
        session.config.extract.max_failure_rate,
        share.is_whole().then_some(list.as_path()),
    );
    let extract = &session.config.extract;
    let mut maker = Maker {
        session: &session,
        mine: share_of_work(&session, share),
        shards: Shards {
            store: &store,
            preparer: &session.preparer,
            workers: session.workers,
            layers: &extract.layers,
            scope: extract.text_scope,
            stop,
            retry_failed: arguments.retry_failed,
            cached: Cached::new(&session.config),
            failures,
            usage: Vec::new(),
            made_any: false,
        },
        loaded: Loaded::default(),
        profile: arguments.profile.then(Arc::default),
    };
    let mut rounds = Rounds::new(&session.manifest, session.config.extract.stop_when);
    let made = maker.all(&mut rounds);
    if let Some(profile) = &maker.profile {
        tracing::info!("where the forward passes' time went:\n{}", profile.table());
    }
    for usage in &maker.shards.usage {
        tracing::info!("{usage}");
    }
    // The list is wanted most when there were too many.
    let listed = maker.shards.failures.write();
    if made? == Outcome::Interrupted {
        tracing::warn!(
            "interrupted; every finished shard is kept. To go on from there: madmix {command} {}",
            arguments.config.display()
        );
        return Ok(None);
    }
    listed?;
    if !maker.shards.made_any {
        let of = if share.is_whole() {
            ""
        } else {
            " of this share"
        };
        tracing::info!("every shard{of} is there already");
    }
    if rounds.enough().is_some() {
        session.manifest.enough = rounds.enough();
        session.manifest.publish(&session.config.output)?;
    }
    Ok(Some((session, store)))
}

impl Maker<'_> {
    /// Makes all rounds, or as many as are enough.
    fn all(&mut self, rounds: &mut Rounds) -> Result<Outcome> {
        let Session {
            config, manifest, ..
        } = self.session;
        let run = self.session.run(self.shards.store);
        let datasets: Vec<&DatasetWork> = self.session.datasets().collect();
        for (number, part) in rounds.parts().into_iter().enumerate() {
            if number > 0 && self.shards.stop.load(Ordering::Relaxed) {
                return Ok(Outcome::Interrupted);
            }
            let end = part.end;
            let missing = self.shards.missing(&datasets, &self.mine, part)?;
            if number == 0 {
                // Once it is known that the folder is of this run.
                crate::store::publish(
                    &config.output.join("config.toml"),
                    config.to_toml().as_bytes(),
                )?;
                manifest.publish(&config.output)?;
            }
            let missing = self.shards.without_cached(missing)?;
            let load = || {
                let mut models = placed::load(self.session, self.profile.as_ref())?;
                let batch_tokens = placed::budget(config.extract.batch_tokens, &mut models)?;
                Ok(Loaded {
                    models,
                    batch_tokens,
                })
            };
            if self.shards.make(missing, &mut self.loaded, load)? == Outcome::Interrupted {
                return Ok(Outcome::Interrupted);
            }
            rounds.look(&run, end)?;
            if rounds.enough().is_some() {
                break;
            }
        }
        Ok(Outcome::Complete)
    }
}

/// A share of all shards of a run.
fn share_of_work(session: &Session, share: &Share) -> Vec<ShardWork> {
    let mut all: Vec<ShardWork> = session
        .datasets()
        .flat_map(DatasetWork::all_shards)
        .collect();
    if session.config.extract.stop_when.is_some() {
        // Round by round, so that every rank has its part of each.
        all.sort_by_key(|shard| shard.index);
    }
    let mine = share.of(all.len() as u64).into_iter();
    mine.map(|place| all[place as usize].clone()).collect()
}
