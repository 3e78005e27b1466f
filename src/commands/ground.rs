//! What every command that reads the data begins with: the config, the checkpoint without its weights, and the datasets.
//! It needs no device.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::Result;
use indicatif::ProgressBar;
use rayon::prelude::*;

use super::terminal;
use crate::atlas::cells;
use crate::checkpoint::{self, Checkpoint, Layout, OnProgress, OpenOptions, Step};
use crate::config::{self, Config, Exif};
use crate::dataset::{self, DatasetError};
use crate::extract::{self, ExtractError, Preparer};
use crate::media::{Orientation, Sampling};
use crate::vlm::{self, ProcessorOptions, TextScope};

/// What is known without a device.
pub(super) struct Ground {
    pub config: Config,
    pub checkpoint: Checkpoint,
    pub orientation: Orientation,
    pub sampling: Sampling,
}

/// Reads a config, puts cells in the place of its domains where it says so, and checks what can be checked at once.
pub(super) fn config(path: &Path) -> Result<Config> {
    let config = cells::resolved(plain_config(path)?)?;
    config
        .check_solvable()
        .map_err(|message| in_config(path, message))?;
    Ok(config)
}

/// Reads a config, whose domains are those that it lists.
pub(super) fn plain_config(path: &Path) -> Result<Config> {
    let config = Config::read(path)?;
    if config.output.exists() && !config.output.is_dir() {
        let message = format!(
            "output is {}, which is a file; name a folder",
            config.output.display()
        );
        return Err(in_config(path, message).into());
    }
    Ok(config)
}

/// A value of a config that cannot be used.
pub(super) fn in_config(path: &Path, message: String) -> config::ConfigError {
    config::ConfigError::Value {
        path: path.to_owned(),
        message,
    }
}

/// Threads that prepare samples.
pub(super) fn workers(config: &Config) -> usize {
    match config.extract.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        workers => workers,
    }
}

impl Ground {
    /// Opens the checkpoint of a config that was read from `path`.
    pub(super) fn open(config: Config, path: &Path, bars: &Arc<FileBars>) -> Result<Self> {
        let options = OpenOptions {
            progress: bars.listener(),
            ..OpenOptions::from_env()
        };
        let base = path.parent().unwrap_or(Path::new("."));
        let checkpoint = Checkpoint::open(&config.model.checkpoint, base, &options)?;
        for layer in &config.extract.layers {
            layer
                .index(checkpoint.family.language().num_hidden_layers)
                .map_err(|error| in_config(path, error.to_string()))?;
        }
        let orientation = match (config.model.exif, checkpoint.layout) {
            (Exif::Apply, _) | (Exif::Auto, Layout::HuggingFace) => Orientation::Apply,
            (Exif::Ignore, _) | (Exif::Auto, Layout::LlavaNext) => Orientation::Ignore,
        };
        let sampling = config.video.sampling(vlm::sampling(&checkpoint.family));
        Ok(Self {
            config,
            checkpoint,
            orientation,
            sampling,
        })
    }

    /// What prepares samples.
    pub(super) fn preparer(&self) -> Result<Preparer> {
        Ok(Preparer::new(&self.checkpoint, self.preparation()).map_err(ExtractError::from)?)
    }

    /// How samples are prepared.
    fn preparation(&self) -> extract::Options {
        let (extract, media, video) =
            (&self.config.extract, &self.config.media, &self.config.video);
        let limits = media.limits();
        extract::Options {
            processor: ProcessorOptions {
                resampler: self.config.model.resampler.into(),
                pictures: media.bounds(),
                frames: video.bounds(),
            },
            orientation: self.orientation,
            limits,
            sampling: self.sampling,
            max_frames: video.max_frames,
            video: video.limits(limits),
            spans: extract.text_scope != TextScope::All,
            protocol: extract.protocol,
            max_tokens: extract.max_tokens,
            too_long: extract.too_long,
        }
    }

    /// Threads that prepare samples.
    pub(super) fn workers(&self) -> usize {
        workers(&self.config)
    }

    /// Opens all datasets, several at a time; gives those of each domain, in the order of the config.
    pub(super) fn open_datasets<T: Send>(
        &self,
        open: impl Fn(&config::Dataset, dataset::Progress<'_>) -> Result<T, DatasetError> + Sync,
    ) -> Result<Vec<Vec<T>>> {
        let domains = &self.config.domains;
        let count = domains
            .iter()
            .map(|domain| domain.datasets.len())
            .sum::<usize>();
        let bar = terminal::bar("opening datasets", count as u64, false);
        let specs: Vec<_> = domains
            .iter()
            .flat_map(|domain| domain.datasets.iter().map(config::Dataset::spec))
            .collect();
        let _shared = dataset::share(&specs);
        let open = |spec: &config::Dataset| {
            let opened = open(spec, &|_, _| bar.tick());
            bar.inc(1);
            opened
        };
        let of_domain = |domain: &config::Domain| {
            let datasets = domain.datasets.par_iter();
            datasets.map(open).collect::<Result<Vec<_>, _>>()
        };
        let opened = domains.par_iter().map(of_domain).collect::<Result<_, _>>();
        bar.finish_and_clear();
        Ok(opened?)
    }
}

/// A bar for every file that is fetched or hashed.
#[derive(Default)]
pub(super) struct FileBars(Mutex<BTreeMap<String, ProgressBar>>);

impl FileBars {
    /// What tells these bars of progress.
    pub(super) fn listener(self: &Arc<Self>) -> OnProgress {
        let bars = Arc::clone(self);
        Arc::new(move |progress| bars.show(progress))
    }

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

    /// Takes all bars away.
    pub(super) fn clear(&self) {
        if let Ok(bars) = self.0.lock() {
            bars.values().for_each(ProgressBar::finish_and_clear);
        }
    }
}
