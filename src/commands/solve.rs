//! `madmix solve`: weights from a run's shards, or from centroids alone; without checkpoint, data or GPU.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use super::aggregate::{CENTROIDS, aggregate};
use super::{Ending, terminal};
use crate::config::{self, Config};
use crate::mix::{Centroids, Mixture, Provenance};
use crate::report;
use crate::store::{Manifest, ManifestError, Store};

#[derive(Args)]
pub(super) struct Arguments {
    /// The folder of a run whose shards are all there, whose mixture.json is replaced, or a centroids.safetensors.
    run: PathBuf,
    /// mad-mix, uniform or human; if not given, as in the run's config.
    #[arg(long)]
    method: Option<String>,
    /// The regularisation of MaD-Mix; if not given, as in the run's config.
    #[arg(long, allow_negative_numbers = true)]
    lambda: Option<f64>,
    /// Print the mixture as JSON.
    #[arg(long)]
    json: bool,
}

impl Arguments {
    /// The settings of a run with those that were given in their place.
    fn over(&self, mut mix: config::Mix) -> config::Mix {
        if let Some(method) = &self.method {
            mix.method.clone_from(method);
        }
        mix.lambda = self.lambda.unwrap_or(mix.lambda);
        mix
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<Ending> {
    anyhow::ensure!(
        arguments.run.exists(),
        "there is no {}: name the folder of a run, or a centroids.safetensors",
        arguments.run.display()
    );
    let folder = arguments.run.is_dir().then_some(arguments.run.as_path());
    let (centroids, configured) = match folder {
        Some(run) => match of_run(run)? {
            Some(found) => found,
            None => return Ok(Ending::Resumable),
        },
        None => (Centroids::read(&arguments.run)?, config::Mix::default()),
    };
    let mix = arguments.over(configured);
    let mixture = mixture(&centroids, &mix)?;
    if let Some(folder) = folder {
        write(&mixture, folder)?;
    }
    if arguments.json {
        terminal::print(mixture.to_bytes()?)?;
    } else {
        show(&mixture)?;
    }
    Ok(Ending::Done)
}

/// The centroids of a run's shards, which are written down, and the run's settings; `None` where shards are missing. A
/// folder that holds no more than centroids gives those.
fn of_run(run: &Path) -> Result<Option<(Centroids, config::Mix)>> {
    // Which removes what a killed one has left, also where nothing but the mixture is to be written.
    let store = Store::open(run)?;
    let configured = || Config::read(&run.join("config.toml"));
    let file = run.join(CENTROIDS);
    let Some(manifest) = Manifest::find(run)? else {
        if !file.exists() {
            return Err(ManifestError::Absent(run.display().to_string()).into());
        }
        let mix = if run.join("config.toml").exists() {
            configured()?.mix
        } else {
            config::Mix::default()
        };
        return Ok(Some((Centroids::read(&file)?, mix)));
    };
    let config = configured()?;
    check(&config, &manifest)?;
    let centroids = aggregate(&config, &manifest, &store)?;
    Ok(centroids.map(|centroids| (centroids, config.mix)))
}

/// The run's config and manifest were written together; an edited one no longer says what the shards are.
fn check(config: &Config, manifest: &Manifest) -> Result<()> {
    let configured = config.domains.iter().flat_map(|domain| &domain.datasets);
    let names = manifest.datasets.iter().map(|dataset| &dataset.name);
    anyhow::ensure!(
        configured.map(|dataset| &dataset.name).eq(names),
        "config.toml in {} names other datasets than its manifest.json: run `madmix extract` with the config that is meant",
        config.output.display()
    );
    Ok(())
}

/// The mixture that a method finds.
pub(super) fn mixture(centroids: &Centroids, mix: &config::Mix) -> Result<Mixture> {
    let solution = mix.solver()?.solve(centroids)?;
    let (datasets, provenance) = match centroids.origin() {
        Some(origin) => (origin.datasets.clone(), origin.provenance.clone()),
        None => (
            vec![Vec::new(); centroids.domains().len()],
            Provenance::unknown(),
        ),
    };
    Ok(Mixture::new(centroids, &solution, &datasets, provenance)?)
}

/// Writes the mixture into a run's folder.
pub(super) fn write(mixture: &Mixture, run: &Path) -> Result<()> {
    let file = run.join("mixture.json");
    mixture.write(&file)?;
    tracing::info!("the weights are in {}", file.display());
    Ok(())
}

/// Prints the mixture as a table.
pub(super) fn show(mixture: &Mixture) -> Result<()> {
    terminal::print(report::mixture_table(mixture))
}
