//! From a run's shards to its centroids, by the manifest and the config in its folder alone: whoever comes last does
//! it, also without the checkpoint, the data or a GPU.

use anyhow::Result;
use rayon::prelude::*;

use crate::config::{Config, Protocol};
use crate::extract::FailureLimit;
use crate::mix::{self, Centroids, DatasetMean, DatasetSummary, DomainMeans, Origin, Provenance};
use crate::store::{Failure, Manifest, ManifestDataset, Shard, ShardState, Store};

/// The file of the failures in a run's folder.
pub(super) const FAILURES: &str = "failures.jsonl";
/// The file of the centroids in a run's folder.
pub(super) const CENTROIDS: &str = "centroids.safetensors";

/// A dataset's shards, read.
struct Gathered {
    mean: DatasetMean,
    failures: Vec<Failure>,
    missing: u32,
}

/// Averages the shards into one vector per domain and modality; lists the failures of all of them and holds them against
/// the limit. `None`, and a message that names the datasets, when shards are missing.
pub(super) fn aggregate(
    config: &Config,
    manifest: &Manifest,
    store: &Store,
) -> Result<Option<Centroids>> {
    let layer = config.mix_layer().to_string();
    let gathered = manifest
        .datasets
        .par_iter()
        .map(|dataset| {
            let fused = config.extract.protocol == Protocol::Joint;
            gather(dataset, manifest, store, &layer, fused)
        })
        .collect::<Vec<_>>()
        .into_iter()
        .collect::<Result<Vec<_>>>()?;
    if !all_there(manifest, store, &gathered) {
        return Ok(None);
    }
    let list = store.root().join(FAILURES);
    let samples = manifest
        .datasets
        .iter()
        .map(|dataset| (dataset.name.clone(), dataset.samples));
    let mut failures = FailureLimit::new(samples, config.extract.max_failure_rate, Some(&list));
    for (dataset, gathered) in manifest.datasets.iter().zip(&gathered) {
        failures.add(&dataset.name, &gathered.failures);
    }
    failures.write()?;
    failures.check()?;
    if failures.total() > 0 {
        tracing::warn!(
            "{} samples could not be used; they are listed in {}",
            failures.total(),
            list.display()
        );
    }
    let provenance = Provenance {
        checkpoint: manifest.checkpoint.clone(),
        fingerprint: manifest.fingerprint.clone(),
        samples: gathered.iter().map(|dataset| dataset.mean.samples()).sum(),
        madmix: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let mut means = gathered.into_iter().map(|dataset| dataset.mean);
    let domains: Vec<DomainMeans> = config
        .domains
        .iter()
        .map(|domain| DomainMeans {
            name: domain.name.clone(),
            human: domain.human,
            datasets: means.by_ref().take(domain.datasets.len()).collect(),
        })
        .collect();
    let size = |mean: &DatasetMean| DatasetSummary {
        name: mean.name().to_owned(),
        size: mean.size(),
        samples: Some(mean.samples()),
        ..DatasetSummary::default()
    };
    let datasets = domains
        .iter()
        .map(|domain| domain.datasets.iter().map(size).collect())
        .collect();
    let centroids = mix::centroids(&domains, config.mix.aggregation)?.with_origin(Origin {
        datasets,
        provenance,
    });
    centroids.write(&store.root().join(CENTROIDS))?;
    Ok(Some(centroids))
}

/// The shards of a dataset that cannot be used.
#[derive(Default)]
pub(super) struct Lacking {
    /// Those to be made, the damaged ones among them.
    pub missing: u32,
    /// Those that are there and damaged.
    pub damaged: u32,
}

/// Gives `take` the shards of a dataset that are there, in order, and names those that are damaged.
pub(super) fn each_shard(
    dataset: &ManifestDataset,
    manifest: &Manifest,
    store: &Store,
    mut take: impl FnMut(Shard) -> Result<()>,
) -> Result<Lacking> {
    let key = manifest.key(dataset);
    let mut lacking = Lacking::default();
    for index in 0..dataset.shards {
        match store.inspect(&key, &dataset.name, index)? {
            ShardState::Present(shard) => take(*shard)?,
            ShardState::Absent => lacking.missing += 1,
            ShardState::Damaged(reason) => {
                lacking.missing += 1;
                lacking.damaged += 1;
                let path = store.shard_path(&dataset.name, index);
                tracing::warn!(
                    "{} is damaged ({reason}); the next extraction makes it again",
                    path.display()
                );
            }
        }
    }
    Ok(lacking)
}

fn gather(
    dataset: &ManifestDataset,
    manifest: &Manifest,
    store: &Store,
    layer: &str,
    fused: bool,
) -> Result<Gathered> {
    let mean = DatasetMean::new(&dataset.name, dataset.rows);
    let mut gathered = Gathered {
        mean: if fused { mean } else { mean.without_fused() },
        failures: Vec::new(),
        missing: 0,
    };
    gathered.missing = each_shard(dataset, manifest, store, |shard| {
        gathered.mean.add(&shard, layer)?;
        gathered.failures.extend(shard.failures);
        Ok(())
    })?
    .missing;
    Ok(gathered)
}

/// Whether no shard is missing; says which are.
fn all_there(manifest: &Manifest, store: &Store, gathered: &[Gathered]) -> bool {
    /// More names than this help nobody.
    const NAMED: usize = 5;
    let lacking: Vec<String> = manifest
        .datasets
        .iter()
        .zip(gathered)
        .filter(|(_, gathered)| gathered.missing > 0)
        .map(|(dataset, gathered)| format!("{} of {}", gathered.missing, dataset.name))
        .collect();
    if lacking.is_empty() {
        return true;
    }
    let missing: u32 = gathered.iter().map(|gathered| gathered.missing).sum();
    let more = match lacking.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and of {more} more datasets"),
    };
    let run = store.root().display();
    tracing::warn!(
        "{missing} of {} shards are missing: {}{more}. Make them with `madmix extract`, then: madmix solve {run}; \
         `madmix status {run}` lists what is done",
        manifest.shards(),
        lacking[..lacking.len().min(NAMED)].join(", "),
    );
    false
}
