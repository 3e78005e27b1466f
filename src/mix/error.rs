//! What can be wrong with centroids or a method's parameters.

use std::path::PathBuf;

use thiserror::Error;

use crate::modality::Modality;
use crate::store::PublishError;

/// Why no weights can be found.
#[derive(Debug, Error)]
pub enum MixError {
    /// A shard of another dataset, or one added twice or out of order.
    #[error(
        "shard {index} of dataset `{found}` cannot follow in the mean of dataset `{dataset}`: add its own shards in \
         ascending order"
    )]
    ShardOrder {
        /// The dataset whose mean is taken.
        dataset: String,
        /// The shard's dataset.
        found: String,
        /// The shard's index.
        index: u32,
    },
    /// A shard lacks the layer.
    #[error(
        "shard {index} of dataset `{dataset}` has no layer `{layer}` for {modality}; add it to `layers` and extract again"
    )]
    Layer {
        /// The dataset's name.
        dataset: String,
        /// The shard's index.
        index: u32,
        /// The modality.
        modality: Modality,
        /// The layer asked for.
        layer: String,
    },
    /// A sample's vector holds a NaN or an infinity.
    #[error(
        "row {row} of dataset `{dataset}` has a {modality} vector that is not finite: the checkpoint overflows on it, \
         try dtype f32"
    )]
    SampleNotFinite {
        /// The dataset's name.
        dataset: String,
        /// The sample's row.
        row: u64,
        /// The modality.
        modality: Modality,
    },
    /// Vectors that are averaged have different lengths.
    #[error(
        "{what} has vectors of {found} values where {expected} are expected: was it made with another checkpoint?"
    )]
    Width {
        /// Which dataset or domain.
        what: String,
        /// The length before.
        expected: usize,
        /// The length found.
        found: usize,
    },
    /// There is nothing to weigh.
    #[error("there are no domains")]
    NoDomains,
    /// A domain's name is empty or used twice.
    #[error("domain name `{name}` is empty or used twice")]
    DomainName {
        /// The name.
        name: String,
    },
    /// A domain's share is negative or not finite.
    #[error("`human` of domain `{domain}` is {value}; it must be a number of at least 0")]
    HumanShare {
        /// The domain's name.
        domain: String,
        /// The share.
        value: f64,
    },
    /// Matrices and flags do not fit the domains.
    #[error("{view}: {problem}")]
    Shape {
        /// `text`, `image`, `video` or `fused`.
        view: String,
        /// What does not fit.
        problem: String,
    },
    /// A centroid holds a NaN or an infinity.
    #[error(
        "the {view} centroid of domain `{domain}` is not finite; extract the domain again with dtype f32"
    )]
    NotFinite {
        /// `text`, `image`, `video` or `fused`.
        view: String,
        /// The domain's name.
        domain: String,
    },
    /// A domain has no vector at all.
    #[error(
        "domain `{domain}` has no modality: none of its samples could be read; see failures.jsonl or remove it"
    )]
    NoModality {
        /// The domain's name.
        domain: String,
    },
    /// Sizes are wanted as weights and are all zero.
    #[error("the datasets of domain `{domain}` have size 0, so they cannot be weighted by size")]
    NoSize {
        /// The domain's name.
        domain: String,
    },
    /// λ is out of range.
    #[error("lambda is {value}; it must be a finite number above 0")]
    Lambda {
        /// The value.
        value: f64,
    },
    /// The temperature is out of range.
    #[error("temperature is {value}; it must be a finite number above 0")]
    Temperature {
        /// The value.
        value: f64,
    },
    /// A method needs centroids that are not there.
    #[error("method `{method}` needs {view} centroids, and {why}")]
    NoView {
        /// The method's name.
        method: &'static str,
        /// `text`, `image`, `video` or `fused`.
        view: &'static str,
        /// Why there are none.
        why: &'static str,
    },
    /// The linear system could not be solved in double precision.
    #[error(
        "no finite solution with lambda = {lambda:?}: the centroids are too large for it, raise lambda"
    )]
    Unsolvable {
        /// The ridge.
        lambda: f64,
    },
    /// `human` was asked for and some domains have no share.
    #[error("method `human` needs a share for every domain; `human` is missing for {}", domains.join(", "))]
    HumanMissing {
        /// The domains without a share.
        domains: Vec<String>,
    },
    /// `human` was asked for and all shares are zero.
    #[error("method `human` needs a share above 0; all shares are 0")]
    HumanZero,
    /// Domains cannot be held at their human share.
    #[error("hold: {problem}")]
    Hold {
        /// What is in the way.
        problem: String,
    },
    /// No method has that name.
    #[error("there is no method `{name}`{}; there are {}", suggestion(nearest.as_deref()), known.join(", "))]
    UnknownMethod {
        /// The name asked for.
        name: String,
        /// A name much like it.
        nearest: Option<String>,
        /// Every method's name.
        known: Vec<&'static str>,
    },
    /// A centroids file cannot be understood.
    #[error(
        "{} is not a whole centroids file: {problem}; `madmix extract` writes one from a run's shards",
        path.display()
    )]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A centroids file cannot be read.
    #[error("cannot read the centroids")]
    Read(#[source] std::io::Error),
    /// A centroids file cannot be written.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"))
}
