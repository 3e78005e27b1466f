//! Dataset → domain: one centroid per domain and modality, which is all that the methods look at.

use std::collections::{BTreeMap, BTreeSet};

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use super::{DatasetMean, DatasetSummary, MixError, Provenance};
use crate::modality::Modality;

/// The name of the fused view in files and messages.
pub(super) const FUSED: &str = "fused";

/// How the means of a domain's datasets become the domain's centroid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aggregation {
    /// Every dataset counts the same (the paper's choice).
    #[default]
    Equal,
    /// A dataset counts by its number of rows.
    Size,
}

/// A domain as the methods know it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Domain {
    /// The name in the config.
    pub name: String,
    /// Rows of all its datasets.
    pub size: u64,
    /// Today's hand-tuned share, in any unit (36.1 for 36.1 %).
    pub human: Option<f64>,
}

/// A domain's name, share and datasets' means: what [`centroids()`] starts from.
#[derive(Clone, Debug, PartialEq)]
pub struct DomainMeans {
    /// The name in the config.
    pub name: String,
    /// Today's hand-tuned share, in any unit.
    pub human: Option<f64>,
    /// The means of its datasets, in the order of the config.
    pub datasets: Vec<DatasetMean>,
}

/// The centroids of all domains in one modality (or fused).
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// `[k, d]`: a row per domain, zero where the domain lacks the modality.
    pub matrix: DMatrix<f64>,
    /// `[k]`: which domains have the modality.
    pub present: Vec<bool>,
}

/// The centroids of k ≥ 1 domains. By construction shapes fit, every value is finite, and each domain has a modality.
#[derive(Clone, Debug, PartialEq)]
pub struct Centroids {
    domains: Vec<Domain>,
    modalities: BTreeMap<Modality, View>,
    fused: Option<View>,
    origin: Option<Origin>,
}

/// What centroids were computed from, so that a mixture found from them can say it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The datasets of each domain.
    pub datasets: Vec<Vec<DatasetSummary>>,
    /// The checkpoint and the number of samples.
    pub provenance: Provenance,
    /// The layer that was averaged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// How datasets were averaged into domains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregation: Option<Aggregation>,
}

impl Centroids {
    /// Takes centroids after checking all that the methods rely on.
    ///
    /// # Errors
    /// When there is no domain, a name is empty or used twice, a share is negative, a shape does not fit, a value is not
    /// finite, an absent row is not zero, or a domain has no modality.
    pub fn new(
        domains: Vec<Domain>,
        modalities: BTreeMap<Modality, View>,
        fused: Option<View>,
    ) -> Result<Self, MixError> {
        if domains.is_empty() {
            return Err(MixError::NoDomains);
        }
        let mut names = BTreeSet::new();
        for Domain { name, human, .. } in &domains {
            if name.is_empty() || !names.insert(name) {
                return Err(MixError::DomainName { name: name.clone() });
            }
            if let Some(value) = human.filter(|value| !value.is_finite() || *value < 0.0) {
                return Err(MixError::HumanShare {
                    domain: name.clone(),
                    value,
                });
            }
        }
        for (modality, view) in &modalities {
            view.check(modality.name(), &domains)?;
        }
        if let Some(view) = &fused {
            view.check(FUSED, &domains)?;
        }
        let centroids = Self {
            domains,
            modalities,
            fused,
            origin: None,
        };
        for (i, domain) in centroids.domains.iter().enumerate() {
            if centroids.modalities_of(i).next().is_none() {
                return Err(MixError::NoModality {
                    domain: domain.name.clone(),
                });
            }
        }
        Ok(centroids)
    }

    /// The same centroids with what they were computed from.
    #[must_use]
    pub fn with_origin(self, origin: Origin) -> Self {
        Self {
            origin: Some(origin),
            ..self
        }
    }

    /// What they were computed from, where that is known.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// The domains, in the order of every row and weight.
    pub fn domains(&self) -> &[Domain] {
        &self.domains
    }

    /// The centroids per modality, for the modalities that some domain has.
    pub fn modalities(&self) -> &BTreeMap<Modality, View> {
        &self.modalities
    }

    /// The centroids of the fused vectors.
    pub fn fused(&self) -> Option<&View> {
        self.fused.as_ref()
    }

    /// The modalities that domain `i` has.
    pub fn modalities_of(&self, i: usize) -> impl Iterator<Item = Modality> + '_ {
        self.modalities
            .iter()
            .filter(move |(_, view)| view.present[i])
            .map(|(modality, _)| *modality)
    }

    /// δ: how many modalities each domain has `[k]`.
    pub fn delta(&self) -> DVector<f64> {
        DVector::from_fn(self.domains.len(), |i, _| {
            self.modalities_of(i).count() as f64
        })
    }
}

impl View {
    fn check(&self, view: &str, domains: &[Domain]) -> Result<(), MixError> {
        let (k, rows, columns) = (domains.len(), self.matrix.nrows(), self.matrix.ncols());
        let shape = |problem| {
            Err(MixError::Shape {
                view: view.to_owned(),
                problem,
            })
        };
        if rows != k || self.present.len() != k || columns == 0 {
            let flags = self.present.len();
            return shape(format!(
                "a [{rows}, {columns}] matrix and {flags} flags for {k} domains"
            ));
        }
        for (i, domain) in domains.iter().enumerate() {
            let row = self.matrix.row(i);
            if !row.iter().all(|value| value.is_finite()) {
                let (view, domain) = (view.to_owned(), domain.name.clone());
                return Err(MixError::NotFinite { view, domain });
            }
            if !self.present[i] && row.iter().any(|value| *value != 0.0) {
                return shape(format!(
                    "domain `{}` is absent, yet its row is not zero",
                    domain.name
                ));
            }
        }
        Ok(())
    }
}

/// The centroids of `domains`: for each modality the mean of the datasets' means, over the datasets that have it.
///
/// # Errors
/// As [`Centroids::new`]; when vectors differ in length between datasets; with [`Aggregation::Size`] when a domain's
/// datasets are all empty.
pub fn centroids(domains: &[DomainMeans], aggregation: Aggregation) -> Result<Centroids, MixError> {
    let mut modalities = BTreeMap::new();
    for modality in Modality::ALL {
        if let Some(view) = gather(domains, aggregation, |dataset| dataset.mean(modality))? {
            modalities.insert(modality, view);
        }
    }
    let fused = gather(domains, aggregation, DatasetMean::fused)?;
    let domains = domains.iter().map(|domain| Domain {
        name: domain.name.clone(),
        size: domain.datasets.iter().map(DatasetMean::size).sum(),
        human: domain.human,
    });
    Centroids::new(domains.collect(), modalities, fused)
}

/// What a dataset counts in the mean of its domain's datasets.
pub(super) fn dataset_weight(aggregation: Aggregation, dataset: &DatasetMean) -> f64 {
    match aggregation {
        Aggregation::Equal => 1.0,
        Aggregation::Size => dataset.size() as f64,
    }
}

/// One view of all domains, or `None` when no dataset has it.
fn gather(
    domains: &[DomainMeans],
    aggregation: Aggregation,
    mean: impl Fn(&DatasetMean) -> Option<Vec<f64>>,
) -> Result<Option<View>, MixError> {
    let mut rows: Vec<Option<Vec<f64>>> = Vec::new();
    let mut width = None;
    for domain in domains {
        let mut sum: Vec<f64> = Vec::new();
        let mut total = 0.0;
        let mut present = false;
        for dataset in &domain.datasets {
            let Some(mean) = mean(dataset) else { continue };
            let expected = *width.get_or_insert(mean.len());
            if mean.len() != expected {
                let what = format!("dataset `{}`", dataset.name());
                return Err(MixError::Width {
                    what,
                    expected,
                    found: mean.len(),
                });
            }
            let weight = dataset_weight(aggregation, dataset);
            sum.resize(expected, 0.0);
            sum.iter_mut()
                .zip(mean)
                .for_each(|(sum, value)| *sum += weight * value);
            total += weight;
            present = true;
        }
        if present && total == 0.0 {
            return Err(MixError::NoSize {
                domain: domain.name.clone(),
            });
        }
        rows.push(present.then(|| sum.into_iter().map(|value| value / total).collect()));
    }
    let Some(columns) = width else {
        return Ok(None);
    };
    let value = |i: usize, j: usize| rows[i].as_ref().map_or(0.0, |row| row[j]);
    Ok(Some(View {
        matrix: DMatrix::from_fn(rows.len(), columns, value),
        present: rows.iter().map(Option::is_some).collect(),
    }))
}
