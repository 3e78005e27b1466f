//! `madmix plan`: what is in the data, what is wrong with it, and what a run would take. Reads every chosen sample and the
//! headers of its pictures, changes nothing, and needs neither a device nor the checkpoint's weights.

mod machine;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result};
use clap::Args;
use indicatif::ProgressBar;

use super::ground::{self, FileBars, Ground};
use super::{Ending, stop, terminal};
use crate::dataset::{self, Dataset};
use crate::extract::survey::{self, Step, Subject, Survey, Watch};
use crate::extract::{self, ExtractError, check_faults, too_many};
use crate::report::{PlanReport, plan_json, plan_text};
use crate::vlm::Cost;
use machine::Place;

#[derive(Args)]
pub(super) struct Arguments {
    /// The TOML file that describes the run.
    config: PathBuf,
    /// Measure every row, not only the samples that a run takes.
    #[arg(long)]
    all: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A dataset that was opened, with the samples it is to give.
struct Opened {
    name: String,
    dataset: Box<dyn Dataset>,
    chosen: Vec<u64>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Ending> {
    stop::at_once().context("listening for signals")?;
    let path = &arguments.config;
    let config = ground::config(path)?;
    let bars = Arc::new(FileBars::default());
    let ground = Ground::open(config, path, &bars)?;
    bars.clear();
    let place = Place::find(&ground, path)?;
    let (checkpoint, config) = (&ground.checkpoint, &ground.config);
    tracing::info!(
        "{} ({}), {} on {}",
        checkpoint.name,
        checkpoint.family,
        place.dtype.as_str(),
        place.description
    );
    let preparer = ground.preparer()?;
    let cost = Cost::new(&checkpoint.family, &config.extract.layers)?;
    let domains = open_all(&ground)?;
    let mut subjects = Vec::new();
    for (domain, datasets) in config.domains.iter().zip(domains.iter()) {
        subjects.extend(datasets.iter().map(|opened| Subject {
            name: &opened.name,
            domain: &domain.name,
            dataset: opened.dataset.as_ref(),
            chosen: &opened.chosen,
        }));
    }
    let survey = survey::survey(&subjects, &preparer, &cost, arguments.all, &Bars::default());
    let forecast = survey::forecast(
        (&checkpoint.family, place.dtype),
        config.extract.layers.len(),
        [survey.total.rows, survey.total.samples],
        &survey.work,
        &place.machine,
        place.rate(),
    );
    let report = PlanReport {
        checkpoint: &checkpoint.name,
        family: checkpoint.family.to_string(),
        dtype: place.dtype.as_str(),
        device: &place.description,
        here: place.is_here(),
        cuda: place.machine.cuda,
        batch_tokens: place.machine.budget.tokens,
        all: arguments.all,
        survey: &survey,
        forecast: &forecast,
    };
    terminal::print(if arguments.json {
        plan_json(&report)?
    } else {
        plan_text(&report)
    })?;
    if let Some(fault) = preparer.machine_fault() {
        return Err(anyhow::anyhow!("{fault}"));
    }
    within_limits(&subjects, &survey, config.extract.max_failure_rate)?;
    Ok(Ending::Done)
}

/// Opens all datasets; says of all that cannot be opened why.
fn open_all(ground: &Ground) -> Result<Vec<Vec<Opened>>> {
    let extract = &ground.config.extract;
    let domains = ground.open_datasets(|spec, progress| {
        let opened = dataset::open_with(&spec.spec(), progress);
        Ok(opened.map(|dataset| Opened {
            name: spec.name.clone(),
            chosen: extract::order(dataset.as_ref(), extract),
            dataset,
        }))
    })?;
    let mut broken = None;
    let mut sound = Vec::new();
    for datasets in domains {
        let mut opened = Vec::new();
        for dataset in datasets {
            match dataset {
                Ok(dataset) => opened.push(dataset),
                Err(error) => {
                    if let Some(before) = broken.replace(anyhow::Error::from(error)) {
                        terminal::error(&before);
                    }
                }
            }
        }
        sound.push(opened);
    }
    broken.map_or(Ok(sound), Err)
}

/// Holds the samples and the files of all datasets against the limit; says all that exceeds it.
fn within_limits(subjects: &[Subject<'_>], survey: &Survey, rate: f64) -> Result<(), ExtractError> {
    let faults = check_faults(
        subjects
            .iter()
            .map(|subject| (subject.name, subject.dataset)),
        rate,
    );
    let failures = too_many(
        survey.datasets.iter().filter_map(survey::Found::lost),
        rate,
        None,
    );
    match (faults, failures) {
        (Err(faults), Err(failures)) => {
            terminal::error(&faults.into());
            Err(failures)
        }
        (faults, failures) => faults.and(failures),
    }
}

/// A bar for each step.
#[derive(Default)]
struct Bars(Mutex<Option<ProgressBar>>);

impl Watch for Bars {
    fn begin(&self, step: Step, parts: u64) {
        let title = match step {
            Step::Measuring => "measuring samples",
            Step::Comparing => "comparing pictures",
        };
        if let Ok(mut bar) = self.0.lock()
            && let Some(last) = bar.replace(terminal::bar(title, parts, false))
        {
            last.finish_and_clear();
        }
    }

    fn advance(&self, parts: u64) {
        if let Ok(bar) = self.0.lock()
            && let Some(bar) = &*bar
        {
            bar.inc(parts);
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        if let Ok(Some(bar)) = self.0.get_mut().map(Option::take) {
            bar.finish_and_clear();
        }
    }
}
