//! `madmix extract`: the missing shards of this process's share, and the centroids once all are there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::Args;
use crossbeam_channel::bounded;
use rayon::prelude::*;

use super::aggregate::{FAILURES, aggregate};
use super::cached::Cached;
use super::session::Session;
use super::{Ending, stop, terminal};
use crate::extract::{
    self, DatasetPlan, DatasetWork, FailureLimit, Job, Outcome, Placed, Queue, ShardWork, Tally,
};
use crate::launch::{LaunchError, Share};
use crate::mix::Centroids;
use crate::store::{Shard, Store, StoreError};
use crate::vlm::{self, device::Opened};

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
}

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
        if aggregate(&session.config, &session.manifest, &store)?.is_none() {
            return Ok(Ending::Resumable);
        }
        tracing::info!("next: madmix solve {run}");
    } else {
        match missing_of_others(&session, &store) {
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

/// Makes all that is missing and writes the centroids; `None` if it was interrupted.
pub(super) fn whole(arguments: &Arguments) -> Result<Option<(Session, Centroids)>> {
    if let Ok(share) = share(None, None)
        && !share.is_whole()
    {
        tracing::warn!(
            "this is {share}, but `run` does all of the work in each; `madmix extract` divides it, and `madmix solve` \
             joins what comes of it"
        );
    }
    let stop = stop::on_signal().context("listening for signals")?;
    let Some((session, store)) = make(arguments, &Share::whole(), &stop, "run")? else {
        return Ok(None);
    };
    let centroids = aggregate(&session.config, &session.manifest, &store)?;
    Ok(centroids.map(|centroids| (session, centroids)))
}

/// Makes the missing shards of a share; `None` if it was interrupted. `command` is the subcommand that goes on from
/// there.
fn make(
    arguments: &Arguments,
    share: &Share,
    stop: &AtomicBool,
    command: &str,
) -> Result<Option<(Session, Store)>> {
    let session = Session::open(&arguments.config, share.local_rank)?;
    let folder = &session.config.output;
    let store = Store::open(folder)?;
    let list = folder.join(FAILURES);
    let samples = session
        .datasets()
        .map(|dataset| (dataset.name.clone(), dataset.order.len() as u64));
    // The list of a rank that does not see all of the work would pass for that of the run.
    let mut failures = FailureLimit::new(
        samples,
        session.config.extract.max_failure_rate,
        share.is_whole().then_some(list.as_path()),
    );
    let missing = missing_shards(
        &session,
        &store,
        share,
        arguments.retry_failed,
        &mut failures,
    )?;
    crate::store::publish(
        &folder.join("config.toml"),
        session.config.to_toml().as_bytes(),
    )?;
    session.manifest.publish(folder)?;
    let mut cached = Cached::new(&session.config);
    let retry = arguments.retry_failed;
    let missing = cached.take(&store, missing, retry, stop, &mut failures)?;
    if missing.is_empty() {
        let of = if share.is_whole() {
            ""
        } else {
            " of this share"
        };
        tracing::info!("every shard{of} is there already");
    }
    let outcome = make_shards(&session, &store, missing, stop, &mut cached, &mut failures);
    // The list is wanted most when there were too many.
    let listed = failures.write();
    if outcome? == Outcome::Interrupted {
        tracing::warn!(
            "interrupted; every finished shard is kept. To go on from there: madmix {command} {}",
            arguments.config.display()
        );
        return Ok(None);
    }
    listed?;
    Ok(Some((session, store)))
}

fn make_shards(
    session: &Session,
    store: &Store,
    missing: Vec<ShardWork>,
    stop: &AtomicBool,
    cached: &mut Cached,
    failures: &mut FailureLimit,
) -> Result<Outcome> {
    if missing.is_empty() {
        failures.check()?;
        return Ok(Outcome::Complete);
    }
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
    let started = Instant::now();
    let models = load(session)?;
    tracing::info!(
        "loading took {:.2} s, {:.2} s of it for the fingerprint",
        (started.elapsed() + session.opening).as_secs_f64(),
        session.opening.as_secs_f64()
    );
    let job = Job {
        layers: &session.config.extract.layers,
        scope: session.config.extract.text_scope,
        preparer: &session.preparer,
        batch_tokens: session.config.extract.batch_tokens,
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
    Ok(outcome?)
}

/// Loads the model onto all devices at once.
fn load(session: &Session) -> Result<Vec<Placed>> {
    let rule = session.config.model.mrope;
    let onto = |opened: &Opened| {
        let model = vlm::load(&session.checkpoint, session.dtype, &opened.device, rule)
            .with_context(|| format!("loading the model onto {}", opened.name))?;
        Ok(Placed {
            device: opened.name.clone(),
            model,
        })
    };
    session.devices.par_iter().map(onto).collect()
}

/// Refuses to go on where samples fail for want of a program: their shards would be missing them on every machine.
pub(super) fn machine_is_sound(session: &Session) -> Result<()> {
    match session.preparer.machine_fault() {
        Some(fault) => Err(anyhow::anyhow!("{fault}")),
        None => Ok(()),
    }
}

/// The shards of this share that are not there; the failures of all that are there are added. A damaged shard is set
/// aside first.
fn missing_shards(
    session: &Session,
    store: &Store,
    share: &Share,
    retry: bool,
    failures: &mut FailureLimit,
) -> Result<Vec<ShardWork>> {
    let all: Vec<ShardWork> = session
        .datasets()
        .flat_map(DatasetWork::all_shards)
        .collect();
    let mine = share.of(all.len() as u64);
    if retry {
        mine.par_iter().try_for_each(|&place| {
            let ShardWork { dataset, index } = &all[place as usize];
            store.remove_failed(&dataset.key, &dataset.name, *index)
        })?;
    }
    let datasets: Vec<&DatasetWork> = session.datasets().collect();
    let looked_at = datasets
        .par_iter()
        .map(|dataset| store.missing(&dataset.key, &dataset.name, dataset.shards()))
        .collect::<Vec<Result<_, StoreError>>>();
    let mut missing = BTreeSet::new();
    for (dataset, looked_at) in datasets.into_iter().zip(looked_at) {
        let looked_at = looked_at?;
        for damaged in &looked_at.set_aside {
            tracing::warn!("{damaged}");
        }
        failures.add(&dataset.name, &looked_at.failures);
        missing.extend(
            looked_at
                .indices
                .into_iter()
                .map(|index| (&dataset.name, index)),
        );
    }
    let is_missing = |shard: &&ShardWork| missing.contains(&(&shard.dataset.name, shard.index));
    let mine = mine.into_iter().map(|place| &all[place as usize]);
    Ok(mine.filter(is_missing).cloned().collect())
}

/// How many shards have not been published, by their names alone.
fn missing_of_others(session: &Session, store: &Store) -> usize {
    let missing = |dataset: &DatasetWork| {
        let absent = |index: &u32| !store.shard_path(&dataset.name, *index).exists();
        (0..dataset.shards()).filter(absent).count()
    };
    session.datasets().map(missing).sum()
}

/// Counts the tokens of all samples, with a bar; `None` if it was stopped.
pub(super) fn measure(
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
