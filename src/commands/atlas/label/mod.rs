//! `madmix atlas label`: every sample of a config's datasets into a cell of concept × task.
//!
//! All rows are read once for their tasks and sizes, their pictures embedded (in shards that stay), the embeddings
//! clustered and the clusters named. Then the labels of each dataset are written, and last the grid, which says that all
//! the rest is there.
//!
//! Changes of rows and of the config are seen; pictures that are replaced in place are not, as nothing of a picture but its
//! name is known without reading it. After that the folders `atlas/embeddings` and `atlas/labels` are to be
//! deleted.

mod concepts;
mod read;
mod sheet;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::json;

use self::read::{Opened, Read};
use super::embed::{Embeddings, Wanted};
use crate::atlas::embed::Embedded;
use crate::atlas::label::kmeans::Vectors;
use crate::atlas::label::tasks::Rules;
use crate::atlas::label::{
    self, Concepts, Findings, Labelled, Meaning, Merged, Summary, labels_path,
};
use crate::atlas::lock::Lock;
use crate::atlas::{GridError, StoredGrid};
use crate::commands::aggregate::FAILURES;
use crate::commands::ground::{self, FileBars, Ground, in_config};
use crate::commands::{Ending, stop, terminal};
use crate::config::{Atlas, Config};
use crate::dataset::{self, Dataset};
use crate::extract::{self, ExtractError, FailureLimit, Preparer, check_faults, warn_of_faults};
use crate::report::{concepts_html, labels_text};
use crate::store::publish;

/// Goes up when other labels come of the same data and settings.
const VERSION: u32 = 2;
/// Between two looks whether another process is done.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Args)]
pub(super) struct Arguments {
    /// The TOML file that describes the run.
    config: PathBuf,
    /// Embed the samples again that could not be, after the data was mended.
    #[arg(long)]
    retry_failed: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What labels are made from.
struct Labeller<'a> {
    config: &'a Config,
    atlas: &'a Atlas,
    opened: &'a [Opened],
    preparer: &'a Preparer,
    words: &'a [String],
    rules: &'a Rules,
    /// Of all of this, and of what embeds pictures.
    fingerprint: &'a str,
    settings: &'a str,
    stop: &'a AtomicBool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Ending> {
    let stop = stop::on_signal().context("listening for signals")?;
    let Some(summary) = labels(&arguments.config, arguments.retry_failed, &stop)? else {
        tracing::warn!(
            "interrupted; embeddings that are done are kept. To go on from there: madmix atlas label {}",
            arguments.config.display()
        );
        return Ok(Ending::Resumable);
    };
    show(&summary, arguments.json)?;
    Ok(Ending::Done)
}

/// Labels everything, or finds that nothing has changed; `None` when interrupted.
pub(super) fn labels(
    path: &Path,
    retry_failed: bool,
    stop: &AtomicBool,
) -> Result<Option<Summary>> {
    let config = ground::plain_config(path)?;
    let bars = Arc::new(FileBars::default());
    let ground = Ground::open(config, path, &bars)?;
    let checkpoint = ground.checkpoint.fingerprint(&bars.listener())?;
    bars.clear();
    let config = &ground.config;
    let atlas = config.atlas.clone().unwrap_or_default();
    let words = concepts::words(atlas.concepts.words.as_deref())
        .map_err(|error| in_config(path, format!("{error:#}")))?;
    let rules = Rules::new(&atlas.tasks).map_err(|error| in_config(path, error.to_string()))?;
    let Some(_lock) = lock(&config.output, stop)? else {
        return Ok(None);
    };
    let opened = open(&ground)?;
    let mut embeddings = Embeddings::open(config, path)?;
    let settings = json!({
        "version": VERSION,
        "concepts": atlas.concepts,
        "words": words,
        "tasks": atlas.tasks,
        "min_cell": atlas.min_cell,
        "seed": atlas.seed,
        "embeddings": embeddings.fingerprint(),
        "checkpoint": checkpoint,
        "extraction": extract::settings(
            config,
            candle_core::DType::F32,
            ground.orientation,
            ground.sampling
        )
        .fingerprint(),
        "max_tokens": config.extract.max_tokens,
    })
    .to_string();
    let fingerprint = fingerprint(&settings, config, &opened);
    if !retry_failed && let Some((mut summary, stored)) = unchanged(config, &fingerprint, &opened) {
        tracing::info!("nothing has changed: the labels are those of this data and these settings");
        if stored.check_config(config).is_err() {
            // What comes of it is the same, as when data were moved.
            StoredGrid::new(stored.grid, fingerprint)
                .of_config(config)
                .publish(&config.output)?;
        }
        summary.set_budget(atlas.search.budget);
        return Ok(Some(summary));
    }
    let preparer = ground.preparer()?;
    let labeller = Labeller {
        config,
        atlas: &atlas,
        opened: &opened,
        preparer: &preparer,
        words: &words,
        rules: &rules,
        fingerprint: &fingerprint,
        settings: &settings,
        stop,
    };
    labeller.label(&mut embeddings, retry_failed)
}

impl Labeller<'_> {
    /// Labels everything; `None` when interrupted.
    fn label(&self, embeddings: &mut Embeddings, retry: bool) -> Result<Option<Summary>> {
        let Some(mut read) = read::read(self.opened, self.preparer, self.rules, self.stop) else {
            return Ok(None);
        };
        if let Some(fault) = self.preparer.machine_fault() {
            return Err(ExtractError::Machine(fault.to_owned()).into());
        }
        let mut failures = self.failures();
        for one in &mut read {
            failures.add(&one.labels.dataset, &std::mem::take(&mut one.failures));
        }
        // Before hours of embedding.
        within(&failures)?;
        let wanted: Vec<Wanted> = self.opened.iter().zip(&read).map(wanted).collect();
        embeddings.set_others_aside(&wanted)?;
        let Some(mut embedded) = embeddings.embed(&wanted, retry, self.stop)? else {
            return Ok(None);
        };
        drop(wanted);
        for (one, embedded) in read.iter().zip(&embedded) {
            failures.add(&one.labels.dataset, &embedded.failures);
        }
        within(&failures)?;
        let Some(found) = concepts::cluster(&mut embedded, self.atlas, self.stop)? else {
            return Ok(None);
        };
        self.write(embeddings, read, &embedded, &found, failures.total())
            .map(Some)
    }

    fn write(
        &self,
        embeddings: &Embeddings,
        read: Vec<Read>,
        embedded: &[Embedded],
        found: &concepts::Found,
        failed: u64,
    ) -> Result<Summary> {
        let clustering = &found.clustering;
        let labelled = concepts::labelled(read, embedded, clustering);
        let (names, named_by) = concepts::named(
            embeddings,
            self.words,
            clustering,
            self.opened,
            &labelled,
            self.atlas.seed,
        )?;
        let concepts = Concepts {
            names: &names,
            centres: Vectors::new(&clustering.centres, clustering.width),
        };
        let rules = self.rules.all();
        let mut merged = label::merge(&labelled, concepts, rules, self.atlas.min_cell);
        self.set_today(&mut merged, &labelled);
        let summary = Summary::new(&Findings {
            fingerprint: self.fingerprint,
            labelled: &labelled,
            failed,
            named_by,
            stability: &found.stability,
            concepts: &names,
            rules,
            merged: &merged,
            budget: self.atlas.search.budget,
        });
        let meaning = Meaning {
            concepts: &names,
            rules,
            merged: &merged,
        };
        let output = &self.config.output;
        let unsound = |reason| GridError::Unusable {
            path: StoredGrid::path(output),
            reason,
        };
        merged.grid.check().map_err(unsound)?;
        // The old one says nothing of new labels, should this be cut off among them.
        match fs_err::remove_file(StoredGrid::path(output)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        for labels in &labelled {
            let path = labels_path(output, &labels.dataset);
            label::write(&path, labels, meaning, self.settings)?;
        }
        let clusters = clustering.clusters();
        let nearest = sheet::nearest(self.opened, &labelled, &names, clusters, self.preparer);
        let page = concepts_html(&summary, &nearest);
        publish(&output.join("atlas/concepts.html"), page.as_bytes())?;
        publish(&Summary::path(output), &summary.to_bytes()?)?;
        StoredGrid::new(merged.grid, self.fingerprint.to_owned())
            .of_config(self.config)
            .publish(output)?;
        tracing::info!("labels and grid are in {}", output.join("atlas").display());
        Ok(summary)
    }

    fn failures(&self) -> FailureLimit {
        let samples = self
            .opened
            .iter()
            .map(|one| (one.name.clone(), one.dataset.len()));
        let list = self.config.output.join("atlas").join(FAILURES);
        FailureLimit::new(samples, self.config.extract.max_failure_rate, Some(&list))
    }

    /// Today's shares: those of the domains, divided by samples, where all have one, and else all by samples.
    fn set_today(&self, merged: &mut Merged, labelled: &[Labelled]) {
        let domains = &self.config.domains;
        let human: Option<Vec<f64>> = domains.iter().map(|domain| domain.human).collect();
        let mut sizes = vec![0_u64; domains.len()];
        for (opened, labels) in self.opened.iter().zip(labelled) {
            sizes[opened.domain] += labels.len() as u64;
        }
        let share = |name: &str| {
            let mut both = self.opened.iter().zip(labelled);
            let found = both.find(|(opened, _)| opened.name == name);
            let (Some((opened, labels)), Some(human)) = (found, &human) else {
                return 0.0;
            };
            human[opened.domain] * labels.len() as f64 / sizes[opened.domain].max(1) as f64
        };
        merged.grid.set_today(share);
    }
}

/// Waits for other processes that label the same run, whose files would mix with those of this one; `None` when `stop`
/// was set meanwhile.
fn lock(output: &Path, stop: &AtomicBool) -> Result<Option<Lock>> {
    let folder = output.join("atlas");
    fs_err::create_dir_all(&folder)?;
    let path = folder.join("label.lock");
    let mut said = false;
    while !stop.load(Ordering::Relaxed) {
        if let Some(lock) = Lock::take(&path)? {
            return Ok(Some(lock));
        }
        if !said {
            tracing::info!("another process labels this run; waiting until it is done");
            said = true;
        }
        std::thread::sleep(PAUSE);
    }
    Ok(None)
}

/// Writes the list of failures and holds it against the limit.
fn within(failures: &FailureLimit) -> Result<()> {
    failures.write()?;
    failures.check()?;
    Ok(())
}

fn wanted((opened, read): (&Opened, &Read)) -> Wanted {
    Wanted {
        name: opened.name.clone(),
        dataset: Arc::clone(&opened.dataset),
        indices: read.pictured(),
    }
}

/// Opens all datasets, and refuses those of which too much is lost.
fn open(ground: &Ground) -> Result<Vec<Opened>> {
    let domains = ground.open_datasets(|spec, progress| {
        let dataset = dataset::open_with(&spec.spec(), progress)?;
        Ok((spec.name.clone(), Arc::<dyn Dataset>::from(dataset)))
    })?;
    let opened: Vec<Opened> = domains
        .into_iter()
        .enumerate()
        .flat_map(|(domain, datasets)| {
            datasets.into_iter().map(move |(name, dataset)| Opened {
                name,
                domain,
                dataset,
            })
        })
        .collect();
    let all = || {
        opened
            .iter()
            .map(|one| (one.name.as_str(), one.dataset.as_ref()))
    };
    check_faults(all(), ground.config.extract.max_failure_rate)?;
    warn_of_faults(all());
    Ok(opened)
}

/// Of all that labels and grid are made from.
fn fingerprint(settings: &str, config: &Config, opened: &[Opened]) -> String {
    let datasets: Vec<_> = opened
        .iter()
        .map(|one| {
            let human = config.domains[one.domain].human;
            json!([one.name, one.dataset.fingerprint(), one.domain, human])
        })
        .collect();
    let text = json!([settings, datasets]).to_string();
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

/// What was found before, if it was found from the same and all of it is there.
fn unchanged(
    config: &Config,
    fingerprint: &str,
    opened: &[Opened],
) -> Option<(Summary, StoredGrid)> {
    let output = &config.output;
    let stored = StoredGrid::find(output).ok()??;
    let summary = Summary::find(output)?;
    let same = stored.fingerprint == fingerprint && summary.fingerprint == fingerprint;
    if !same || !output.join("atlas/concepts.html").is_file() {
        return None;
    }
    for Opened { name, dataset, .. } in opened {
        if let Err(error) = label::read(output, name, dataset.as_ref(), &stored.grid) {
            tracing::warn!("labels are made anew: {error}");
            return None;
        }
    }
    Some((summary, stored))
}

fn show(summary: &Summary, json: bool) -> Result<()> {
    if json {
        terminal::print(summary.to_bytes()?)
    } else {
        terminal::print(labels_text(summary))
    }
}
