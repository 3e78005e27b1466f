//! What `run` and `extract` begin with: the config, the devices, the checkpoint with its fingerprint, and the datasets.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use candle_core::DType;

use super::aggregate::Run;
use super::ground::{self, FileBars, Ground, in_config};
use crate::checkpoint::Checkpoint;
use crate::config::{Config, Dtype};
use crate::extract::{DatasetWork, Preparer, check_faults, settings, warn_of_faults};
use crate::store::{Manifest, ManifestDataset, Settings, Store};
use crate::vlm::device;

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
        let config = ground::config(path)?;
        let devices = device::open_all(config.model.device.names(), local_rank)?;
        let dtype = device::dtype(asked_dtype(&config), &devices[0].device)
            .map_err(|error| in_config(path, error.to_string()))?;
        let bars = Arc::new(FileBars::default());
        let started = Instant::now();
        let ground = Ground::open(config, path, &bars)?;
        let fingerprint = ground.checkpoint.fingerprint(&bars.listener())?;
        bars.clear();
        let opening = started.elapsed();
        tracing::info!(
            "{} ({}), {} on {}",
            ground.checkpoint.name,
            ground.checkpoint.family,
            dtype.as_str(),
            described(&devices)
        );
        let preparer = ground.preparer()?;
        let settings = settings(&ground.config, dtype, ground.orientation, ground.sampling);
        let domains = open_datasets(&ground, &fingerprint, &settings)?;
        let manifest = manifest(&ground.checkpoint.name, &fingerprint, &settings, &domains);
        let workers = ground.workers();
        let Ground {
            config, checkpoint, ..
        } = ground;
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

/// The precision that a config names; `None` for the device's own choice.
pub(super) fn asked_dtype(config: &Config) -> Option<DType> {
    match config.model.dtype {
        Dtype::Auto => None,
        Dtype::F32 => Some(DType::F32),
        Dtype::Bf16 => Some(DType::BF16),
    }
}

/// What people call devices.
pub(super) fn described(devices: &[device::Opened]) -> String {
    match devices {
        [one] => one.description.clone(),
        several => {
            let each: Vec<&str> = several.iter().map(|one| one.description.as_str()).collect();
            format!("{} devices: {}", each.len(), each.join(", "))
        }
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

/// Opens all datasets, and refuses those of which too much is lost.
fn open_datasets(
    ground: &Ground,
    fingerprint: &str,
    settings: &Settings,
) -> Result<Vec<Vec<DatasetWork>>> {
    let extract = &ground.config.extract;
    let domains = ground.open_datasets(|spec, progress| {
        let work = DatasetWork::open(spec, extract, fingerprint, settings, progress)?;
        let (rows, samples) = (work.dataset.len(), work.order.len());
        tracing::debug!(
            "opened {}: {rows} rows, {samples} samples of them",
            work.name
        );
        Ok(work)
    })?;
    let all = || {
        let works = domains.iter().flatten();
        works.map(|work| (work.name.as_str(), work.dataset.as_ref()))
    };
    check_faults(all(), extract.max_failure_rate)?;
    warn_of_faults(all());
    Ok(domains)
}
