//! `madmix solve`: weights from centroids, in a moment and without the checkpoint.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;

use super::Ending;
use crate::config::Config;
use crate::mix::{self, Centroids, Mixture, Parameters, Provenance};
use crate::report;

#[derive(Args)]
pub(super) struct Arguments {
    /// The folder of a finished run, whose mixture.json is replaced, or a centroids.safetensors.
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

pub(super) fn run(arguments: &Arguments) -> Result<Ending> {
    let folder = arguments.run.is_dir().then_some(arguments.run.as_path());
    let file = folder.map_or_else(
        || arguments.run.clone(),
        |run| run.join("centroids.safetensors"),
    );
    if let Some(folder) = folder
        && !file.exists()
    {
        anyhow::bail!(
            "{} has no centroids.safetensors: extract it first, with `madmix run` or \
             `madmix extract`",
            folder.display()
        );
    }
    let centroids = Centroids::read(&file)?;
    let configured = match folder.map(|run| run.join("config.toml")) {
        Some(config) if config.exists() => Config::read(&config)?.mix,
        _ => crate::config::Mix::default(),
    };
    let method = arguments.method.as_ref().unwrap_or(&configured.method);
    let mixture = mixture(
        &centroids,
        method,
        arguments.lambda.unwrap_or(configured.lambda),
    )?;
    if let Some(folder) = folder {
        write(&mixture, folder)?;
    }
    if arguments.json {
        let bytes = mixture.to_bytes()?;
        std::io::stdout()
            .write_all(&bytes)
            .context("writing to standard output")?;
    } else {
        show(&mixture)?;
    }
    Ok(Ending::Done)
}

/// The mixture that a method finds.
pub(super) fn mixture(centroids: &Centroids, method: &str, lambda: f64) -> Result<Mixture> {
    let solution = mix::method(method, &Parameters { lambda })?.weights(centroids)?;
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
    let table = report::mixture_table(mixture);
    std::io::stdout()
        .write_all(table.as_bytes())
        .context("writing to standard output")
}
