//! `[[import]]`: the datasets of a mixture file, put into domains.
//!
//! ```toml
//! [[import]]
//! path = "mix.yaml"               # LLaVA-NeXT's mixture file
//! media_root = "/data/images"     # optional: where the pictures of all its datasets are
//!
//! [[import.domain]]
//! name = "General OCR"
//! pattern = "textocr|sroie"       # a regular expression, or a list of them
//! [[import.domain]]
//! name = "Math/Reasoning"
//! dataset = ["mathqa_29837"]      # whole names or json_paths
//! pattern = ["geo", "mavis"]
//! [[import.domain]]
//! name = "General"
//! pattern = ""                    # all the others
//! ```
//!
//! An entry goes to the first domain that names it or has a pattern that is found in its `json_path` as written or in its
//! name. `[[domain]]`s that are there already get datasets added; others are appended. The mixture file may name a file
//! twice, so that it is seen more often: the second time it is a dataset of its own, called `x-2`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::normalised;
use super::{Dataset, Domain, Entry, MixtureYaml, MixtureYamlError};
use crate::blob::url_of;

/// How many entries a message lists.
const SHOWN: usize = 20;

/// One `[[import]]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// The mixture file.
    pub path: PathBuf,
    /// Where the pictures of its datasets are; the annotation file's folder if not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_root: Option<PathBuf>,
    /// Which of its entries go where.
    #[serde(rename = "domain", default)]
    pub domains: Vec<ImportedDomain>,
}

/// One `[[import.domain]]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportedDomain {
    /// The domain's name.
    pub name: String,
    /// Entries that it has, by the dataset's name or by the `json_path` as written.
    #[serde(rename = "dataset", default, skip_serializing_if = "Vec::is_empty")]
    pub datasets: Vec<String>,
    /// Regular expressions; an entry in which one is found belongs to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<Patterns>,
}

/// A regular expression, or a list of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "import.domain.pattern is neither a regular expression nor a list of them"
)]
pub enum Patterns {
    /// One.
    One(String),
    /// Several, of which any may be found.
    Several(Vec<String>),
}

/// Why a mixture file cannot be taken into a config.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It cannot be read, or is none.
    #[error(transparent)]
    Yaml(#[from] MixtureYamlError),
    /// Entries that no domain asks for.
    #[error(
        "no [[import.domain]] has {}: add a pattern that is found in them, or a last domain with pattern = \"\" for all \
         that are left",
        listed(.0)
    )]
    Unassigned(Vec<Entry>),
    /// A domain names what is not there.
    #[error(
        "[[import.domain]] \"{domain}\" names \"{dataset}\", which no entry of the file is called; a name is the stem of \
         a json_path, or all of it"
    )]
    NoSuchEntry {
        /// The domain.
        domain: String,
        /// The name that was not found.
        dataset: String,
    },
}

fn listed(entries: &[Entry]) -> String {
    let one = |entry: &Entry| format!("{} (line {})", entry.json_path, entry.line);
    let shown: Vec<_> = entries.iter().take(SHOWN).map(one).collect();
    let more = match entries.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", shown.join(", "))
}

impl Import {
    /// Whether its domains can be used, whatever the file holds.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.path.as_os_str().is_empty() {
            return Err("an [[import]] has an empty path: name a mixture file".into());
        }
        let file = self.path.display();
        for domain in &self.domains {
            if domain.name.is_empty() {
                return Err(format!("an [[import.domain]] of {file} has an empty name"));
            }
            if domain.datasets.is_empty() && domain.pattern.is_none() {
                return Err(format!(
                    "[[import.domain]] \"{}\" of {file} has neither pattern nor dataset, so it asks for nothing",
                    domain.name
                ));
            }
            domain.expressions()?;
        }
        Ok(())
    }

    /// Reads the file and adds its datasets to the domains. `base` is the config's folder.
    pub(super) fn add_to(&self, domains: &mut Vec<Domain>, base: &Path) -> Result<(), ImportError> {
        let path = match url_of(&self.path) {
            Some(_) => self.path.clone(),
            None => normalised(&base.join(&self.path)),
        };
        let mixture = MixtureYaml::read(&path)?;
        for warning in mixture.warnings(&self.path) {
            tracing::warn!("{warning}");
        }
        let rules: Vec<Rule<'_>> = self.domains.iter().map(Rule::new).collect();
        for rule in &rules {
            let named = |name: &str| mixture.entries.iter().any(|entry| is_called(entry, name));
            if let Some(dataset) = rule.domain.datasets.iter().find(|name| !named(name)) {
                return Err(ImportError::NoSuchEntry {
                    domain: rule.domain.name.clone(),
                    dataset: dataset.clone(),
                });
            }
        }
        let (mut assigned, mut unassigned) = (Vec::new(), Vec::new());
        for entry in &mixture.entries {
            match rules.iter().find(|rule| rule.has(entry)) {
                Some(rule) => assigned.push((rule.domain.name.as_str(), entry)),
                None => unassigned.push(entry.clone()),
            }
        }
        if !unassigned.is_empty() {
            return Err(ImportError::Unassigned(unassigned));
        }
        let mut names = Names::of(domains);
        // In the order in which the import names its domains, whichever the file begins with.
        for rule in &rules {
            let name = rule.domain.name.as_str();
            if !assigned.iter().any(|(domain, _)| *domain == name) {
                tracing::warn!(
                    "[[import]] of {}: no entry is left for domain \"{name}\"",
                    self.path.display()
                );
            } else if !domains.iter().any(|domain| domain.name == name) {
                domains.push(Domain {
                    name: name.to_owned(),
                    human: None,
                    datasets: Vec::new(),
                });
            }
        }
        for (name, entry) in assigned {
            let dataset = Dataset {
                name: names.unique(entry.name()),
                path: mixture.place(entry, base),
                media_root: self.media_root.clone(),
                format: None,
                labels: None,
                sampling_strategy: entry.sampling_strategy,
                filter: None,
            };
            let domain = domains.iter_mut().find(|domain| domain.name == name);
            domain
                .expect("every domain that has an entry was added")
                .datasets
                .push(dataset);
        }
        Ok(())
    }
}

impl ImportedDomain {
    fn expressions(&self) -> Result<Vec<Regex>, String> {
        let texts = match &self.pattern {
            None => &[],
            Some(Patterns::One(text)) => std::slice::from_ref(text),
            Some(Patterns::Several(texts)) => texts.as_slice(),
        };
        let regex = |text: &String| {
            Regex::new(text).map_err(|error| {
                format!(
                    "[[import.domain]] \"{}\": pattern is no regular expression: {error}",
                    self.name
                )
            })
        };
        texts.iter().map(regex).collect()
    }
}

/// An `[[import.domain]]` at work.
struct Rule<'a> {
    domain: &'a ImportedDomain,
    expressions: Vec<Regex>,
}

impl<'a> Rule<'a> {
    fn new(domain: &'a ImportedDomain) -> Self {
        let expressions = domain.expressions().expect("the config was checked");
        Self {
            domain,
            expressions,
        }
    }

    fn has(&self, entry: &Entry) -> bool {
        let name = entry.name();
        let found = |regex: &Regex| regex.is_match(&entry.json_path) || regex.is_match(&name);
        let mut named = self.domain.datasets.iter();
        named.any(|name| is_called(entry, name)) || self.expressions.iter().any(found)
    }
}

fn is_called(entry: &Entry, name: &str) -> bool {
    entry.json_path == name || entry.name() == name
}

/// Names of datasets, each given once.
#[derive(Default)]
pub(crate) struct Names {
    given: BTreeSet<String>,
    /// The number that a name was last given with.
    last: BTreeMap<String, u64>,
}

impl Names {
    fn of(domains: &[Domain]) -> Self {
        let datasets = domains.iter().flat_map(|domain| &domain.datasets);
        Self {
            given: datasets.map(|dataset| dataset.name.clone()).collect(),
            last: BTreeMap::new(),
        }
    }

    /// The name, or `name-2`, `name-3` and so on if it is given already.
    pub(crate) fn unique(&mut self, name: String) -> String {
        if self.given.insert(name.clone()) {
            return name;
        }
        let last = self.last.entry(name.clone()).or_insert(1);
        loop {
            *last += 1;
            let numbered = format!("{name}-{last}");
            if self.given.insert(numbered.clone()) {
                return numbered;
            }
        }
    }
}

#[cfg(test)]
mod tests;
