//! `mixture.json`: the answer, for people, trainers and the other subcommands.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::total::total;
use super::{
    Aggregation, Centroids, Human, Method, MixError, MixtureError, Parameters, Scaling, Solution,
    Uniform,
};
use crate::modality::Modality;
use crate::store::{Published, publish};

/// The format version that [`Mixture::to_bytes`] writes.
pub(super) const FORMAT: u32 = 1;

/// How far weights may sum from 1.
const TOLERANCE: f64 = 1e-12;

/// A mixture with what it rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mixture {
    format: u32,
    /// The method's name.
    pub method: String,
    /// The ridge, for methods that have one.
    pub lambda: Option<f64>,
    /// How the weights were made, beyond method and λ.
    #[serde(default)]
    pub settings: MixtureSettings,
    /// What the intervals are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncertainty: Option<Uncertainty>,
    /// The domains in the order of the config.
    pub domains: Vec<MixtureDomain>,
    /// What other methods would say, in the order of the domains: `uniform`, and `human` when every domain has a
    /// share.
    pub baselines: BTreeMap<String, Vec<f64>>,
    /// What the mixture was made from.
    pub provenance: Provenance,
}

/// How weights were made of centroids, beyond the method and λ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MixtureSettings {
    /// T of softmax(s / T).
    pub temperature: f64,
    /// What was done to the centroids first.
    pub scaling: Scaling,
    /// The domains that were held at their human share.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hold: Vec<String>,
    /// The layer that was averaged, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// How datasets were averaged into domains, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aggregation: Option<Aggregation>,
}

impl Default for MixtureSettings {
    fn default() -> Self {
        let Parameters {
            temperature,
            scaling,
            ..
        } = Parameters::default();
        Self {
            temperature,
            scaling,
            hold: Vec::new(),
            layer: None,
            aggregation: None,
        }
    }
}

/// What the intervals of a mixture's weights are: where the weights would lie had other samples been drawn of the same
/// datasets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Uncertainty {
    /// The share of cases in which an interval is to hold the weight that endless samples would give.
    pub level: f64,
    /// How many times the samples were drawn again.
    pub replicates: u32,
    /// `[k][k]`: the probability that the domain of the row outweighs that of the column; not kept for very many domains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outranks: Option<Vec<Vec<f64>>>,
}

/// One domain of a [`Mixture`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MixtureDomain {
    /// The name in the config.
    pub name: String,
    /// The share of training samples; all domains sum to 1.
    pub weight: f64,
    /// The lower end of the weight's interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// The upper end of the weight's interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// Rows of all its datasets.
    pub size: u64,
    /// Today's hand-tuned share as in the config; scaled to sum to 1 it is the baseline `human`.
    pub human: Option<f64>,
    /// The modalities that it has.
    pub modalities: Vec<Modality>,
    /// Its score per modality that it has, for methods that have scores.
    pub scores: BTreeMap<Modality, f64>,
    /// Its dual variable, for methods that have them.
    pub alpha: Option<f64>,
    /// Its datasets.
    pub datasets: Vec<MixtureDataset>,
}

/// One dataset of a [`MixtureDomain`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MixtureDataset {
    /// The name in the config.
    pub name: String,
    /// Its rows.
    pub size: u64,
    /// The share of training samples: the domain's weight × size / domain's size. All datasets of all domains sum to 1.
    pub weight: f64,
    /// How many samples were averaged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<u64>,
    /// How many samples could not be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<u64>,
    /// Mean positions of a sample in the model, without the chat template's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<f64>,
}

/// What a run knows of a dataset besides its vectors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DatasetSummary {
    /// The name in the config.
    pub name: String,
    /// Its rows.
    pub size: u64,
    /// How many of them were averaged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<u64>,
    /// How many of those taken could not be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<u64>,
    /// Positions of a sample in the model, without the chat template's, averaged over those samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<f64>,
}

/// What a mixture was made from. No times and no paths: the same inputs give the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The checkpoint as the config names it.
    pub checkpoint: String,
    /// The checkpoint's fingerprint.
    pub fingerprint: String,
    /// How many samples were averaged in all.
    pub samples: u64,
    /// The version of madmix.
    pub madmix: String,
}

#[derive(Deserialize)]
struct Version {
    format: u32,
}

impl Provenance {
    /// Of centroids that do not say what they were computed from.
    pub fn unknown() -> Self {
        Self {
            checkpoint: "unknown".into(),
            fingerprint: "unknown".into(),
            samples: 0,
            madmix: env!("CARGO_PKG_VERSION").into(),
        }
    }
}

impl Mixture {
    /// The mixture of a solution. `datasets` lists each domain's datasets (all lists empty when only the centroids are
    /// known).
    ///
    /// # Errors
    /// When the parts do not fit each other.
    pub fn new(
        centroids: &Centroids,
        solution: &Solution,
        datasets: &[Vec<DatasetSummary>],
        provenance: Provenance,
    ) -> Result<Self, MixtureError> {
        let k = centroids.domains().len();
        let lists = [
            ("a weight", solution.weights.len()),
            ("a list of datasets", datasets.len()),
        ];
        if let Some(&(what, found)) = lists.iter().find(|(_, found)| *found != k) {
            return Err(MixtureError::Count {
                what,
                found,
                domains: k,
            });
        }
        let mut domains = Vec::new();
        for (i, domain) in centroids.domains().iter().enumerate() {
            let weight = solution.weights[i];
            let found = datasets[i].iter().map(|dataset| dataset.size).sum();
            if !datasets[i].is_empty() && found != domain.size {
                let (domain, size) = (domain.name.clone(), domain.size);
                return Err(MixtureError::Sizes {
                    domain,
                    size,
                    found,
                });
            }
            if !datasets[i].is_empty() && found == 0 {
                return Err(MixError::NoSize {
                    domain: domain.name.clone(),
                }
                .into());
            }
            let share = |dataset: &DatasetSummary| MixtureDataset {
                name: dataset.name.clone(),
                size: dataset.size,
                weight: weight * (dataset.size as f64 / found as f64),
                samples: dataset.samples,
                failed: dataset.failed,
                tokens: dataset.tokens,
            };
            let score = |modality| Some((modality, *solution.scores.get(&modality)?.get(i)?));
            domains.push(MixtureDomain {
                name: domain.name.clone(),
                weight,
                low: None,
                high: None,
                size: domain.size,
                human: domain.human,
                modalities: centroids.modalities_of(i).collect(),
                scores: centroids.modalities_of(i).filter_map(score).collect(),
                alpha: solution
                    .alpha
                    .as_ref()
                    .and_then(|alpha| alpha.get(i).copied()),
                datasets: datasets[i].iter().map(share).collect(),
            });
        }
        let mixture = Self {
            format: FORMAT,
            method: solution.method.to_owned(),
            lambda: solution.lambda,
            settings: MixtureSettings::default(),
            uncertainty: None,
            domains,
            baselines: baselines(centroids)?,
            provenance,
        };
        mixture.check()?;
        Ok(mixture)
    }

    /// A mixture of domains whose weights come from elsewhere than from centroids. Baselines are the even shares, and the
    /// human ones where all domains have one.
    ///
    /// # Errors
    /// When the weights are no shares that sum to 1.
    pub fn of_domains(
        method: &str,
        domains: Vec<MixtureDomain>,
        provenance: Provenance,
    ) -> Result<Self, MixtureError> {
        let even = 1.0 / domains.len() as f64;
        let mut baselines = BTreeMap::from([(Uniform::NAME.to_owned(), vec![even; domains.len()])]);
        let human: Option<Vec<f64>> = domains.iter().map(|domain| domain.human).collect();
        if let Some(human) = human
            && let sum = total(human.iter().copied())
            && sum > 0.0
        {
            let shares = human.iter().map(|share| share / sum).collect();
            baselines.insert(Human::NAME.to_owned(), shares);
        }
        let mixture = Self {
            format: FORMAT,
            method: method.to_owned(),
            lambda: None,
            settings: MixtureSettings::default(),
            uncertainty: None,
            domains,
            baselines,
            provenance,
        };
        mixture.check()?;
        Ok(mixture)
    }

    /// The file's bytes: indented JSON, the same for the same mixture.
    ///
    /// # Errors
    /// When a number has no JSON form, which [`Mixture::new`] and [`Mixture::from_bytes`] rule out for weights.
    pub fn to_bytes(&self) -> Result<Vec<u8>, MixtureError> {
        let mut bytes = serde_json::to_vec_pretty(self).map_err(MixtureError::Json)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads what [`Mixture::to_bytes`] wrote. Keys that this version does not know are passed over.
    ///
    /// # Errors
    /// When the bytes are something else or of a newer format, or weights do not sum to 1.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MixtureError> {
        let Version { format } = serde_json::from_slice(bytes).map_err(MixtureError::Json)?;
        if format != FORMAT {
            return Err(MixtureError::UnknownVersion { found: format });
        }
        let mixture: Self = serde_json::from_slice(bytes).map_err(MixtureError::Json)?;
        mixture.check()?;
        Ok(mixture)
    }

    /// Publishes the mixture as `path`.
    ///
    /// # Errors
    /// As [`publish()`].
    pub fn write(&self, path: &Path) -> Result<Published, MixtureError> {
        Ok(publish(path, &self.to_bytes()?)?)
    }

    /// Reads the mixture `path`.
    ///
    /// # Errors
    /// When the file cannot be read; and as [`Mixture::from_bytes`].
    pub fn read(path: &Path) -> Result<Self, MixtureError> {
        let bytes = fs_err::read(path).map_err(MixtureError::Read)?;
        Self::from_bytes(&bytes).map_err(|source| MixtureError::File {
            path: path.to_owned(),
            source: Box::new(source),
        })
    }

    fn check(&self) -> Result<(), MixtureError> {
        let weights: Vec<f64> = self.domains.iter().map(|domain| domain.weight).collect();
        check_weights("the domains' weights", &weights)?;
        for (name, weights) in &self.baselines {
            if weights.len() != self.domains.len() {
                let (found, domains) = (weights.len(), self.domains.len());
                return Err(MixtureError::Count {
                    what: "a baseline",
                    found,
                    domains,
                });
            }
            check_weights(&format!("the weights of baseline `{name}`"), weights)?;
        }
        Ok(())
    }
}

fn baselines(centroids: &Centroids) -> Result<BTreeMap<String, Vec<f64>>, MixError> {
    let mut baselines = BTreeMap::new();
    baselines.insert(
        Uniform::NAME.to_owned(),
        Uniform.weights(centroids)?.weights,
    );
    match Human.weights(centroids) {
        Ok(human) => drop(baselines.insert(Human::NAME.to_owned(), human.weights)),
        Err(MixError::HumanMissing { .. } | MixError::HumanZero) => {}
        Err(error) => return Err(error),
    }
    Ok(baselines)
}

fn check_weights(what: &str, weights: &[f64]) -> Result<(), MixtureError> {
    let sum = total(weights.iter().copied());
    if weights.iter().all(|weight| *weight >= 0.0) && (sum - 1.0).abs() <= TOLERANCE {
        return Ok(());
    }
    Err(MixtureError::Weights {
        what: what.to_owned(),
        sum,
    })
}
