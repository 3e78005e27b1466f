//! Making the missing shards of a run, or of a rank's share of it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::Result;
use clap::Args;
use crossbeam_channel::bounded;
use rayon::prelude::*;

use super::aggregate::FAILURES;
use super::cached::Cached;
use super::placed;
use super::rounds::Rounds;
use super::session::Session;
use super::terminal;
use crate::extract::{
    self, DatasetPlan, DatasetWork, FailureLimit, Job, Outcome, Placed, Queue, ShardWork, Tally,
    Usage,
};
use crate::launch::Share;
use crate::store::{Shard, Store, StoreError};
use crate::vlm::profile::Profile;

/// Shards that may wait to be kept in the cache.
const MADE: usize = 4;

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
    store: &'a Store,
    /// The shards of this share, in the order in which they are made.
    mine: Vec<ShardWork>,
    stop: &'a AtomicBool,
    retry_failed: bool,
    cached: Cached,
    failures: FailureLimit,
    /// Loaded once there is something to make.
    models: Vec<Placed>,
    profile: Option<Arc<Profile>>,
    /// What the devices have room for; once the models are loaded.
    batch_tokens: usize,
    /// What each of the devices did.
    usage: Vec<Usage>,
    made_any: bool,
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
    let mut maker = Maker {
        session: &session,
        store: &store,
        mine: share_of_work(&session, share),
        stop,
        retry_failed: arguments.retry_failed,
        cached: Cached::new(&session.config),
        failures,
        models: Vec::new(),
        profile: arguments.profile.then(Arc::default),
        batch_tokens: 0,
        usage: Vec::new(),
        made_any: false,
    };
    let mut rounds = Rounds::new(&session.manifest, session.config.extract.stop_when);
    let made = maker.all(&mut rounds);
    if let Some(profile) = &maker.profile {
        tracing::info!("where the forward passes' time went:\n{}", profile.table());
    }
    for usage in &maker.usage {
        tracing::info!("{usage}");
    }
    // The list is wanted most when there were too many.
    let listed = maker.failures.write();
    if made? == Outcome::Interrupted {
        tracing::warn!(
            "interrupted; every finished shard is kept. To go on from there: madmix {command} {}",
            arguments.config.display()
        );
        return Ok(None);
    }
    listed?;
    if !maker.made_any {
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
        let run = self.session.run(self.store);
        for (number, part) in rounds.parts().into_iter().enumerate() {
            if number > 0 && self.stop.load(Ordering::Relaxed) {
                return Ok(Outcome::Interrupted);
            }
            let end = part.end;
            let missing = self.missing(part)?;
            if number == 0 {
                // Once it is known that the folder is of this run.
                crate::store::publish(
                    &config.output.join("config.toml"),
                    config.to_toml().as_bytes(),
                )?;
                manifest.publish(&config.output)?;
            }
            let missing = self.cached.take(
                self.store,
                missing,
                self.retry_failed,
                self.stop,
                &mut self.failures,
            )?;
            if self.make(missing)? == Outcome::Interrupted {
                return Ok(Outcome::Interrupted);
            }
            rounds.look(&run, end)?;
            if rounds.enough().is_some() {
                break;
            }
        }
        Ok(Outcome::Complete)
    }

    /// The shards of this share, among those of these rounds, that are not there; the failures of all that are there are
    /// added. A damaged shard is set aside first.
    fn missing(&mut self, rounds: Range<u32>) -> Result<Vec<ShardWork>> {
        let of = |dataset: &DatasetWork| rounds.start..rounds.end.min(dataset.shards());
        let mine: Vec<&ShardWork> = self
            .mine
            .iter()
            .filter(|shard| rounds.contains(&shard.index))
            .collect();
        if self.retry_failed {
            mine.par_iter()
                .try_for_each(|ShardWork { dataset, index }| {
                    self.store
                        .remove_failed(&dataset.key, &dataset.name, *index)
                })?;
        }
        let datasets: Vec<&DatasetWork> = self.session.datasets().collect();
        let looked_at = datasets
            .par_iter()
            .map(|dataset| self.store.missing(&dataset.key, &dataset.name, of(dataset)))
            .collect::<Vec<Result<_, StoreError>>>();
        let mut missing = BTreeSet::new();
        for (dataset, looked_at) in datasets.into_iter().zip(looked_at) {
            let looked_at = looked_at?;
            for damaged in &looked_at.set_aside {
                tracing::warn!("{damaged}");
            }
            self.failures.add(&dataset.name, &looked_at.failures);
            missing.extend(
                looked_at
                    .indices
                    .into_iter()
                    .map(|index| (&dataset.name, index)),
            );
        }
        let is_missing = |shard: &&ShardWork| missing.contains(&(&shard.dataset.name, shard.index));
        Ok(mine.into_iter().filter(is_missing).cloned().collect())
    }

    fn make(&mut self, missing: Vec<ShardWork>) -> Result<Outcome> {
        let Self {
            session,
            store,
            stop,
            cached,
            failures,
            models,
            profile,
            batch_tokens,
            usage,
            ..
        } = self;
        if missing.is_empty() {
            failures.check()?;
            return Ok(Outcome::Complete);
        }
        self.made_any = true;
        let Some(plans) = measure(&missing, session, stop) else {
            return Ok(Outcome::Interrupted);
        };
        // The signal may have been for ffprobe too, and what it then failed at is sound.
        if stop.load(Ordering::Relaxed) {
            return Ok(Outcome::Interrupted);
        }
        machine_is_sound(session)?;
        for (dataset, plan) in &plans {
            failures.add(dataset, &plan.failures);
        }
        failures.check()?;
        let total: Tally = plans.values().map(|plan| plan.tally).sum();
        if models.is_empty() {
            *models = placed::load(session, profile.as_ref())?;
            *batch_tokens = placed::budget(session, models)?;
        }
        let job = Job {
            layers: &session.config.extract.layers,
            scope: session.config.extract.text_scope,
            preparer: &session.preparer,
            batch_tokens: *batch_tokens,
            workers: session.workers,
            stop,
        };
        let folder = store.clone();
        let queue = Queue::new(missing, &plans).skipping(move |shard| {
            // Another process has made it meanwhile.
            folder.shard_path(&shard.dataset.name, shard.index).exists()
        });
        let bar = terminal::JobBar::new(total);
        let outcome = thread::scope(|scope| {
            // Keeping a shard reads its pictures again, for which no device should wait.
            let (made, to_keep) = bounded::<Shard>(MADE);
            scope.spawn(move || to_keep.iter().for_each(|shard| cached.keep(&shard)));
            extract::run(&job, models, queue, store, &bar, |shard| {
                // The other end outlives this one.
                let _ = made.send(shard.clone());
                failures.add(&shard.dataset, &shard.failures);
                failures.check()
            })
        });
        bar.finish();
        let (outcome, used) = outcome?;
        if usage.is_empty() {
            *usage = used;
        } else {
            usage
                .iter_mut()
                .zip(&used)
                .for_each(|(all, one)| *all += one);
        }
        Ok(outcome)
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

/// Refuses to go on where samples fail for want of a program: their shards would be missing them on every machine.
fn machine_is_sound(session: &Session) -> Result<()> {
    match session.preparer.machine_fault() {
        Some(fault) => Err(anyhow::anyhow!("{fault}")),
        None => Ok(()),
    }
}

/// Counts the tokens of all samples, with a bar; `None` if it was stopped.
fn measure(
    work: &[ShardWork],
    session: &Session,
    stop: &AtomicBool,
) -> Option<BTreeMap<String, DatasetPlan>> {
    let samples = work.iter().map(|shard| shard.samples().len() as u64).sum();
    let bar = terminal::bar("measuring samples", samples, false);
    let plans = extract::plan(work, &session.preparer, stop, &|| bar.inc(1));
    bar.finish_and_clear();
    plans
}
