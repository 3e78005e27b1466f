//! A run that was solved: its folder, and the mixture in it.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::aggregate::{MIXTURE, Run, check};
use crate::config::{self, Config};
use crate::mix::{DatasetMean, DomainMeans, Mixture, Replicates};
use crate::store::{Manifest, Store};

/// A mixture, and the run that it is of where its folder is there.
pub(super) struct Found {
    pub mixture: Mixture,
    folder: Option<(Config, Manifest, Store)>,
}

impl Found {
    /// Reads the folder of a run, or a mixture.json alone.
    pub(super) fn read(path: &Path) -> Result<Self> {
        if !path.is_dir() {
            return Ok(Self {
                mixture: Mixture::read(path)?,
                folder: None,
            });
        }
        let file = path.join(MIXTURE);
        anyhow::ensure!(
            file.exists(),
            "{} has no {MIXTURE}: make it with `madmix run`, or with `madmix solve {0}` where the shards are there",
            path.display()
        );
        let mixture = Mixture::read(&file)?;
        let Some(manifest) = Manifest::find(path)? else {
            return Ok(Self {
                mixture,
                folder: None,
            });
        };
        let mut config = Config::read(&path.join("config.toml"))?;
        config
            .set_mix(settings(&mixture, &config)?)
            .with_context(|| format!("{} is of another config", file.display()))?;
        check(&config, &manifest)?;
        Ok(Self {
            mixture,
            folder: Some((config, manifest, Store::at(path))),
        })
    }

    /// The run, if its folder is there.
    pub(super) fn run(&self) -> Option<Run<'_>> {
        let (config, manifest, store) = self.folder.as_ref()?;
        Some(Run {
            config,
            manifest,
            store,
        })
    }

    /// The means of the run's shards; `None` where they are not all there, or not those of the mixture.
    pub(super) fn means(&self) -> Result<Option<Vec<DomainMeans>>> {
        let means = self.run().map_or(Ok(None), |run| run.means())?;
        Ok(means.filter(|means| self.is_of(means)))
    }

    /// Whether the mixture was found from these means of the run's shards; a message says so if it was not. A run that
    /// was taken further has others.
    pub(super) fn is_of(&self, domains: &[DomainMeans]) -> bool {
        let Some(Run {
            manifest, store, ..
        }) = self.run()
        else {
            return false;
        };
        let datasets = domains.iter().flat_map(|domain| &domain.datasets);
        let samples: u64 = datasets.map(DatasetMean::samples).sum();
        let provenance = &self.mixture.provenance;
        let same = provenance.samples == samples && provenance.fingerprint == manifest.fingerprint;
        if !same {
            tracing::warn!(
                "the shards of {run} are no longer those that its {MIXTURE} was found from: madmix solve {run}",
                run = store.root().display()
            );
        }
        same
    }

    /// The weights that drawing the samples again gives, by this seed.
    pub(super) fn replicates(
        &self,
        domains: &[DomainMeans],
        seed: u64,
    ) -> Result<Option<Replicates>> {
        match self.run() {
            Some(run) => run.replicates(domains, seed),
            None => Ok(None),
        }
    }
}

/// The settings that the mixture was made with, which need not be those of the config.
fn settings(mixture: &Mixture, config: &Config) -> Result<config::Mix> {
    let settings = &mixture.settings;
    let layer = settings.layer.as_ref().map(|layer| {
        let known = config.extract.layers.iter();
        known.copied().find(|known| known.to_string() == *layer).with_context(|| {
            format!("the mixture is of layer {layer}, which is not among extract.layers: solve the run again")
        })
    });
    Ok(config::Mix {
        method: mixture.method.clone(),
        lambda: mixture.lambda.unwrap_or(config.mix.lambda),
        temperature: settings.temperature,
        scaling: settings.scaling,
        hold: settings.hold.clone(),
        aggregation: settings.aggregation.unwrap_or(config.mix.aggregation),
        layer: layer.transpose()?.or(config.mix.layer),
        replicates: config.mix.replicates,
    })
}
