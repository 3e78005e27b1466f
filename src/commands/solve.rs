//! `madmix solve`: weights from a run's shards, or from centroids alone; without checkpoint, data or GPU.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use super::aggregate::{Aggregated, CENTROIDS, MIXTURE, Run, check};
use super::{Ending, terminal};
use crate::config::{self, Config, ConfigError};
use crate::mix::{
    Aggregation, Analysis, Bootstrap, Centroids, Mixture, MixtureSettings, Provenance, Replicates,
    RestsOn, Scaling,
};
use crate::report;
use crate::store::{Manifest, ManifestError, Store, publish};
use crate::vlm::Layer;

/// The file of the report in a run's folder.
const REPORT: &str = "report.html";

#[derive(Args)]
pub(super) struct Arguments {
    /// The folder of a run whose shards are all there, whose mixture.json is replaced, or a centroids.safetensors.
    run: PathBuf,
    #[command(flatten)]
    mix: MixArguments,
    /// Print the mixture as JSON.
    #[arg(long)]
    json: bool,
}

/// What may be said in place of the run's `[mix]`.
#[derive(Args)]
struct MixArguments {
    /// How weights are found, such as mad-mix, avg or human; if not given, as in the run's config.
    #[arg(long)]
    method: Option<String>,
    /// The regularisation of MaD-Mix; if not given, as in the run's config.
    #[arg(long, allow_negative_numbers = true)]
    lambda: Option<f64>,
    /// T of softmax(score / T): above 1 the weights are evener.
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    temperature: Option<f64>,
    /// none, or unit-trace: every modality's kernel divided by its trace.
    #[arg(long, value_parser = name_of::<Scaling>)]
    scaling: Option<Scaling>,
    /// equal, or size: how datasets are averaged into domains.
    #[arg(long, value_parser = name_of::<Aggregation>)]
    aggregation: Option<Aggregation>,
    /// Which of the extracted layers is used.
    #[arg(long, value_parser = name_of::<Layer>)]
    layer: Option<Layer>,
    /// A domain that keeps its human share; may be said several times.
    #[arg(long, value_name = "DOMAIN")]
    hold: Vec<String>,
    /// How often samples are drawn again to find intervals; 0 for none.
    #[arg(long, value_name = "N")]
    replicates: Option<u32>,
}

/// A value as it stands in a config.
fn name_of<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    let value = match text.parse::<i64>() {
        Ok(number) => toml::Value::Integer(number),
        Err(_) => toml::Value::String(text.to_owned()),
    };
    value
        .try_into()
        .map_err(|error: toml::de::Error| error.message().to_owned())
}

impl MixArguments {
    /// The settings of a run with those that were given in their place.
    fn over(&self, mix: &config::Mix) -> config::Mix {
        let Self {
            method,
            lambda,
            temperature,
            scaling,
            aggregation,
            layer,
            hold,
            replicates,
        } = self;
        config::Mix {
            method: method.clone().unwrap_or_else(|| mix.method.clone()),
            lambda: lambda.unwrap_or(mix.lambda),
            temperature: temperature.unwrap_or(mix.temperature),
            scaling: scaling.unwrap_or(mix.scaling),
            hold: if hold.is_empty() {
                mix.hold.clone()
            } else {
                hold.clone()
            },
            replicates: replicates.unwrap_or(mix.replicates),
            aggregation: aggregation.unwrap_or(mix.aggregation),
            layer: layer.or(mix.layer),
        }
    }

    /// The argument that asks centroids for what only shards can give.
    fn beyond(&self, centroids: &Centroids) -> Option<&'static str> {
        let origin = centroids.origin();
        let own_layer = origin.and_then(|origin| origin.layer.clone());
        let own_aggregation = origin.and_then(|origin| origin.aggregation);
        let layer = self.layer.map(|layer| layer.to_string());
        if layer.is_some() && layer != own_layer {
            Some("--layer")
        } else if self.aggregation.is_some() && self.aggregation != own_aggregation {
            Some("--aggregation")
        } else if self.replicates.is_some_and(|replicates| replicates > 0) {
            Some("--replicates")
        } else {
            None
        }
    }
}

/// Weights, and what else is known of them.
pub(super) struct Solved {
    pub mixture: Mixture,
    /// What moves the weights, where the samples are known.
    pub analysis: Option<Analysis>,
}

impl Solved {
    /// Writes `report.html` into a run's folder.
    pub(super) fn write_report(&self, run: &Path) -> Result<PathBuf> {
        let path = run.join(REPORT);
        let page = report::html(&self.mixture, self.analysis.as_ref());
        publish(&path, page.as_bytes())?;
        Ok(path)
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<Ending> {
    anyhow::ensure!(
        arguments.run.exists(),
        "there is no {}: name the folder of a run, or a centroids.safetensors",
        arguments.run.display()
    );
    let folder = arguments.run.is_dir().then_some(arguments.run.as_path());
    let solved = match folder {
        Some(run) => match in_folder(run, &arguments.mix)? {
            Some(found) => found,
            None => return Ok(Ending::Resumable),
        },
        None => of_centroids(&arguments.run, &arguments.mix, &config::Mix::default())?,
    };
    if let Some(folder) = folder {
        write(&solved, folder)?;
    }
    if arguments.json {
        terminal::print(solved.mixture.to_bytes()?)?;
    } else {
        show(&solved)?;
    }
    Ok(Ending::Done)
}

/// The weights of a run's shards, whose centroids are written down; `None` where shards are missing. A folder that holds
/// no more than centroids gives the weights of those.
fn in_folder(run: &Path, arguments: &MixArguments) -> Result<Option<Solved>> {
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
        return Ok(Some(of_centroids(&file, arguments, &mix)?));
    };
    let mut config = configured()?;
    config.set_mix(arguments.over(&config.mix))?;
    check(&config, &manifest)?;
    let run = Run {
        config: &config,
        manifest: &manifest,
        store: &store,
    };
    match run.aggregate()? {
        Some(aggregated) => Ok(Some(solve(&run, &aggregated)?)),
        None => Ok(None),
    }
}

/// The weights of a run, with their intervals.
pub(super) fn solve(run: &Run<'_>, aggregated: &Aggregated) -> Result<Solved> {
    let mix = &run.config.mix;
    let mut mixture = mixture(&aggregated.centroids, mix)?;
    let replicates = run.replicates(&aggregated.domains, run.config.extract.seed)?;
    if aggregated.domains.len() <= Bootstrap::MAX_DOMAINS {
        warn_of_lost(mix, replicates.as_ref())?;
    }
    if let Some(replicates) = replicates {
        mixture = mixture.with_intervals(&replicates);
    }
    Ok(Solved {
        mixture,
        analysis: Some(run.analyse(aggregated)?),
    })
}

/// A replicate that leaves a domain without samples has no weights, and those that are left know nothing of that domain.
fn warn_of_lost(mix: &config::Mix, replicates: Option<&Replicates>) -> Result<()> {
    let found = replicates.map_or(0, |replicates| replicates.weights().len());
    let lost = mix.replicates as usize - found;
    // Of three samples or more hardly ever all are left out.
    if 20 * lost > mix.replicates as usize && mix.solver()?.rests_on() != RestsOn::Nothing {
        tracing::warn!(
            "{lost} of {} times the samples drawn again gave no weights: a domain has hardly any samples, and intervals say \
             nothing of what others would have been",
            mix.replicates
        );
    }
    Ok(())
}

/// The weights of centroids whose samples are not known.
fn of_centroids(file: &Path, arguments: &MixArguments, mix: &config::Mix) -> Result<Solved> {
    let centroids = Centroids::read(file)?;
    if let Some(argument) = arguments.beyond(&centroids) {
        return Err(ConfigError::Value {
            path: file.to_owned(),
            message: format!(
                "{argument} needs the shards of a run, and here are centroids alone: name the folder of the run"
            ),
        }
        .into());
    }
    let mixture = mixture(&centroids, &arguments.over(mix))?;
    Ok(Solved {
        mixture,
        analysis: None,
    })
}

fn mixture(centroids: &Centroids, mix: &config::Mix) -> Result<Mixture> {
    let solution = mix.solver()?.solve(centroids)?;
    let (datasets, provenance) = match centroids.origin() {
        Some(origin) => (origin.datasets.clone(), origin.provenance.clone()),
        None => (
            vec![Vec::new(); centroids.domains().len()],
            Provenance::unknown(),
        ),
    };
    let mut mixture = Mixture::new(centroids, &solution, &datasets, provenance)?;
    mixture.settings = MixtureSettings {
        temperature: mix.temperature,
        scaling: mix.scaling,
        hold: mix.hold.clone(),
        layer: centroids.origin().and_then(|origin| origin.layer.clone()),
        aggregation: centroids.origin().and_then(|origin| origin.aggregation),
    };
    Ok(mixture)
}

/// Writes the mixture and its report into a run's folder.
pub(super) fn write(solved: &Solved, run: &Path) -> Result<()> {
    let file = run.join(MIXTURE);
    solved.mixture.write(&file)?;
    let page = solved.write_report(run)?;
    tracing::info!(
        "the weights are in {}, and what moves them in {}",
        file.display(),
        page.display()
    );
    Ok(())
}

/// Prints the mixture as a table.
pub(super) fn show(solved: &Solved) -> Result<()> {
    terminal::print(report::mixture_table(&solved.mixture))
}
