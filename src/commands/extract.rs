//! `madmix extract`: the missing shards, then the centroids.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::Args;
use rayon::prelude::*;

use super::session::Session;
use super::{Ending, stop, terminal};
use crate::config::Protocol;
use crate::extract::{
    self, DatasetPlan, FailureLimit, Job, Outcome, Placed, Queue, ShardWork, Tally,
};
use crate::mix::{self, Centroids, DatasetMean, DatasetSize, DomainMeans, Origin, Provenance};
use crate::store::Store;
use crate::vlm::{self, device::Opened};

#[derive(Args)]
pub(super) struct Arguments {
    /// The TOML file that describes the run.
    pub config: PathBuf,
    /// Make shards that hold failed samples again, after the data was mended.
    #[arg(long)]
    pub retry_failed: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Ending> {
    Ok(match extract(arguments, "extract")? {
        Some((session, _)) => {
            tracing::info!("next: madmix solve {}", session.config.output.display());
            Ending::Done
        }
        None => Ending::Interrupted,
    })
}

/// Makes what is missing and writes the centroids; `None` if it was interrupted. `command` is the subcommand
/// that goes on from there.
pub(super) fn extract(
    arguments: &Arguments,
    command: &str,
) -> Result<Option<(Session, Centroids)>> {
    let stop = stop::on_signal().context("listening for signals")?;
    let session = Session::open(&arguments.config)?;
    let folder = &session.config.output;
    let store = Store::open(folder)?;
    let mut failures = FailureLimit::new(
        session.datasets(),
        session.config.extract.max_failure_rate,
        Some(&folder.join("failures.jsonl")),
    );
    let missing = missing_shards(&session, &store, arguments.retry_failed, &mut failures)?;
    crate::store::publish(
        &folder.join("config.toml"),
        session.config.to_toml().as_bytes(),
    )?;
    let outcome = make_shards(&session, &store, missing, &stop, &mut failures);
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
    if failures.total() > 0 {
        tracing::warn!(
            "{} samples could not be used; they are listed in {}",
            failures.total(),
            folder.join("failures.jsonl").display()
        );
    }
    let centroids = aggregate(&session, &store)?;
    centroids.write(&folder.join("centroids.safetensors"))?;
    Ok(Some((session, centroids)))
}

fn make_shards(
    session: &Session,
    store: &Store,
    missing: Vec<ShardWork>,
    stop: &AtomicBool,
    failures: &mut FailureLimit,
) -> Result<Outcome> {
    if missing.is_empty() {
        failures.check()?;
        tracing::info!("every shard is there already");
        return Ok(Outcome::Complete);
    }
    let Some(plans) = measure(&missing, session, stop) else {
        return Ok(Outcome::Interrupted);
    };
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
    let queue = Queue::new(missing, &plans);
    let bar = terminal::JobBar::new(total);
    let outcome = extract::run(&job, models, queue, store, &bar, |shard| {
        failures.add(&shard.dataset, &shard.failures);
        failures.check()
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

/// The shards that are not there, dataset by dataset; the failures of those that are there are added. A
/// damaged shard is set aside first.
fn missing_shards(
    session: &Session,
    store: &Store,
    retry: bool,
    failures: &mut FailureLimit,
) -> Result<Vec<ShardWork>> {
    let mut work = Vec::new();
    for dataset in session.datasets() {
        if retry {
            store.remove_failed(&dataset.key, &dataset.name, dataset.shards())?;
        }
        let missing = store.missing(&dataset.key, &dataset.name, dataset.shards())?;
        for damaged in &missing.set_aside {
            tracing::warn!("{damaged}");
        }
        failures.add(&dataset.name, &missing.failures);
        work.extend(missing.indices.iter().map(|&index| ShardWork {
            dataset: dataset.clone(),
            index,
        }));
    }
    Ok(work)
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

/// Averages the shards into one vector per domain and modality.
fn aggregate(session: &Session, store: &Store) -> Result<Centroids> {
    let layer = session.config.mix_layer().to_string();
    let mut domains = Vec::new();
    let mut samples = 0;
    for (domain, works) in session.config.domains.iter().zip(&session.domains) {
        let mut datasets = Vec::new();
        for work in works {
            let mut mean = DatasetMean::new(&work.name, work.dataset.len());
            if session.config.extract.protocol == Protocol::Separate {
                mean = mean.without_fused();
            }
            for index in 0..work.shards() {
                mean.add(&store.load(&work.key, &work.name, index)?, &layer)?;
            }
            samples += mean.samples();
            datasets.push(mean);
        }
        let (name, human) = (domain.name.clone(), domain.human);
        domains.push(DomainMeans {
            name,
            human,
            datasets,
        });
    }
    let provenance = Provenance {
        checkpoint: session.checkpoint.name.clone(),
        fingerprint: session.fingerprint.clone(),
        samples,
        madmix: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let sizes = |domain: &DomainMeans| {
        let size = |mean: &DatasetMean| DatasetSize {
            name: mean.name().to_owned(),
            size: mean.size(),
        };
        domain.datasets.iter().map(size).collect()
    };
    let datasets = domains.iter().map(sizes).collect();
    let centroids = mix::centroids(&domains, session.config.mix.aggregation)?;
    Ok(centroids.with_origin(Origin {
        datasets,
        provenance,
    }))
}
