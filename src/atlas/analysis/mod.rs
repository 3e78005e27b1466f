//! What a search found out, for people: whether its predictions can be trusted, how far it came, and what matters.

mod effects;
mod fit;

use serde::{Deserialize, Serialize};

use super::{Grid, Trial};
use crate::config::Benchmark;

pub use effects::{Effect, Interaction, Level, effects, interactions};
pub use fit::{Band, Fitted, Ranks, bands, ranks};

/// A search with what was learnt in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// The cells.
    pub grid: Grid,
    /// The trials, by number.
    pub trials: Vec<Trial>,
    /// What is sought: the combined score of each trial that was told, in standard deviations, more being better; in the
    /// order of the trials.
    pub scores: Vec<Option<f64>>,
    /// The best mixture.
    pub best: BestMixture,
    /// Each benchmark, in the order of the config.
    pub benchmarks: Vec<BenchmarkFit>,
    /// How the score changes with the share of each concept and task.
    pub effects: Vec<Effect>,
    /// The pairs of levels that do more, or less, together than each alone; the surest first.
    pub interactions: Vec<Interaction>,
}

/// The mixture that is thought best.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BestMixture {
    /// The shares of the cells, in the order of the grid.
    pub weights: Vec<f64>,
    /// The trial that tried it; `None` where none did.
    pub trial: Option<u32>,
    /// Its score, as that of the trials.
    pub score: Estimate,
    /// How much its score is above that of today's mixture.
    pub gain: Estimate,
    /// The probability that it is better than today's mixture.
    pub beats_today: f64,
}

/// A number that is not known for sure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// The standard deviation.
    pub deviation: f64,
}

impl Estimate {
    /// Half the width of a 90 % interval, in standard deviations.
    pub const HALF_OF_90: f64 = 1.644_853_626_951_472_2;

    /// The 90 % interval.
    pub fn interval(&self) -> (f64, f64) {
        let half = Self::HALF_OF_90 * self.deviation;
        (self.mean - half, self.mean + half)
    }
}

/// What was learnt of one benchmark.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BenchmarkFit {
    /// Which one.
    pub benchmark: Benchmark,
    /// The standard deviation of a run's noise, as it was learnt.
    pub noise: f64,
    /// The best mixture against today's, in units of the benchmark.
    pub pays: Estimate,
    /// By what intervals are widened, as those that were said before the runs held too few of them; 1 where they are not.
    pub widened: f64,
    /// The runs, with what was expected of each before it was made or, where nothing was, without it.
    pub runs: Vec<Fitted>,
}
