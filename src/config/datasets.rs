//! The domains and their datasets, as a config lists them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::dataset::{self, DatasetSpec, Filter, Labels, SamplingStrategy};

/// One `[[domain]]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Domain {
    /// Its name in tables and files.
    pub name: String,
    /// Today's hand-tuned share, in any unit.
    pub human: Option<f64>,
    /// Its datasets.
    #[serde(rename = "dataset", default)]
    pub datasets: Vec<Dataset>,
}

/// One `[[domain.dataset]]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// Its name; the file's stem if not said.
    #[serde(default)]
    pub name: String,
    /// The annotation file.
    pub path: PathBuf,
    /// Where its pictures are; the annotation file's folder if not said.
    pub media_root: Option<PathBuf>,
    /// The format, by its name in [`format_names`](crate::dataset::format_names); told from the content if not said.
    pub format: Option<String>,
    /// Which part of its rows is used, as in LLaVA-NeXT's mixture files: `all`, `first:N`, `end:N` or `random:N`, N a
    /// number or whole percent. Counted behind the filter; all if not said.
    pub sampling_strategy: Option<SamplingStrategy>,
    /// Which of its rows belong to the domain; all if not said.
    pub filter: Option<Filter>,
    /// Which of the rows that are left belong to the domain, by the labels of `madmix atlas label`; all if not said.
    pub labels: Option<Labels>,
}

impl Dataset {
    fn check(&self) -> Result<(), String> {
        let in_it = |message: String| format!("dataset \"{}\": {message}", self.name);
        if let Some(format) = &self.format
            && !dataset::is_format(format)
        {
            let known: Vec<_> = dataset::format_names().collect();
            return Err(in_it(format!(
                "there is no format \"{format}\"; known are {}",
                known.join(", ")
            )));
        }
        match &self.filter {
            Some(filter) => filter.check().map_err(in_it),
            None => Ok(()),
        }
    }

    /// What the dataset module opens.
    pub fn spec(&self) -> DatasetSpec {
        DatasetSpec {
            name: self.name.clone(),
            path: self.path.clone(),
            media_root: self.media_root.clone(),
            format: self.format.clone(),
            filter: self.filter.clone(),
            sampling_strategy: self.sampling_strategy,
            labels: self.labels.clone(),
        }
    }
}

/// Checks what can be known of domains without opening a dataset. While imports are `pending`, a domain may still be
/// without datasets, and there may be no domain at all.
pub(super) fn check(domains: &[Domain], pending: bool) -> Result<(), String> {
    if domains.is_empty() && !pending {
        return Err("there is no [[domain]]: a mixture needs at least one".into());
    }
    let mut names = BTreeSet::new();
    let mut datasets = BTreeSet::new();
    for domain in domains {
        let name = &domain.name;
        if name.is_empty() {
            return Err("a [[domain]] has an empty name".into());
        }
        if !names.insert(name) {
            return Err(format!("two domains are named \"{name}\""));
        }
        if let Some(human) = domain.human
            && !(human.is_finite() && human >= 0.0)
        {
            return Err(format!("domain \"{name}\": human = {human} is no share"));
        }
        if domain.datasets.is_empty() && !pending {
            return Err(format!("domain \"{name}\" has no [[domain.dataset]]"));
        }
        for dataset in &domain.datasets {
            if dataset.name.is_empty() {
                return Err(format!(
                    "a dataset of domain \"{name}\" has no name and no path"
                ));
            }
            dataset.check()?;
            if !datasets.insert(&dataset.name) {
                return Err(format!(
                    "two datasets are named \"{}\" (a dataset's name is its file's stem if \
                     not said): give one of them a name",
                    dataset.name
                ));
            }
        }
    }
    Ok(())
}
