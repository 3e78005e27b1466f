//! One try of a mixture.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// No benchmark gives more; squares and spreads of what is within stay finite.
pub(crate) const LARGEST: f64 = 1e100;

/// A mixture that was proposed, with what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// Its number in the study, from 1.
    pub number: u32,
    /// The name of the space that `point` is of. A sequential search has trials of two.
    pub space: String,
    /// The point in that space `[d]`: shares.
    pub point: Vec<f64>,
    /// The shares of the grid's cells, in its order; they sum to 1.
    pub weights: Vec<f64>,
    /// Seeds the proxy run.
    pub seed: u64,
    /// What chose it: `design`, the name of an acquisition, or `told` for a run that was made elsewhere.
    pub by: String,
    /// What was expected of it when it was proposed, by benchmark; nothing for the design.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub predicted: BTreeMap<String, Predicted>,
    /// What came of it; `None` while that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// What is expected of one run, its noise included.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Predicted {
    /// The mean.
    pub mean: f64,
    /// The standard deviation.
    pub deviation: f64,
}

/// What came of a trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It ran; its metrics by name, all of them finite and none beyond 1e100.
    Told(BTreeMap<String, f64>),
    /// It did not; the reason, for a person.
    Failed(String),
}
