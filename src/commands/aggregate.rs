//! From a run's shards to what is solved, by the manifest and the config in its folder alone: whoever comes last does it,
//! also without the checkpoint, the data or a GPU.

use anyhow::Result;
use rayon::prelude::*;

use super::terminal;
use crate::config::{self, Config, Protocol};
use crate::extract::FailureLimit;
use crate::mix::{
    self, Analysis, Bootstrap, Centroids, DatasetMean, DatasetSummary, DomainMeans, Origin,
    Provenance, Replicates,
};
use crate::modality::Modality;
use crate::printable::printable;
use crate::store::{Failure, Manifest, ManifestDataset, Shard, ShardState, Store};

/// The file of the failures in a run's folder.
pub(super) const FAILURES: &str = "failures.jsonl";
/// The file of the centroids in a run's folder.
pub(super) const CENTROIDS: &str = "centroids.safetensors";
/// The file of the weights in a run's folder.
pub(super) const MIXTURE: &str = "mixture.json";
/// With fewer samples of a modality than this in a whole domain a person should look at them.
const FEW: u64 = 16;

/// A run's folder and what is to be in it.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub config: &'a Config,
    pub manifest: &'a Manifest,
    pub store: &'a Store,
}

/// What a run's shards come to.
pub(super) struct Aggregated {
    /// The centroids at the layer of the mixture.
    pub centroids: Centroids,
    /// The means that they are made of.
    pub domains: Vec<DomainMeans>,
    /// The centroids at every layer, in the order of the config.
    pub layers: Vec<(String, Centroids)>,
}

/// A dataset's shards, read.
struct Gathered {
    /// At each layer.
    means: Vec<DatasetMean>,
    failures: Vec<Failure>,
    missing: u32,
}

/// The shards of a dataset that cannot be used.
#[derive(Default)]
pub(super) struct Lacking {
    /// Those to be made, the damaged ones among them.
    pub missing: u32,
    /// Those that are there and damaged.
    pub damaged: u32,
}

/// Gives `take` the wanted shards of a dataset that are there, in order, and names those that are damaged.
pub(super) fn each_shard(
    dataset: &ManifestDataset,
    manifest: &Manifest,
    store: &Store,
    mut take: impl FnMut(Shard) -> Result<()>,
) -> Result<Lacking> {
    let key = manifest.key(dataset);
    let mut lacking = Lacking::default();
    for index in 0..manifest.wanted(dataset) {
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

/// The run's config and manifest were written together; an edited one no longer says what the shards are.
pub(super) fn check(config: &Config, manifest: &Manifest) -> Result<()> {
    let configured = config.domains.iter().flat_map(|domain| &domain.datasets);
    let names = manifest.datasets.iter().map(|dataset| &dataset.name);
    anyhow::ensure!(
        configured.map(|dataset| &dataset.name).eq(names),
        "config.toml in {} names other datasets than its manifest.json: run `madmix extract` with the config that is meant",
        config.output.display()
    );
    Ok(())
}

impl Run<'_> {
    /// Averages the shards into one vector per domain and modality; lists the failures of all of them and holds them
    /// against the limit. `None`, and a message that names the datasets, when shards are missing.
    pub(super) fn aggregate(&self) -> Result<Option<Aggregated>> {
        let Self {
            config,
            manifest,
            store,
        } = self;
        let layers: Vec<String> = config
            .extract
            .layers
            .iter()
            .map(ToString::to_string)
            .collect();
        let gathered = self.gather(&layers)?;
        if !self.all_there(&gathered) {
            return Ok(None);
        }
        self.check_failures(&gathered)?;
        let summary = |gathered: &Gathered| {
            let mean = &gathered.means[0];
            DatasetSummary {
                name: mean.name().to_owned(),
                size: mean.size(),
                samples: Some(mean.samples()),
                failed: Some(gathered.failures.len() as u64),
                tokens: mean.mean_tokens(),
            }
        };
        let mut summaries = gathered.iter().map(summary);
        let datasets: Vec<Vec<DatasetSummary>> = config
            .domains
            .iter()
            .map(|domain| summaries.by_ref().take(domain.datasets.len()).collect())
            .collect();
        let samples = |of: &DatasetSummary| of.samples.unwrap_or(0);
        let origin = Origin {
            provenance: Provenance {
                checkpoint: manifest.checkpoint.clone(),
                fingerprint: manifest.fingerprint.clone(),
                samples: datasets.iter().flatten().map(samples).sum(),
                madmix: env!("CARGO_PKG_VERSION").to_owned(),
            },
            datasets,
            layer: Some(config.mix_layer().to_string()),
            aggregation: Some(config.mix.aggregation),
        };
        let mut by_layer = self.by_layer(gathered, layers.len());
        let at = config.mix_layer();
        let place = config.extract.layers.iter().position(|layer| *layer == at);
        let place = place.unwrap_or(0);
        let layers = layers
            .into_iter()
            .zip(&by_layer)
            .map(|(layer, domains)| Ok((layer, mix::centroids(domains, config.mix.aggregation)?)))
            .collect::<Result<Vec<_>>>()?;
        let centroids = layers[place].1.clone().with_origin(origin);
        centroids.write(&store.root().join(CENTROIDS))?;
        let domains = by_layer.swap_remove(place);
        warn_of_few(&domains);
        Ok(Some(Aggregated {
            centroids,
            domains,
            layers,
        }))
    }

    /// How many wanted shards have not been published, by their names alone.
    pub(super) fn absent(&self) -> usize {
        let absent = |dataset: &ManifestDataset| {
            let is_absent = |index: &u32| !self.store.shard_path(&dataset.name, *index).exists();
            (0..self.manifest.wanted(dataset)).filter(is_absent).count()
        };
        self.manifest.datasets.iter().map(absent).sum()
    }

    /// What moves the weights of the mixture.
    pub(super) fn analyse(&self, aggregated: &Aggregated) -> Result<Analysis> {
        let mix = &self.config.mix;
        let Aggregated {
            domains, layers, ..
        } = aggregated;
        Ok(mix::analyse(
            domains,
            layers,
            mix.aggregation,
            &mix.solver()?,
        )?)
    }

    /// The means at the layer of the mixture; `None` when shards are missing.
    pub(super) fn means(&self) -> Result<Option<Vec<DomainMeans>>> {
        let gathered = self.gather(&[self.config.mix_layer().to_string()])?;
        if gathered.iter().any(|gathered| gathered.missing > 0) {
            return Ok(None);
        }
        Ok(Some(self.by_layer(gathered, 1).swap_remove(0)))
    }

    /// The weights that drawing the samples of `domains` again, by a seed, gives.
    pub(super) fn replicates(
        &self,
        domains: &[DomainMeans],
        seed: u64,
    ) -> Result<Option<Replicates>> {
        let mix = &self.config.mix;
        let bootstrap = Bootstrap {
            domains,
            layer: &self.config.mix_layer().to_string(),
            aggregation: mix.aggregation,
            solver: &mix.solver()?,
            seed,
            replicates: mix.replicates,
        };
        if domains.len() > Bootstrap::MAX_DOMAINS && mix.replicates > 0 {
            tracing::info!(
                "no intervals for more than {} domains: every replicate would have to be solved",
                Bootstrap::MAX_DOMAINS
            );
        }
        let shards = self.manifest.shards() * bootstrap.passes()? as u64;
        let bar = terminal::bar("drawing samples again", shards, false);
        let found = bootstrap.run(|dataset, take| {
            let dataset = &self.manifest.datasets[dataset];
            each_shard(dataset, self.manifest, self.store, |shard| {
                bar.inc(1);
                Ok(take(&shard)?)
            })?;
            anyhow::Ok(())
        });
        bar.finish_and_clear();
        found
    }

    fn gather(&self, layers: &[String]) -> Result<Vec<Gathered>> {
        let of = |dataset: &ManifestDataset| {
            let mean = || {
                let mean = DatasetMean::new(&dataset.name, dataset.rows);
                match self.config.extract.protocol {
                    Protocol::Joint => mean,
                    Protocol::Separate => mean.without_fused(),
                }
            };
            let mut gathered = Gathered {
                means: layers.iter().map(|_| mean()).collect(),
                failures: Vec::new(),
                missing: 0,
            };
            let lacking = each_shard(dataset, self.manifest, self.store, |shard| {
                for (mean, layer) in gathered.means.iter_mut().zip(layers) {
                    mean.add(&shard, layer)?;
                }
                gathered.failures.extend(shard.failures);
                Ok(())
            })?;
            gathered.missing = lacking.missing;
            Ok(gathered)
        };
        let gathered: Vec<_> = self.manifest.datasets.par_iter().map(of).collect();
        gathered.into_iter().collect()
    }

    /// For each layer the means of all datasets, by domain.
    fn by_layer(&self, gathered: Vec<Gathered>, layers: usize) -> Vec<Vec<DomainMeans>> {
        let mut means: Vec<_> = gathered
            .into_iter()
            .map(|gathered| gathered.means.into_iter())
            .collect();
        let layer = |_| {
            let mut of_layer = means.iter_mut().filter_map(Iterator::next);
            let domain = |domain: &config::Domain| DomainMeans {
                name: domain.name.clone(),
                human: domain.human,
                datasets: of_layer.by_ref().take(domain.datasets.len()).collect(),
            };
            self.config.domains.iter().map(domain).collect()
        };
        (0..layers).map(layer).collect()
    }

    fn check_failures(&self, gathered: &[Gathered]) -> Result<()> {
        let list = self.store.root().join(FAILURES);
        let datasets = &self.manifest.datasets;
        let samples = datasets
            .iter()
            .map(|dataset| (dataset.name.clone(), dataset.samples));
        let rate = self.config.extract.max_failure_rate;
        let mut failures = FailureLimit::new(samples, rate, Some(&list));
        for (dataset, gathered) in datasets.iter().zip(gathered) {
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
        Ok(())
    }

    /// Whether no shard is missing; says which are.
    fn all_there(&self, gathered: &[Gathered]) -> bool {
        /// More names than this help nobody.
        const NAMED: usize = 5;
        let lacking: Vec<String> = self
            .manifest
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
        let run = self.store.root().display();
        tracing::warn!(
            "{missing} of {} shards are missing: {}{more}. Make them with `madmix extract`, then: madmix solve {run}; \
             `madmix status {run}` lists what is done",
            self.manifest.shards(),
            lacking[..lacking.len().min(NAMED)].join(", "),
        );
        false
    }
}

/// A modality counts the same whatever number of samples it rests on: a stray row can move a domain's weight.
fn warn_of_few(domains: &[DomainMeans]) {
    for domain in domains {
        let all: u64 = domain.datasets.iter().map(DatasetMean::samples).sum();
        for modality in Modality::ALL {
            let with = |dataset: &DatasetMean| dataset.samples_with(modality);
            let count: u64 = domain.datasets.iter().map(with).sum();
            if (1..FEW).contains(&count) && count < all {
                let name = printable(&domain.name);
                tracing::warn!(
                    "only {count} of the {all} samples of domain `{name}` have {modality}, yet it counts like every other \
                     modality of the domain; if those rows are there by mistake, filter them out"
                );
            }
        }
    }
}
