//! `madmix atlas run`: the whole search. Labels where there are none, and then mixtures are proposed, tried and told until
//! there are enough.

mod data;
mod progress;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result};
use clap::Args;

use self::progress::Progress;
use super::{best, label, stored_grid};
use crate::atlas::cells::with_cells;
use crate::atlas::proxy::Proxy;
use crate::atlas::proxy::builtin::BuiltinProxy;
use crate::atlas::proxy::command::{CommandProxy, Exporter};
use crate::atlas::runner::{Finish, Runner};
use crate::atlas::study::{Study, StudyError};
use crate::atlas::{Grid, StoredGrid, Trial};
use crate::commands::export::sources;
use crate::commands::{Ending, ground, stop, terminal};
use crate::config::{self, Atlas, Config};
use crate::dataset::{self, Shared};

#[derive(Args)]
pub(super) struct Arguments {
    /// The TOML file that describes the run.
    config: PathBuf,
    /// Try this trial and no other, as a task of a batch system does.
    #[arg(long, value_name = "N", conflicts_with_all = ["until", "array", "json"])]
    trial: Option<u32>,
    /// How many runs are to be told in all, in place of the config's `runs`.
    #[arg(long, value_name = "RUNS")]
    until: Option<u32>,
    /// Print the numbers of up to Q trials to try next, as `sbatch --array` takes them, and try none: those that are
    /// pending, and new ones. Nothing is printed once enough are told.
    #[arg(long, value_name = "Q", conflicts_with = "json")]
    array: Option<u32>,
    /// Print the best mixture as JSON.
    #[arg(long)]
    json: bool,
}

/// What is searched, and how.
struct Search<'a> {
    path: &'a Path,
    config: &'a Config,
    atlas: &'a Atlas,
    grid: &'a Grid,
    fingerprint: &'a str,
    study: &'a Study,
    stop: &'a AtomicBool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Ending> {
    let stop = stop::on_signal().context("listening for signals")?;
    let path = &arguments.config;
    let config = ground::plain_config(path)?;
    let whole = arguments.trial.is_none() && arguments.array.is_none();
    let Some(StoredGrid {
        grid, fingerprint, ..
    }) = grid(&config, path, whole, &stop)?
    else {
        return Ok(interrupted(path));
    };
    let study = Study::open(&config, &grid)?.until_stopped(Arc::clone(&stop));
    let atlas = config.atlas.clone().unwrap_or_default();
    let search = Search {
        path,
        config: &config,
        atlas: &atlas,
        grid: &grid,
        fingerprint: &fingerprint,
        study: &study,
        stop: &stop,
    };
    let finish = search.go(arguments)?;
    if let Some(finish) = finish {
        match finish {
            Finish::Stopped => return Ok(interrupted(path)),
            Finish::Taken => {
                tracing::warn!("somebody else is at that trial");
                return Ok(Ending::Resumable);
            }
            Finish::Complete => {}
        }
    }
    if whole {
        let until = arguments.until.unwrap_or(atlas.search.runs);
        say_best(&study, arguments.json, until < atlas.search.runs)?;
    }
    Ok(Ending::Done)
}

/// The answer. Where more runs are to come, it may be that there are too few for one.
fn say_best(study: &Study, json: bool, more: bool) -> Result<()> {
    match best::conclude(study, json) {
        Err(error) if error.downcast_ref().is_some_and(StudyError::is_too_few) => {
            // The config is as it should be, so this is not the error that it is for `best`.
            anyhow::ensure!(
                more,
                "all runs are told, and there is no best mixture: {error:#}"
            );
            tracing::warn!(
                "{error:#}: with more runs, `madmix atlas best` says which mixture is best"
            );
            Ok(())
        }
        ended => ended,
    }
}

fn interrupted(path: &Path) -> Ending {
    tracing::warn!(
        "interrupted; every run that is told is kept, and the others are tried anew. To go on from there: madmix atlas run {}",
        path.display()
    );
    Ending::Resumable
}

/// The grid of a config, which is made if there is none; `None` if that was interrupted.
fn grid(config: &Config, path: &Path, make: bool, stop: &AtomicBool) -> Result<Option<StoredGrid>> {
    if let Some(grid) = stored_grid(config)? {
        return Ok(Some(grid));
    }
    anyhow::ensure!(
        make,
        "nothing is labelled yet: run `madmix atlas label {}` first",
        path.display()
    );
    if label::labels(path, false, stop)?.is_none() {
        return Ok(None);
    }
    stored_grid(config)
}

impl Search<'_> {
    /// Does what was asked for; `None` where no trial was to be tried.
    fn go(&self, arguments: &Arguments) -> Result<Option<Finish>> {
        let until = arguments.until.unwrap_or(self.atlas.search.runs);
        let settings = &self.atlas.proxy;
        let devices = match arguments.trial {
            // A batch system gives each of its tasks what it is to have.
            Some(_) => visible_devices().into_iter().collect(),
            None => settings.devices.clone(),
        };
        let progress = Progress::new(self.study, until);
        let listener = |event: crate::atlas::runner::Event<'_>| progress.hear(event);
        let runner = Runner {
            trials: self.study,
            proxy: &Nothing,
            devices: &devices,
            slots: self.slots(),
            batch: self.atlas.search.batch as usize,
            until: until as usize,
            stop: self.stop,
            listener: &listener,
        };
        if let Some(q) = arguments.array {
            let numbers = match runner.next_trials(q as usize) {
                Err(error) if error.is_interrupted() => return Ok(Some(Finish::Stopped)),
                numbers => numbers?,
            };
            let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
            if !numbers.is_empty() {
                terminal::print(numbers.join(",") + "\n")?;
            }
            return Ok(None);
        }
        let try_with = |proxy: &dyn Proxy| -> Result<Finish> {
            let runner = Runner { proxy, ..runner };
            let finish = match arguments.trial {
                Some(number) => runner.run_one(number),
                None => runner.run(),
            };
            progress.finish();
            match finish {
                Err(error) if error.is_interrupted() => Ok(Finish::Stopped),
                finish => Ok(finish?),
            }
        };
        if settings.command.is_empty() {
            let Some(data) = data::read(self.config, self.path, self.grid, self.stop)? else {
                return Ok(Some(Finish::Stopped));
            };
            return try_with(&BuiltinProxy::new(self.grid, data, settings.budget)).map(Some);
        }
        if !CommandProxy::takes_mixture(settings) {
            tracing::warn!(
                "no argument of atlas.proxy.command is {{mixture}}: it has to find the mixture by $MADMIX_MIXTURE"
            );
        }
        let mixture = |trial: &Trial| {
            let mixture = self.study.mixture(&trial.weights);
            mixture.map_err(|error| error.to_string())
        };
        let benchmarks = self.study.benchmarks();
        let (exporter, _shared) = self.exporter()?.unzip();
        let proxy = CommandProxy::new(settings, benchmarks, &mixture, exporter);
        try_with(&proxy).map(Some)
    }

    /// How many run at a time where no devices are named. The proxy that comes along takes little of a machine.
    fn slots(&self) -> usize {
        if !self.atlas.proxy.command.is_empty() {
            return 1;
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        cores.min(self.atlas.search.batch as usize)
    }

    /// What writes mixtures for the trainer, if one is named; beside it the datasets, which are to be open as long, as each
    /// has many cells.
    fn exporter(&self) -> Result<Option<(Exporter, Shared)>> {
        let settings = &self.atlas.proxy;
        let Some(trainer) = &settings.export else {
            return Ok(None);
        };
        let cells = with_cells(self.config, self.grid)?;
        let datasets = cells.domains.iter().flat_map(|domain| &domain.datasets);
        let specs: Vec<_> = datasets.map(config::Dataset::spec).collect();
        let shared = dataset::share(&specs);
        let count = self.grid.cells.len();
        // Of all cells, whatever a mixture takes.
        let even = self.study.mixture(&vec![1.0 / count as f64; count])?;
        let rows = self.config.output.join("atlas/export").join(trainer);
        let sources = sources(&even, &cells)?;
        let exporter = Exporter::new(trainer, sources, settings.budget, rows, self.fingerprint)?;
        Ok(Some((exporter, shared)))
    }
}

/// The devices that a batch system gives to this process.
fn visible_devices() -> Option<String> {
    std::env::var("CUDA_VISIBLE_DEVICES")
        .ok()
        .filter(|devices| !devices.is_empty())
}

/// For where nothing is tried.
struct Nothing;

impl Proxy for Nothing {
    fn run(
        &self,
        _: &Trial,
        _: &Path,
        _: Option<&str>,
        _: &AtomicBool,
    ) -> Result<std::collections::BTreeMap<String, f64>, crate::atlas::proxy::ProxyError> {
        Err(crate::atlas::proxy::ProxyError::Stopped)
    }
}
