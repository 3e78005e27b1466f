//! From a mixture and the places of its datasets to a [`Plan`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ExportError, Plan, PlannedDataset, PlannedDomain, Unit};
use crate::dataset::DatasetSpec;
use crate::mix::{Mixture, MixtureDomain, Share, allot, shares_of_tokens};

/// What is asked of a [`Plan`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// How many samples are to be drawn in all.
    pub budget: Option<u64>,
    /// How often a domain's rows may be seen on average.
    pub max_epochs: Option<f64>,
    /// The same for single domains, by name, in place of `max_epochs`.
    pub max_epochs_of: BTreeMap<String, f64>,
    /// What the trainer draws.
    pub unit: Unit,
    /// Seeds what a trainer's file has to leave to chance.
    pub seed: u64,
}

/// Where a dataset of the mixture lies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// The domain that the config puts it into.
    pub domain: String,
    /// Its files.
    pub spec: DatasetSpec,
    /// How many rows it has there, if that is known; else as many as the mixture says.
    pub rows: Option<u64>,
}

impl Plan {
    /// Lays a mixture out over its datasets: within a domain by size, and for a budget in whole counts.
    ///
    /// # Errors
    /// When a dataset of the mixture is not among the sources or there in another domain, the request names a domain
    /// that does not exist or asks for what is impossible, or mean tokens are needed and not known.
    pub fn new(
        mixture: &Mixture,
        sources: &[Source],
        request: &Request,
    ) -> Result<Self, ExportError> {
        check(mixture, request)?;
        let mut domains = Vec::new();
        for domain in &mixture.domains {
            domains.push(located(domain, sources)?);
        }
        let mut plan = Self {
            method: method(mixture),
            provenance: mixture.provenance.clone(),
            budget: request.budget,
            unit: request.unit,
            seed: request.seed,
            domains,
        };
        if let Some(budget) = request.budget {
            plan.divide(budget, request)?;
        }
        plan.share_within_domains()?;
        if request.unit == Unit::Tokens {
            plan.weigh_by_tokens()?;
        }
        Ok(plan)
    }

    fn divide(&mut self, budget: u64, request: &Request) -> Result<(), ExportError> {
        let shares: Vec<_> = self
            .domains
            .iter()
            .map(|domain| Share {
                name: &domain.name,
                weight: domain.weight,
                sizes: domain.datasets.iter().map(|dataset| dataset.size).collect(),
                max_epochs: request
                    .max_epochs_of
                    .get(&domain.name)
                    .copied()
                    .or(request.max_epochs),
            })
            .collect();
        let allotment = allot(&shares, budget)?;
        for (domain, (weight, counts)) in self
            .domains
            .iter_mut()
            .zip(allotment.weights.into_iter().zip(allotment.counts))
        {
            domain.weight = weight;
            for (dataset, count) in domain.datasets.iter_mut().zip(counts) {
                dataset.count = Some(count);
            }
        }
        Ok(())
    }

    fn share_within_domains(&mut self) -> Result<(), ExportError> {
        for domain in &mut self.domains {
            let rows: u64 = domain.datasets.iter().map(|dataset| dataset.size).sum();
            if rows == 0 && domain.weight > 0.0 {
                return Err(ExportError::NoRows {
                    domain: domain.name.clone(),
                });
            }
            for dataset in &mut domain.datasets {
                dataset.weight = match rows {
                    0 => 0.0,
                    rows => domain.weight * (dataset.size as f64 / rows as f64),
                };
            }
        }
        Ok(())
    }

    fn weigh_by_tokens(&mut self) -> Result<(), ExportError> {
        let mut tokens = Vec::new();
        for (_, dataset) in self.datasets() {
            match dataset.tokens {
                Some(known) if known > 0.0 => tokens.push(known),
                _ if dataset.weight > 0.0 => {
                    return Err(ExportError::Tokens {
                        dataset: dataset.spec.name.clone(),
                    });
                }
                _ => tokens.push(0.0),
            }
        }
        let weights: Vec<f64> = self.datasets().map(|(_, dataset)| dataset.weight).collect();
        let mut shares = shares_of_tokens(&weights, &tokens).into_iter();
        for domain in &mut self.domains {
            for (dataset, share) in domain.datasets.iter_mut().zip(&mut shares) {
                dataset.weight = share;
            }
            domain.weight = domain.datasets.iter().map(|dataset| dataset.weight).sum();
        }
        Ok(())
    }
}

fn check(mixture: &Mixture, request: &Request) -> Result<(), ExportError> {
    let without_datasets =
        |domain: &&MixtureDomain| domain.weight > 0.0 && domain.datasets.is_empty();
    if let Some(domain) = mixture.domains.iter().find(without_datasets) {
        return Err(ExportError::NoDatasets {
            domain: domain.name.clone(),
        });
    }
    let known = || mixture.domains.iter().map(|domain| domain.name.as_str());
    if let Some(name) = request
        .max_epochs_of
        .keys()
        .find(|name| !known().any(|known| known == name.as_str()))
    {
        return Err(ExportError::UnknownDomain {
            name: name.clone(),
            nearest: nearest(name, known()),
        });
    }
    if request.budget.is_none()
        && (request.max_epochs.is_some() || !request.max_epochs_of.is_empty())
    {
        return Err(ExportError::CapWithoutBudget);
    }
    if request.budget.is_some() && request.unit == Unit::Tokens {
        return Err(ExportError::BudgetOfTokens);
    }
    Ok(())
}

/// The domain with its datasets where they lie, not yet weighed.
fn located(domain: &MixtureDomain, sources: &[Source]) -> Result<PlannedDomain, ExportError> {
    let mut datasets = Vec::new();
    for dataset in &domain.datasets {
        let Some(source) = sources
            .iter()
            .find(|source| source.spec.name == dataset.name)
        else {
            return Err(ExportError::NotConfigured {
                dataset: dataset.name.clone(),
                domain: domain.name.clone(),
                nearest: nearest(
                    &dataset.name,
                    sources.iter().map(|source| source.spec.name.as_str()),
                ),
            });
        };
        if source.domain != domain.name {
            return Err(ExportError::OtherDomain {
                dataset: dataset.name.clone(),
                domain: domain.name.clone(),
                found: source.domain.clone(),
            });
        }
        datasets.push(PlannedDataset {
            spec: source.spec.clone(),
            size: source.rows.unwrap_or(dataset.size),
            weight: 0.0,
            tokens: dataset.tokens,
            count: None,
        });
    }
    Ok(PlannedDomain {
        name: domain.name.clone(),
        weight: domain.weight,
        datasets,
    })
}

fn method(mixture: &Mixture) -> String {
    match mixture.lambda {
        Some(lambda) => format!("{} (lambda {lambda})", mixture.method),
        None => mixture.method.clone(),
    }
}

/// The name that was probably meant.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    known
        .map(|known| {
            let (a, b) = (name.to_lowercase(), known.to_lowercase());
            (strsim::damerau_levenshtein(&a, &b), known)
        })
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, known)| *distance <= name.len().max(known.len()).div_ceil(2))
        .map(|(_, known)| known.to_owned())
}
