//! A config to start from: what datasets a folder or a mixture file has, which domain each plainly belongs to, and a
//! commented TOML of it.
//!
//! Nothing is guessed that is not plain. What is left out is told with its reason, and the order is that of names, so
//! that the same folder gives the same file.

mod discover;
mod domains;
mod media;
mod mixture;
mod names;
mod shards;
mod write;

use std::path::{Path, PathBuf};

use crate::config::{MixtureYamlError, normalised};
use crate::dataset::SamplingStrategy;
use crate::reason::reason;

use domains::UNSORTED;
pub use write::{Target, text};

/// Why no config can be written.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// What was named is not there, or cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    Read {
        /// The folder or file.
        path: PathBuf,
        /// The system's reason.
        reason: String,
    },
    /// A file that is no mixture.
    #[error(
        "{} is a file: name a folder, or one of LLaVA-NeXT's mixture files (.yaml)",
        .0.display()
    )]
    NotAFolder(PathBuf),
    /// A mixture file that cannot be read.
    #[error(transparent)]
    Yaml(#[from] MixtureYamlError),
    /// Nothing in it is a dataset.
    #[error(
        "no dataset was found in {}: JSON, JSON lines, parquet and WebDataset tar with conversations are{}",
        path.display(),
        if *left > 0 { "; what was left out, and why, is told above" } else { "" }
    )]
    Nothing {
        /// The folder.
        path: PathBuf,
        /// How much was left out.
        left: usize,
    },
    /// Paths in a config are text.
    #[error("the path {} is not UTF-8, which a config cannot hold: rename it", .0.display())]
    NotUtf8(PathBuf),
}

/// What there is to write a config of.
#[derive(Debug, Default)]
pub struct Survey {
    /// Its domains in the order in which they are written.
    pub domains: Vec<FoundDomain>,
    /// What was left out, or needs a look.
    pub left: Vec<Left>,
    /// What the shares in the config stand for, if it has any.
    pub shares: Option<String>,
}

/// A domain with the datasets that plainly belong to it.
#[derive(Debug)]
pub struct FoundDomain {
    /// Its name.
    pub name: String,
    /// Its share today, where that can be told.
    pub human: Option<u64>,
    /// Its datasets.
    pub datasets: Vec<Found>,
}

/// A dataset that was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its name, like no other's.
    pub name: String,
    /// A file, a folder or a pattern.
    pub path: PathBuf,
    /// Where its pictures are, if not in its own folder.
    pub media_root: Option<PathBuf>,
    /// Which part of it is used.
    pub sampling_strategy: Option<SamplingStrategy>,
    /// What to say of it beside its entry.
    pub remarks: Vec<String>,
    /// The folders that it lies in, from the inmost on, up to the one that was asked for.
    folders: Vec<String>,
    /// Rows that are used, if they were counted.
    rows: Option<u64>,
    /// Whether a first row has a video.
    has_video: bool,
}

/// Something that was left out or needs a look, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Left {
    /// Where it is.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

/// Looks through a folder or a mixture file.
///
/// # Errors
/// When it cannot be read, or has no dataset. `hear` is told of all that is left out, also then.
pub fn survey(from: &Path, hear: &dyn Fn(&Left)) -> Result<Survey, InitError> {
    let metadata = fs_err::metadata(from).map_err(|error| InitError::Read {
        path: from.to_owned(),
        reason: reason(&error),
    })?;
    let from = absolute(from);
    let survey = if metadata.is_dir() {
        let found = discover::discover(&from)?;
        grouped(found, true)
    } else if is_yaml(&from) {
        mixture::survey(&from)?
    } else {
        return Err(InitError::NotAFolder(from));
    };
    for left in grouped_left(&survey.left) {
        hear(&left);
    }
    if survey.domains.is_empty() {
        return Err(InitError::Nothing {
            path: from,
            left: survey.left.len(),
        });
    }
    Ok(survey)
}

/// The path from the root on, without `..`.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    normalised(&std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
}

fn is_yaml(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| ["yaml", "yml"].contains(&ending.to_ascii_lowercase().as_str()))
}

/// Datasets and what was left out, before they are put into domains.
#[derive(Debug, Default)]
struct Discovery {
    found: Vec<Found>,
    left: Vec<Left>,
}

/// Puts datasets into domains: the published ones first, then those called after folders, then what is unsorted.
fn grouped(discovery: Discovery, by_folder: bool) -> Survey {
    let mut named: Vec<FoundDomain> = Vec::new();
    for found in discovery.found {
        let name = domain_of(&found, by_folder);
        match named.iter_mut().find(|domain| domain.name == name) {
            Some(domain) => domain.datasets.push(found),
            None => named.push(FoundDomain {
                name,
                human: None,
                datasets: vec![found],
            }),
        }
    }
    let place = |name: &str| {
        let known = domains::known().iter().position(|known| known.name == name);
        let last = domains::known().len() + usize::from(name == UNSORTED);
        known.unwrap_or(last)
    };
    named.sort_by(|a, b| {
        let by_place = place(&a.name).cmp(&place(&b.name));
        by_place.then_with(|| a.name.cmp(&b.name))
    });
    Survey {
        domains: named,
        left: discovery.left,
        shares: None,
    }
}

/// By the dataset's name, else by a folder that is called after a domain, else by the outmost folder that says anything.
fn domain_of(found: &Found, by_folder: bool) -> String {
    let known = domains::by_name(&found.name).or_else(|| {
        found
            .folders
            .iter()
            .find_map(|name| domains::by_folder(name))
    });
    if let Some(known) = known {
        return known.to_owned();
    }
    let mut outmost = found.folders.iter().rev();
    let folder = outmost.find(|name| !names::is_generic(name));
    match folder {
        Some(folder) if by_folder => folder.clone(),
        _ => UNSORTED.to_owned(),
    }
}

/// How many files of a folder are named that were left out for the same reason.
const ALIKE: usize = 3;

/// Files of a folder that were left out for the same reason, as one where there are many.
fn grouped_left(left: &[Left]) -> Vec<Left> {
    let mut grouped: Vec<Left> = Vec::new();
    let mut at = 0;
    let key = |left: &Left| (left.path.parent().map(Path::to_owned), left.reason.clone());
    let mut left = left.to_vec();
    left.sort_by_key(|left| (key(left), left.path.clone()));
    while at < left.len() {
        let same = left[at..]
            .iter()
            .take_while(|other| key(other) == key(&left[at]))
            .count();
        if same <= ALIKE {
            grouped.extend_from_slice(&left[at..at + same]);
        } else {
            grouped.push(Left {
                path: left[at].path.clone(),
                reason: format!(
                    "{}; and so are {} more files beside it",
                    left[at].reason,
                    same - 1
                ),
            });
        }
        at += same;
    }
    grouped
}
