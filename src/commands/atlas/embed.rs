//! The embeddings that concepts are clusters of: opened from a config, made where they are missing, and read back.
//!
//! Shards lie in `OUTPUT/atlas/embeddings` and outlive an interruption. The shared cache is left out: it goes by the
//! content of pictures, so that all of a corpus would be read once more before and after, for shards that stay where
//! they are.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use candle_core::DType;
use rayon::prelude::*;

use crate::atlas::embed::{Embedded, LAYERS, gather, options, settings, work};
use crate::checkpoint::{Checkpoint, EmbeddingCheckpoint, Layout, OpenOptions};
use crate::commands::aggregate::FAILURES;
use crate::commands::cached::Cached;
use crate::commands::ground::{FileBars, in_config, workers};
use crate::commands::placed;
use crate::commands::session::{asked_dtype, described};
use crate::commands::shards::{Loaded, Shards};
use crate::config::{BatchTokens, Concepts, Config, Exif};
use crate::dataset::Dataset;
use crate::extract::{DatasetWork, FailureLimit, Outcome, Placed, Preparer, ShardWork};
use crate::media::Orientation;
use crate::prompt::WordEncoder;
use crate::store::{Matrix, Settings, ShardState, Store, StoreError, folder_name};
use crate::vlm::embed::Source;
use crate::vlm::{TextScope, device};

/// Where words stand in the text that is embedded for them.
const TEMPLATE: &str = "a photo of a {}";

/// A dataset, and which of its samples to embed.
pub(in crate::commands) struct Wanted {
    /// Its name in the config.
    pub name: String,
    pub dataset: Arc<dyn Dataset>,
    /// The samples with pictures or clips, as indices into the dataset, ascending.
    pub indices: Vec<u64>,
}

/// The model that embeds pictures, on the devices of a config, with where its shards are.
pub(in crate::commands) struct Embeddings {
    source: Source,
    fingerprint: String,
    devices: Vec<device::Opened>,
    dtype: DType,
    preparer: Arc<Preparer>,
    settings: Settings,
    workers: usize,
    batch_tokens: BatchTokens,
    max_failure_rate: f64,
    folder: PathBuf,
    loaded: Loaded,
}

impl Embeddings {
    /// Opens the model that a config, read from `path`, names: `atlas.concepts.checkpoint`, or the vision tower of
    /// `model.checkpoint`.
    pub(in crate::commands) fn open(config: &Config, path: &Path) -> Result<Self> {
        let devices = device::open_all(config.model.device.names(), None)?;
        let dtype = device::dtype(asked_dtype(config), &devices[0].device)
            .map_err(|error| in_config(path, error.to_string()))?;
        let default = Concepts::default();
        let concepts = config
            .atlas
            .as_ref()
            .map_or(&default, |atlas| &atlas.concepts);
        let bars = Arc::new(FileBars::default());
        let open = OpenOptions {
            progress: bars.listener(),
            ..OpenOptions::from_env()
        };
        let base = path.parent().unwrap_or(Path::new("."));
        let source = match &concepts.checkpoint {
            Some(spec) => Source::Embedding(
                EmbeddingCheckpoint::open(spec, base, &open)
                    .context("opening atlas.concepts.checkpoint")?,
            ),
            None => Source::Tower(Checkpoint::open(&config.model.checkpoint, base, &open)?),
        };
        let fingerprint = source.fingerprint(&bars.listener())?;
        bars.clear();
        tracing::info!(
            "pictures are embedded by {}, {} on {}",
            source.describe(),
            dtype.as_str(),
            described(&devices)
        );
        let options = options(config, orientation(config, &source), concepts.frames);
        let settings = settings(config, &source, dtype, &options);
        let processor = source.processor(&options.processor);
        Ok(Self {
            preparer: Arc::new(Preparer::of_pictures(processor, options)),
            source,
            fingerprint,
            devices,
            dtype,
            settings,
            workers: workers(config),
            batch_tokens: config.extract.batch_tokens,
            max_failure_rate: config.extract.max_failure_rate,
            folder: config.output.join("atlas").join("embeddings"),
            loaded: Loaded::default(),
        })
    }

    /// What decides the vectors beside the data: for what is made from them.
    pub(in crate::commands) fn fingerprint(&self) -> String {
        format!("{} {}", self.fingerprint, self.settings.fingerprint())
    }

    /// The embeddings of samples, those that are missing made first; `None` if that was interrupted. With
    /// `retry_failed` shards that hold failures are made again.
    pub(in crate::commands) fn embed(
        &mut self,
        wanted: &[Wanted],
        retry_failed: bool,
        stop: &AtomicBool,
    ) -> Result<Option<Vec<Embedded>>> {
        let store = Store::open(&self.folder)?;
        let works: Vec<DatasetWork> = wanted.iter().map(|wanted| self.work(wanted)).collect();
        if self.make(&store, &works, retry_failed, stop)? == Outcome::Interrupted {
            tracing::warn!("interrupted; every finished shard of embeddings is kept");
            return Ok(None);
        }
        let read = |work: &DatasetWork| {
            gather(work, |index| {
                anyhow::ensure!(!stop.load(Ordering::Relaxed), Stopped);
                Ok(store.load(&work.key, &work.name, index)?)
            })
        };
        let embedded: Result<Vec<Embedded>> = works.par_iter().map(read).collect();
        match embedded {
            Err(error) if error.is::<Stopped>() => Ok(None),
            embedded => embedded.map(Some),
        }
    }

    /// Sets the shards of datasets aside that were made of other samples or by another model than is wanted now: labelling
    /// makes them anew.
    pub(in crate::commands) fn set_others_aside(&self, wanted: &[Wanted]) -> Result<()> {
        let store = Store::open(&self.folder)?;
        for work in wanted.iter().map(|wanted| self.work(wanted)) {
            // All shards in a folder are of one kind, so the first that is there speaks for them.
            let mut looked_at = (0..work.shards()).map(|i| store.inspect(&work.key, &work.name, i));
            let first = looked_at.find(|state| !matches!(state, Ok(ShardState::Absent)));
            if !matches!(first, Some(Err(StoreError::OtherKey { .. }))) {
                continue;
            }
            let folder = store.dataset_folder(&work.name);
            let aside = self
                .folder
                .with_extension("old")
                .join(folder_name(&work.name));
            if aside.exists() {
                fs_err::remove_dir_all(&aside)?;
            }
            fs_err::create_dir_all(self.folder.with_extension("old"))?;
            fs_err::rename(&folder, &aside)?;
            tracing::warn!(
                "the embeddings of \"{}\" are of other samples or of another model and are made anew; the old ones are in {}",
                work.name,
                aside.display()
            );
        }
        Ok(())
    }

    /// The vectors of words, of unit length, in the space of the pictures' vectors: each in "a photo of a …". `None`
    /// where the model has no text side.
    pub(in crate::commands) fn text_vectors(&self, words: &[String]) -> Result<Option<Matrix>> {
        let Source::Embedding(checkpoint) = &self.source else {
            return Ok(None);
        };
        let Some(encoder) = WordEncoder::new(checkpoint)? else {
            return Ok(None);
        };
        // A few hundred short texts: in full precision wherever.
        let device = &self.devices[0].device;
        let Some(model) = self.source.load_text(DType::F32, device)? else {
            return Ok(None);
        };
        let encode = |word: &String| {
            let text = TEMPLATE.replace("{}", word.trim());
            encoder
                .encode(&text)
                .with_context(|| format!("reading the concept word \"{word}\""))
        };
        let ids: Vec<Vec<u32>> = words.iter().map(encode).collect::<Result<_>>()?;
        let mut values = model.forward(&ids)?;
        for vector in values.chunks_exact_mut(model.width()) {
            let squares: f64 = vector.iter().map(|&x| f64::from(x).powi(2)).sum();
            let length = squares.sqrt().max(f64::MIN_POSITIVE) as f32;
            for value in vector {
                *value /= length;
            }
        }
        Ok(Matrix::new(words.len(), model.width(), values))
    }

    fn work(&self, wanted: &Wanted) -> DatasetWork {
        let Wanted {
            name,
            dataset,
            indices,
        } = wanted;
        work(
            name,
            Arc::clone(dataset),
            indices,
            &self.fingerprint,
            &self.settings,
        )
    }

    fn make(
        &mut self,
        store: &Store,
        works: &[DatasetWork],
        retry_failed: bool,
        stop: &AtomicBool,
    ) -> Result<Outcome> {
        let samples = works
            .iter()
            .map(|work| (work.name.clone(), work.order.len() as u64));
        let list = self.folder.join(FAILURES);
        let mut shards = Shards {
            store,
            preparer: &self.preparer,
            workers: self.workers,
            layers: LAYERS,
            scope: TextScope::All,
            stop,
            retry_failed,
            cached: Cached::off(),
            failures: FailureLimit::new(samples, self.max_failure_rate, Some(&list)),
            usage: Vec::new(),
            made_any: false,
        };
        let all: Vec<ShardWork> = works.iter().flat_map(DatasetWork::all_shards).collect();
        let datasets: Vec<&DatasetWork> = works.iter().collect();
        let missing = shards.missing(&datasets, &all, 0..u32::MAX)?;
        let load = || load(&self.source, &self.devices, self.dtype, self.batch_tokens);
        let made = shards.make(missing, &mut self.loaded, load);
        for usage in &shards.usage {
            tracing::info!("{usage}");
        }
        if shards.failures.total() > 0 {
            shards.failures.write()?;
        }
        let made = made?;
        if made == Outcome::Complete && shards.failures.total() > 0 {
            tracing::warn!(
                "{} samples could not be embedded; they are listed in {}",
                shards.failures.total(),
                list.display()
            );
        }
        Ok(made)
    }
}

/// Reading the shards was interrupted.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
struct Stopped;

fn load(
    source: &Source,
    devices: &[device::Opened],
    dtype: DType,
    batch_tokens: BatchTokens,
) -> Result<Loaded> {
    let onto = |opened: &device::Opened| {
        let model = source
            .load(dtype, &opened.device)
            .with_context(|| format!("loading what embeds pictures onto {}", opened.name))?;
        Ok(Placed {
            name: opened.name.clone(),
            device: opened.device.clone(),
            model,
        })
    };
    let mut models = devices.par_iter().map(onto).collect::<Result<Vec<_>>>()?;
    let batch_tokens = placed::budget(batch_tokens, &mut models)?;
    Ok(Loaded {
        models,
        batch_tokens,
    })
}

/// Whether pictures are turned as their files ask for: as the model's own training does, if the config does not say.
fn orientation(config: &Config, source: &Source) -> Orientation {
    let ignores =
        matches!(source, Source::Tower(checkpoint) if checkpoint.layout == Layout::LlavaNext);
    match config.model.exif {
        Exif::Ignore => Orientation::Ignore,
        Exif::Auto if ignores => Orientation::Ignore,
        Exif::Apply | Exif::Auto => Orientation::Apply,
    }
}

#[cfg(test)]
mod tests;
