//! A search that goes on: what was proposed and told lies in a folder, and what to try next, or what is best, follows from
//! it.
//!
//! [`Folder`] keeps trials; [`Study`] knows what they are of: its spaces, benchmarks and cells. A sequential search has
//! two spaces, of which the first has half of the runs.

mod analysis;
mod best;
mod error;
mod folder;
mod held;
mod mixture;
mod scores;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::{Map, Value, json};

use super::cells::with_cells;
use super::chance::Chance;
use super::runner::{StudyProblem, Trials};
use super::search::{Objective, Proposal, Rule, Run, Searcher, SoFar, rule};
use super::space::{Space, SpaceError, distance};
use super::surrogate::{Fit, SURROGATES};
use super::{Grid, Outcome, Predicted, Trial, proxy};
use crate::config::{self, Benchmark, Config, Search};

pub use best::{Best, Pays};
pub use error::StudyError;
pub use folder::Folder;

/// Where a study lies in a run's folder.
pub const FOLDER: &str = "atlas/study";
/// The file of a trial's mixture, in its folder.
pub const MIXTURE: &str = "mixture.json";
/// Shares nearer than this are the same; of mixtures their total variation.
const SAME: f64 = 1e-6;
/// What chose a trial that was made elsewhere.
pub const TOLD: &str = "told";

/// A search over the mixtures of a grid's cells.
pub struct Study {
    folder: Folder,
    grid: Grid,
    spaces: Vec<Space>,
    search: Search,
    seed: u64,
    benchmarks: Vec<Benchmark>,
    /// The config whose domains are the cells.
    cells: Config,
    /// Of what has to stay the same.
    fingerprint: String,
    fit: Option<&'static dyn Fit>,
    rule: Rule,
    /// Ends waiting for others that propose.
    stop: Option<Arc<AtomicBool>>,
}

/// What was learnt in one space.
pub struct Learnt<'a> {
    /// The space.
    pub space: &'a Space,
    /// The finished runs.
    pub runs: Vec<Run>,
    /// The numbers of their trials.
    pub numbers: Vec<u32>,
    /// What was learnt of them.
    pub objective: Objective,
    so_far: SoFar,
}

impl Study {
    /// Opens the study of a config, making it if there is none.
    ///
    /// # Errors
    /// When the grid does not fit the config, no mixture keeps all bounds, or the folder is of another search or cannot be
    /// used.
    pub fn open(config: &Config, grid: &Grid) -> Result<Self, StudyError> {
        Self::of(config, grid, Folder::open)
    }

    /// The study of a config as it stands, without making or changing anything: its trials can be read, and nothing be
    /// proposed or told where there is no study yet.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn look(config: &Config, grid: &Grid) -> Result<Self, StudyError> {
        Self::of(config, grid, Folder::look)
    }

    fn of(
        config: &Config,
        grid: &Grid,
        folder: impl Fn(&Path, &Value) -> Result<Folder, StudyError>,
    ) -> Result<Self, StudyError> {
        let atlas = config.atlas.clone().unwrap_or_default();
        let search = atlas.search;
        let spaces = Space::searched(grid, &search)?;
        let cells = with_cells(config, grid)?;
        let root = config.output.join(FOLDER);
        let searched = searched(&spaces, grid, &atlas.proxy);
        let folder = folder(&root, &searched)?;
        let benchmarks = if atlas.benchmarks.is_empty() && atlas.proxy.command.is_empty() {
            proxy::builtin::benchmarks(grid)
        } else {
            atlas.benchmarks
        };
        let entry = SURROGATES
            .iter()
            .find(|entry| entry.name == search.surrogate);
        Ok(Self {
            folder,
            grid: grid.clone(),
            spaces,
            seed: atlas.seed,
            benchmarks,
            cells,
            fingerprint: blake3::hash(searched.to_string().as_bytes())
                .to_hex()
                .to_string(),
            fit: entry.map(|entry| entry.fit),
            // A config's names are checked when it is read.
            rule: rule(&search.acquisition).unwrap_or(Rule::Ucb),
            search,
            stop: None,
        })
    }

    /// Waits for others that propose only until this is set.
    #[must_use]
    pub fn until_stopped(self, stop: Arc<AtomicBool>) -> Self {
        Self {
            stop: Some(stop),
            ..self
        }
    }

    /// Learns with something else than the config says.
    #[must_use]
    pub fn with_surrogate(self, fit: &'static dyn Fit) -> Self {
        Self {
            fit: Some(fit),
            ..self
        }
    }

    /// The folder of its trials.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// What is searched: two spaces one after the other, or one.
    pub fn spaces(&self) -> &[Space] {
        &self.spaces
    }

    /// What it is searched for.
    pub fn benchmarks(&self) -> &[Benchmark] {
        &self.benchmarks
    }

    /// All trials, by number, with what came of them.
    ///
    /// # Errors
    /// When a file cannot be read, or holds something else than was written.
    pub fn trials(&self) -> Result<Vec<Trial>, StudyError> {
        let trials = self.folder.trials()?;
        for trial in &trials {
            self.check(trial)?;
        }
        Ok(trials)
    }

    /// Whether what was told of a trial can be used: benchmarks may have been added since.
    ///
    /// # Errors
    /// When a benchmark is missing, or no result.
    pub fn check_told(&self, trial: &Trial) -> Result<(), StudyError> {
        match &trial.outcome {
            Some(outcome) => folder::check(trial.number, outcome, &self.benchmarks),
            None => Ok(()),
        }
    }

    /// Proposes `n` trials and writes them down, each with its mixture. Others that propose wait for it; whoever tells does
    /// not, and what is told meanwhile counts for the next proposals.
    ///
    /// # Errors
    /// When nothing can be learnt, no mixture is left, or the folder cannot be used.
    pub fn propose(&self, n: usize) -> Result<Vec<Trial>, StudyError> {
        let _proposing = self.folder.proposing(self.stop.as_deref())?;
        let before = self.trials()?;
        // What a process that was killed left out.
        for trial in &before {
            self.write_mixture(trial)?;
        }
        let mut new = Vec::new();
        for (stage, n) in self.stages(&before, n) {
            let space = &self.spaces[stage];
            let (so_far, _) = self.so_far(space, &before)?;
            let proposals = self.searcher(stage)?.propose(&so_far, n)?;
            new.extend(proposals.into_iter().map(|proposal| (space, proposal)));
        }
        let lock = self.folder.lock()?;
        let added = self.folder.add(&lock, new, |(space, proposal), number| {
            self.trial(space, proposal, number)
        })?;
        drop(lock);
        for trial in &added {
            self.write_mixture(trial)?;
        }
        Ok(added)
    }

    /// Says what came of a trial: metrics, all of them finite and all benchmarks among them, or why there are none. The
    /// same may be said again.
    ///
    /// # Errors
    /// When there is no such trial, the metrics cannot be used, or something else was told before.
    pub fn tell(&self, number: u32, outcome: &Outcome) -> Result<(), StudyError> {
        self.folder.tell(number, outcome, &self.benchmarks, false)
    }

    /// As [`tell`](Self::tell), in place of what was told before, which is kept beside it.
    ///
    /// # Errors
    /// As [`tell`](Self::tell), but for what was told before.
    pub fn tell_instead(&self, number: u32, outcome: &Outcome) -> Result<(), StudyError> {
        self.folder.tell(number, outcome, &self.benchmarks, true)
    }

    /// Adds a run that was made elsewhere, by the shares of the cells, in the grid's order.
    ///
    /// # Errors
    /// When the mixture is not of this study's space, or the metrics cannot be used.
    pub fn tell_run(&self, weights: &[f64], outcome: &Outcome) -> Result<Trial, StudyError> {
        let (space, point) = self.placed(weights).map_err(StudyError::Mixture)?;
        let checked = |number| folder::check(number, outcome, &self.benchmarks);
        checked(
            self.trials()?
                .last()
                .map_or(1, |trial| trial.number.saturating_add(1)),
        )?;
        let proposal = Proposal {
            by: TOLD.into(),
            predicted: self.expected(space, &point)?,
            point,
        };
        let lock = self.folder.lock()?;
        let added = self
            .folder
            .add(&lock, vec![proposal], |proposal, number| Trial {
                outcome: Some(outcome.clone()),
                ..self.trial(space, proposal, number)
            })?;
        drop(lock);
        let trial = added.into_iter().next().ok_or(StudyError::NoMixture)?;
        self.write_mixture(&trial)?;
        Ok(trial)
    }

    /// Shares by the names of the cells, in the order of the grid.
    ///
    /// # Errors
    /// When a name is no cell's, or a cell has none.
    pub fn in_order<'a>(
        &self,
        shares: impl IntoIterator<Item = (&'a str, f64)>,
    ) -> Result<Vec<f64>, StudyError> {
        let ordered = self.spaces[0].in_order(shares);
        ordered.map_err(StudyError::Mixture)
    }

    /// What was learnt in each space, in their order.
    ///
    /// # Errors
    /// When there are too few finished runs, or nothing can be learnt of them.
    pub fn learnt(&self) -> Result<Vec<Learnt<'_>>, StudyError> {
        let trials = self.trials()?;
        let spaces = 0..self.spaces.len();
        spaces
            .map(|stage| self.widened_in(stage, &trials))
            .collect()
    }

    /// What was learnt in a space, with intervals as wide as those that were said before the runs should have been.
    fn widened_in(&self, stage: usize, trials: &[Trial]) -> Result<Learnt<'_>, StudyError> {
        let learnt = self.learnt_in(stage, trials)?;
        Ok(Learnt {
            objective: learnt.objective.widened(&self.factors(trials)),
            ..learnt
        })
    }

    /// By what the intervals of each benchmark are widened.
    fn factors(&self, trials: &[Trial]) -> Vec<f64> {
        let factor = |benchmark: &Benchmark| held::factor(trials, &benchmark.name);
        self.benchmarks.iter().map(factor).collect()
    }

    fn learnt_in(&self, stage: usize, trials: &[Trial]) -> Result<Learnt<'_>, StudyError> {
        let space = &self.spaces[stage];
        let (so_far, numbers) = self.so_far(space, trials)?;
        Ok(Learnt {
            space,
            objective: self.searcher(stage)?.learn(&so_far)?,
            runs: so_far.told.clone(),
            numbers,
            so_far,
        })
    }

    /// What was expected of a mixture made elsewhere, if anything could be.
    fn expected(
        &self,
        space: &Space,
        point: &[f64],
    ) -> Result<BTreeMap<String, Predicted>, StudyError> {
        let stage = self.spaces.iter().position(|other| other == space);
        let trials = self.trials()?;
        match self.learnt_in(stage.unwrap_or(0), &trials) {
            Ok(learnt) => Ok(learnt.objective.predicted(point)),
            Err(StudyError::Search(error)) if error.is_too_few() => Ok(BTreeMap::new()),
            Err(error) => Err(error),
        }
    }

    fn placed(&self, weights: &[f64]) -> Result<(&Space, Vec<f64>), SpaceError> {
        let mut refused = SpaceError::Empty;
        for space in &self.spaces {
            match space.point_of(weights) {
                Ok(point) => return Ok((space, point)),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    /// How many of the next `n` trials go to which space.
    fn stages(&self, trials: &[Trial], n: usize) -> Vec<(usize, usize)> {
        let first = self.spaces[0].name();
        let of_first = trials.iter().filter(|trial| trial.space == first).count();
        let left = match self.spaces.len() {
            1 => n,
            _ => self.first_stage().saturating_sub(of_first).min(n),
        };
        let stages = [(0, left), (1, n - left)];
        stages.into_iter().filter(|(_, n)| *n > 0).collect()
    }

    /// The runs of the first of two spaces.
    fn first_stage(&self) -> usize {
        (self.search.runs as usize).div_ceil(2)
    }

    fn searcher(&self, stage: usize) -> Result<Searcher<'_>, StudyError> {
        let missing = || StudyError::NoSurrogate(self.search.surrogate.clone());
        let initial = self.search.initial as usize;
        Ok(Searcher {
            space: &self.spaces[stage],
            benchmarks: &self.benchmarks,
            combine: self.search.combine,
            fit: self.fit.ok_or_else(missing)?,
            rule: self.rule,
            initial: match self.spaces.len() {
                1 => initial,
                _ => initial.min(self.first_stage()),
            },
            distance_penalty: self.search.distance_penalty,
            seed: self.seed,
        })
    }

    /// What was tried in a space, and the numbers of the trials that were told.
    fn so_far(&self, space: &Space, trials: &[Trial]) -> Result<(SoFar, Vec<u32>), StudyError> {
        let mut so_far = SoFar {
            units: self.units(trials),
            ..SoFar::default()
        };
        let mut numbers = Vec::new();
        for trial in trials.iter().filter(|trial| trial.space == space.name()) {
            let point = trial.point.clone();
            match &trial.outcome {
                None => so_far.pending.push(point),
                Some(Outcome::Failed(_)) => so_far.failed.push(point),
                Some(outcome @ Outcome::Told(metrics)) => {
                    // It may have been told when other benchmarks counted.
                    folder::check(trial.number, outcome, &self.benchmarks)?;
                    numbers.push(trial.number);
                    so_far.told.push(Run {
                        point,
                        metrics: metrics.clone(),
                    });
                }
            }
        }
        Ok((so_far, numbers))
    }

    fn trial(&self, space: &Space, proposal: Proposal, number: u32) -> Trial {
        // What overflowed says nothing.
        let mut predicted = proposal.predicted;
        predicted.retain(|_, of| of.mean.is_finite() && of.deviation.is_finite());
        Trial {
            number,
            space: space.name().to_owned(),
            weights: space.weights(&proposal.point),
            point: proposal.point,
            // Of 31 bits, which every framework takes.
            seed: Chance::of(self.seed, "proxy run", number.into()).bits() >> 33,
            by: proposal.by,
            predicted,
            outcome: None,
        }
    }

    /// Refuses a trial that cannot be this study's.
    fn check(&self, trial: &Trial) -> Result<(), StudyError> {
        let space = self.spaces.iter().find(|space| space.name() == trial.space);
        let problem = match space {
            None => Some(format!("it is of the space \"{}\"", trial.space)),
            Some(space) if space.len() != trial.point.len() => Some(format!(
                "its point has {} shares, and not {}",
                trial.point.len(),
                space.len()
            )),
            Some(space) if space.cells().len() != trial.weights.len() => Some(format!(
                "it has {} weights, and not {}",
                trial.weights.len(),
                space.cells().len()
            )),
            Some(space) => wrong_shares(space, trial),
        };
        match problem {
            None => Ok(()),
            Some(problem) => {
                let path = self.folder.of_trial(trial.number).join("trial.json");
                Err(folder::content(&path, problem))
            }
        }
    }
}

/// What is wrong with a trial's shares, if anything is; it has as many as its space.
fn wrong_shares(space: &Space, trial: &Trial) -> Option<String> {
    let mut shares = trial.point.iter().chain(&trial.weights);
    if let Some(share) = shares.find(|share| !(0.0..=1.0 + 1e-9).contains(*share)) {
        return Some(format!("one of its shares is {share}"));
    }
    for (simplex, shares) in space.split(&trial.point) {
        let sum: f64 = shares.iter().sum();
        if (sum - 1.0).abs() > SAME {
            let axis = simplex.axis.as_str();
            return Some(format!("the {axis} shares of its point sum to {sum}"));
        }
    }
    let off = distance(&space.weights(&trial.point), &trial.weights);
    (off.is_nan() || off > SAME).then(|| "its weights are not those of its point".to_owned())
}

/// What has to stay the same for trials to be worth something to each other: the shares that are searched, the samples
/// that they are of, and how many of them a run takes in which way. The command may be mended.
fn searched(spaces: &[Space], grid: &Grid, proxy: &config::Proxy) -> Value {
    let records: Vec<_> = spaces.iter().map(Space::record).collect();
    let names: Vec<&str> = spaces.iter().map(Space::name).collect();
    let levels: Map<String, Value> = records
        .iter()
        .flat_map(|record| &record.simplexes)
        .map(|simplex| {
            (
                simplex.axis.as_str().to_owned() + "s",
                json!(simplex.levels),
            )
        })
        .collect();
    let samples: Map<String, Value> = grid
        .cells
        .iter()
        .map(|cell| (cell.name.clone(), json!(cell.samples())))
        .collect();
    json!({
        "space": names.join(" and "),
        "levels": levels,
        "samples": samples,
        "atlas.proxy": {"budget": proxy.budget, "export": proxy.export},
    })
}

impl Trials for Study {
    fn trials(&self) -> Result<Vec<Trial>, StudyProblem> {
        Ok(Self::trials(self)?)
    }

    fn propose(&self, n: usize) -> Result<Vec<Trial>, StudyProblem> {
        Ok(Self::propose(self, n)?)
    }

    fn tell(&self, number: u32, outcome: Outcome) -> Result<(), StudyProblem> {
        Ok(Self::tell(self, number, &outcome)?)
    }

    fn folder(&self) -> PathBuf {
        self.folder.root().to_owned()
    }

    fn trial_folder(&self, number: u32) -> PathBuf {
        self.folder.of_trial(number)
    }
}

#[cfg(test)]
mod tests;
