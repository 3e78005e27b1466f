//! What can be wrong with a mixture.

use std::path::PathBuf;

use thiserror::Error;

use super::MixError;
use super::mixture::FORMAT;
use crate::store::PublishError;

/// Why a mixture cannot be made, read or written.
#[derive(Debug, Error)]
pub enum MixtureError {
    /// The datasets given do not add up to the domains.
    #[error("domain `{domain}` has {size} rows, but its datasets have {found}")]
    Sizes {
        /// The domain's name.
        domain: String,
        /// The domain's size.
        size: u64,
        /// The sum of the datasets' sizes.
        found: u64,
    },
    /// There is not one list of datasets, or one value, per domain.
    #[error("{what} is given for {found} domains, but there are {domains}")]
    Count {
        /// What is counted.
        what: &'static str,
        /// How many were given.
        found: usize,
        /// How many domains there are.
        domains: usize,
    },
    /// Two mixtures that are to be compared are not of the same domains.
    #[error(
        "the two are not of the same domains{}{}; compare mixtures of one grouping, the names count",
        only("first", only_first),
        only("second", only_second)
    )]
    OtherDomains {
        /// Domains of the first alone.
        only_first: Vec<String>,
        /// Domains of the second alone.
        only_second: Vec<String>,
    },
    /// Weights are negative, not finite or do not sum to 1.
    #[error(
        "{what} must be numbers of at least 0 that sum to 1, but they sum to {sum}; solve the run again"
    )]
    Weights {
        /// Which weights.
        what: String,
        /// Their sum.
        sum: f64,
    },
    /// The file is not a mixture.
    #[error("it is no mixture; solve the run again")]
    Json(#[source] serde_json::Error),
    /// Written by a madmix that this one does not know.
    #[error(
        "its format version is {found}, and this madmix reads {FORMAT}: use the madmix that wrote it"
    )]
    UnknownVersion {
        /// The version in the file.
        found: u32,
    },
    /// The baselines could not be weighed.
    #[error(transparent)]
    Mix(#[from] MixError),
    /// The file cannot be read.
    #[error("cannot read the mixture")]
    Read(#[source] std::io::Error),
    /// The file cannot be used.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<MixtureError>,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

fn only(which: &str, names: &[String]) -> String {
    match names {
        [] => String::new(),
        names => format!("; only the {which} has `{}`", names.join("`, `")),
    }
}
