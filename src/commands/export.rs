//! `madmix export`: a mixture as a trainer reads it. Needs neither checkpoint nor GPU; of the data only what the trainer
//! cannot read as it is.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, ValueEnum};
use rayon::prelude::*;

use super::aggregate::MIXTURE;
use super::{Ending, terminal};
use crate::atlas::cells;
use crate::config::{self, Config};
use crate::dataset::{self, DatasetProblem};
use crate::export::{
    self, ExportError, Folder, Plan, Prepared, Request, Source, TRAINERS, TrainerEntry, Unit,
};
use crate::mix::Mixture;
use crate::printable::printable;
use crate::report;

#[derive(Args)]
pub(super) struct Arguments {
    /// The folder of a run that is solved, or a mixture.json.
    #[arg(required_unless_present = "list")]
    run: Option<PathBuf>,
    /// The trainer; --list lists them.
    #[arg(long, value_name = "TRAINER", required_unless_present = "list")]
    to: Option<String>,
    /// How many samples are drawn in all; counts per dataset are then exact.
    #[arg(long, value_name = "SAMPLES", conflicts_with_all = ["steps", "batch"])]
    budget: Option<u64>,
    /// The budget as steps times --batch.
    #[arg(long, value_name = "N", requires = "batch")]
    steps: Option<u64>,
    /// Samples of a step, over all devices.
    #[arg(long, value_name = "B", requires = "steps")]
    batch: Option<u64>,
    /// How often a domain's rows may be seen on average within the budget; what a domain cannot give falls to the others.
    #[arg(long, value_name = "E")]
    max_epochs: Option<f64>,
    /// The same for one domain; may be given again.
    #[arg(long, value_name = "DOMAIN=E", value_parser = domain_epochs)]
    max_epochs_of: Vec<(String, f64)>,
    /// What the trainer draws by its weights; tokens is for those that draw packed sequences.
    #[arg(long, value_enum, default_value_t = By::Samples)]
    by: By,
    /// The config that says where the datasets lie, in place of the run's: another machine's, or another model's.
    #[arg(long)]
    config: Option<PathBuf>,
    /// The folder to write into [default: export/TRAINER in the run's folder].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Seeds what is left to chance.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// List the trainers.
    #[arg(long)]
    list: bool,
    /// Print the plan as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum By {
    Samples,
    Tokens,
}

fn domain_epochs(text: &str) -> Result<(String, f64), String> {
    let (domain, epochs) = text
        .rsplit_once('=')
        .ok_or("it has to be DOMAIN=E, such as \"General OCR=3\"")?;
    let epochs = epochs
        .trim()
        .parse()
        .map_err(|_| format!("`{epochs}` is no number"))?;
    Ok((domain.trim().to_owned(), epochs))
}

impl Arguments {
    fn request(&self) -> Request {
        let steps = match (self.steps, self.batch) {
            // A product that is too large is also too large a budget.
            (Some(steps), Some(batch)) => Some(steps.saturating_mul(batch)),
            _ => None,
        };
        Request {
            budget: self.budget.or(steps),
            max_epochs: self.max_epochs,
            max_epochs_of: self.max_epochs_of.iter().cloned().collect(),
            unit: match self.by {
                By::Samples => Unit::Samples,
                By::Tokens => Unit::Tokens,
            },
            seed: self.seed,
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<Ending> {
    let (Some(run), Some(to)) = (&arguments.run, &arguments.to) else {
        terminal::print(list())?;
        return Ok(Ending::Done);
    };
    let entry = export::trainer(to)?;
    let request = arguments.request();
    if request.unit == Unit::Tokens && !entry.trainer.draws_tokens() {
        return Err(ExportError::DrawsSamples {
            trainer: entry.name,
        }
        .into());
    }
    let home = Home::of(run)?;
    let mixture = Mixture::read(&home.mixture)?;
    let config = Config::read(&home.config(arguments.config.as_deref())?)?;
    let config = cells::resolved(config)?;
    let specs: Vec<_> = config
        .domains
        .iter()
        .flat_map(|domain| domain.datasets.iter().map(config::Dataset::spec))
        .collect();
    // Also while rows are written.
    let _shared = dataset::share(&specs);
    let sources = sources(&mixture, &config)?;
    // Relative paths would not be found from where the trainer starts.
    let out = arguments.out.clone();
    let out = out.unwrap_or_else(|| home.folder.join("export").join(entry.name));
    let out = std::path::absolute(&out).unwrap_or(out);
    let mut folder = Folder::with_progress(&out, progress());
    let Prepared { plan, notes } = export::prepare(
        &mixture,
        &sources,
        &request,
        entry.trainer.needs(),
        &mut folder,
    )?;
    let rows = folder.written().len();
    for note in notes {
        tracing::info!("{}", printable(&note));
    }
    tell_caps(&mixture, &plan);
    let usage = entry.trainer.write(&plan, &mut folder)?;
    // The files of rows are in the notes.
    for file in &folder.written()[rows..] {
        tracing::info!("wrote {}", file.display());
    }
    let text = if arguments.json {
        format!("{:#}\n", plan.to_json())
    } else {
        format!("{}\n{usage}", table(&plan))
    };
    terminal::print(text)?;
    Ok(Ending::Done)
}

/// Where a mixture lies.
struct Home {
    folder: PathBuf,
    mixture: PathBuf,
}

impl Home {
    fn of(run: &Path) -> Result<Self> {
        anyhow::ensure!(
            run.exists(),
            "there is no {}: name the folder of a run, or a mixture.json",
            run.display()
        );
        if !run.is_dir() {
            let parent = run.parent().map_or_else(PathBuf::new, Path::to_owned);
            return Ok(Self {
                folder: parent,
                mixture: run.to_owned(),
            });
        }
        let mixture = run.join(MIXTURE);
        anyhow::ensure!(
            mixture.exists(),
            "{} has no {MIXTURE}: `madmix solve {0}` writes it once all shards are there",
            run.display()
        );
        Ok(Self {
            folder: run.to_owned(),
            mixture,
        })
    }

    fn config(&self, other: Option<&Path>) -> Result<PathBuf, ExportError> {
        if let Some(other) = other {
            return Ok(other.to_owned());
        }
        let own = self.folder.join("config.toml");
        if own.exists() {
            return Ok(own);
        }
        Err(ExportError::NoConfig {
            path: self.mixture.clone(),
        })
    }
}

/// The datasets of the config. Those that the mixture draws from are opened where they are at hand, as counts rest on
/// how many rows there are now and here.
pub(super) fn sources(mixture: &Mixture, config: &Config) -> Result<Vec<Source>> {
    let known = |name: &str| {
        let mut drawn = mixture
            .domains
            .iter()
            .filter(|domain| domain.weight > 0.0)
            .flat_map(|domain| &domain.datasets);
        drawn
            .find(|dataset| dataset.name == name)
            .map(|dataset| dataset.size)
    };
    let datasets: Vec<(&config::Domain, &config::Dataset)> = config
        .domains
        .iter()
        .flat_map(|domain| domain.datasets.iter().map(move |dataset| (domain, dataset)))
        .collect();
    let bar = terminal::bar("opening datasets", datasets.len() as u64, false);
    let source = |(domain, dataset): &(&config::Domain, &config::Dataset)| {
        let spec = dataset.spec();
        let rows = match known(&spec.name) {
            Some(size) => rows(&spec, size, &|_, _| bar.tick())?,
            None => None,
        };
        bar.inc(1);
        Ok(Source {
            domain: domain.name.clone(),
            spec,
            rows,
        })
    };
    let sources = datasets.par_iter().map(source).collect::<Result<Vec<_>>>();
    bar.finish_and_clear();
    sources
}

/// How many rows a dataset has, where it is at hand; `size` is what the mixture says.
fn rows(
    spec: &dataset::DatasetSpec,
    size: u64,
    progress: dataset::Progress<'_>,
) -> Result<Option<u64>> {
    match dataset::open_with(spec, progress) {
        Ok(dataset) => {
            let rows = dataset.len();
            if rows != size {
                tracing::warn!(
                    "dataset {} has {rows} rows here, and had {size} when the mixture was solved: counts go by the {rows}",
                    printable(&spec.name)
                );
            }
            Ok(Some(rows))
        }
        Err(error) if matches!(error.problem, DatasetProblem::NoFile) => {
            tracing::warn!(
                "dataset {}: there is no {} here; its {size} rows are taken from the mixture",
                printable(&spec.name),
                spec.path.display()
            );
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

fn tell_caps(mixture: &Mixture, plan: &Plan) {
    if plan.budget.is_none() {
        return;
    }
    for (domain, planned) in mixture.domains.iter().zip(&plan.domains) {
        if planned.weight < domain.weight * (1.0 - 1e-9) {
            tracing::warn!(
                "max-epochs holds domain {} at {:.2} % in place of {:.2} %; the rest falls to the others",
                printable(&domain.name),
                100.0 * planned.weight,
                100.0 * domain.weight
            );
        }
    }
}

fn progress() -> export::Progress {
    let bar = terminal::bar("writing rows", 0, false);
    Box::new(move |done, total| {
        bar.set_length(total);
        bar.set_position(done);
        if done >= total {
            bar.finish_and_clear();
        }
    })
}

fn list() -> String {
    let row = |entry: &TrainerEntry| vec![entry.name.to_owned(), entry.summary.to_owned()];
    report::align(&TRAINERS.iter().map(row).collect::<Vec<_>>(), 2)
}

fn table(plan: &Plan) -> String {
    let header = ["dataset", "domain", "weight %", "size", "count", "epochs"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    let known = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    rows.extend(plan.datasets().map(|(domain, dataset)| {
        vec![
            report::shown(&dataset.spec.name),
            report::shown(&domain.name),
            format!("{:.2}", 100.0 * dataset.weight),
            dataset.size.to_string(),
            known(dataset.count.map(|count| count.to_string())),
            known(dataset.epochs().map(|epochs| format!("{epochs:.2}"))),
        ]
    }));
    report::align(&rows, 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domains_name_may_hold_an_equals_sign() {
        assert_eq!(domain_epochs("a=b = 1.5"), Ok(("a=b".to_owned(), 1.5)));
        assert!(domain_epochs("a").is_err() && domain_epochs("a=b").is_err());
    }
}
