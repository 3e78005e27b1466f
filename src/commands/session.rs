//! What `run`, `extract` and `plan` begin with: the config, the checkpoint and the datasets.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Result;
use candle_core::DType;
use indicatif::ProgressBar;
use rayon::prelude::*;

use super::aggregate::Run;
use super::terminal;
use crate::checkpoint::{self, Checkpoint, Layout, OnProgress, OpenOptions, Step};
use crate::config::{self, Config, Dtype, Exif};
use crate::extract::{self, DatasetWork, ExtractError, Preparer, settings};
use crate::media::{Orientation, Sampling};
use crate::store::{Manifest, ManifestDataset, Settings, Store};
use crate::vlm::{self, ProcessorOptions, TextScope, device};

/// Everything that is known before the first sample is read.
pub(super) struct Session {
    pub config: Config,
    pub checkpoint: Checkpoint,
    /// All of one kind.
    pub devices: Vec<device::Opened>,
    pub dtype: DType,
    /// The datasets of each domain, in the order of the config.
    pub domains: Vec<Vec<DatasetWork>>,
    pub manifest: Manifest,
    pub preparer: Arc<Preparer>,
    pub workers: usize,
    /// How long opening and fingerprinting the checkpoint took.
    pub opening: Duration,
}

impl Session {
    /// Opens all that a config names; the devices for the rank that this is on its machine, if there are several.
    pub(super) fn open(path: &Path, local_rank: Option<usize>) -> Result<Self> {
        let config = Config::read(path)?;
        let in_config = |message: String| config::ConfigError::Value {
            path: path.to_owned(),
            message,
        };
        config.check_solvable().map_err(in_config)?;
        if config.output.exists() && !config.output.is_dir() {
            let message = format!(
                "output is {}, which is a file; name a folder",
                config.output.display()
            );
            return Err(in_config(message).into());
        }
        let devices = device::open_all(config.model.device.names(), local_rank)?;
        let dtype = device::dtype(
            match config.model.dtype {
                Dtype::Auto => None,
                Dtype::F32 => Some(DType::F32),
                Dtype::Bf16 => Some(DType::BF16),
            },
            &devices[0].device,
        )
        .map_err(|error| in_config(error.to_string()))?;
        let bars = Arc::new(FileBars::default());
        let on_progress: OnProgress = {
            let bars = Arc::clone(&bars);
            Arc::new(move |progress| bars.show(progress))
        };
        let options = OpenOptions {
            progress: Arc::clone(&on_progress),
            ..OpenOptions::from_env()
        };
        let base = path.parent().unwrap_or(Path::new("."));
        let started = Instant::now();
        let checkpoint = Checkpoint::open(&config.model.checkpoint, base, &options)?;
        for layer in &config.extract.layers {
            layer
                .index(checkpoint.family.language().num_hidden_layers)
                .map_err(|error| in_config(error.to_string()))?;
        }
        let fingerprint = checkpoint.fingerprint(&on_progress)?;
        bars.clear();
        let opening = started.elapsed();
        tracing::info!(
            "{} ({}), {} on {}",
            checkpoint.name,
            checkpoint.family,
            dtype.as_str(),
            described(&devices)
        );
        let orientation = match (config.model.exif, checkpoint.layout) {
            (Exif::Apply, _) | (Exif::Auto, Layout::HuggingFace) => Orientation::Apply,
            (Exif::Ignore, _) | (Exif::Auto, Layout::LlavaNext) => Orientation::Ignore,
        };
        let sampling = config.video.sampling(vlm::sampling(&checkpoint.family));
        let preparer = Preparer::new(&checkpoint, preparation(&config, orientation, sampling))
            .map_err(ExtractError::from)?;
        let settings = settings(&config, dtype, orientation, sampling);
        let domains = open_datasets(&config, &fingerprint, &settings)?;
        let manifest = manifest(&checkpoint.name, &fingerprint, &settings, &domains);
        let workers = match config.extract.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            workers => workers,
        };
        Ok(Self {
            config,
            checkpoint,
            devices,
            dtype,
            domains,
            manifest,
            preparer: Arc::new(preparer),
            workers,
            opening,
        })
    }

    /// The run that this is, in its folder.
    pub(super) fn run<'a>(&'a self, store: &'a Store) -> Run<'a> {
        Run {
            config: &self.config,
            manifest: &self.manifest,
            store,
        }
    }

    /// All datasets, in the order of the config.
    pub(super) fn datasets(&self) -> impl Iterator<Item = &DatasetWork> {
        self.domains.iter().flatten()
    }
}

fn described(devices: &[device::Opened]) -> String {
    match devices {
        [one] => one.description.clone(),
        several => {
            let each: Vec<&str> = several.iter().map(|one| one.description.as_str()).collect();
            format!("{} devices: {}", each.len(), each.join(", "))
        }
    }
}

/// How samples are prepared.
fn preparation(config: &Config, orientation: Orientation, sampling: Sampling) -> extract::Options {
    let (extract, media, video) = (&config.extract, &config.media, &config.video);
    let limits = media.limits();
    extract::Options {
        processor: ProcessorOptions {
            resampler: config.model.resampler.into(),
            pictures: media.bounds(),
            frames: video.bounds(),
        },
        orientation,
        limits,
        sampling,
        max_frames: video.max_frames,
        video: video.limits(limits),
        spans: extract.text_scope != TextScope::All,
        protocol: extract.protocol,
        max_tokens: extract.max_tokens,
        too_long: extract.too_long,
    }
}

fn manifest(
    checkpoint: &str,
    fingerprint: &str,
    settings: &Settings,
    domains: &[Vec<DatasetWork>],
) -> Manifest {
    let entry = |work: &DatasetWork| ManifestDataset {
        name: work.name.clone(),
        fingerprint: work.key.dataset.clone(),
        rows: work.dataset.len(),
        samples: work.order.len() as u64,
        shards: work.shards(),
    };
    Manifest {
        checkpoint: checkpoint.to_owned(),
        fingerprint: fingerprint.to_owned(),
        settings: settings.clone(),
        datasets: domains.iter().flatten().map(entry).collect(),
        enough: None,
    }
}

/// Opens all datasets, several at a time.
fn open_datasets(
    config: &Config,
    fingerprint: &str,
    settings: &Settings,
) -> Result<Vec<Vec<DatasetWork>>> {
    let count = config
        .domains
        .iter()
        .map(|domain| domain.datasets.len())
        .sum::<usize>();
    let bar = terminal::bar("opening datasets", count as u64, false);
    let open = |spec: &config::Dataset| {
        let work = DatasetWork::open(spec, &config.extract, fingerprint, settings, &|_, _| {
            bar.tick();
        });
        bar.inc(1);
        if let Ok(work) = &work {
            let (rows, samples) = (work.dataset.len(), work.order.len());
            tracing::debug!(
                "opened {}: {rows} rows, {samples} samples of them",
                work.name
            );
        }
        work
    };
    let domains = config
        .domains
        .par_iter()
        .map(|domain| {
            domain
                .datasets
                .par_iter()
                .map(open)
                .collect::<Result<Vec<_>, _>>()
        })
        .collect::<Result<Vec<_>, _>>();
    bar.finish_and_clear();
    Ok(domains?)
}

/// A bar for every file that is fetched or hashed.
#[derive(Default)]
struct FileBars(Mutex<BTreeMap<String, ProgressBar>>);

impl FileBars {
    fn show(&self, progress: checkpoint::Progress<'_>) {
        let step = match progress.step {
            Step::Download => "fetching",
            Step::Hash => "fingerprint of",
        };
        let title = format!("{step} {}", progress.file);
        let Ok(mut bars) = self.0.lock() else { return };
        let bar = bars
            .entry(title)
            .or_insert_with_key(|title| terminal::bar(title, progress.total, true));
        bar.set_length(progress.total);
        bar.set_position(progress.done);
        if progress.done >= progress.total {
            bar.finish_and_clear();
        }
    }

    fn clear(&self) {
        if let Ok(bars) = self.0.lock() {
            bars.values().for_each(ProgressBar::finish_and_clear);
        }
    }
}
