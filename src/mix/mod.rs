//! From pooled vectors to weights: centroids per domain and modality, the methods, and the mixture they give.
//!
//! Everything is plain `f64` linear algebra, over up to some 100,000 domains; nothing here knows of models.
//!
//! * [`DatasetMean`], [`centroids()`] – sample → dataset → domain
//! * [`Method`] – centroids to weights; [`METHODS`] lists them
//! * [`allot`] – a budget of samples to whole counts per dataset
//! * [`Solver`] – a method with all that is set about it; [`analyse`] says what moves its weights
//! * [`Mixture`] – what `mixture.json` holds

mod analysis;
mod average;
mod bootstrap;
mod budget;
mod centroids;
mod centroids_file;
mod chameleon;
mod compare;
mod dataset_mean;
mod error;
mod fused;
mod hold;
mod human;
pub(crate) mod kernel;
mod mad_mix;
mod method;
mod mixture;
mod mixture_error;
mod orthogonal;
mod replicates;
mod solver;
mod total;
mod uniform;
mod unimodal;

pub use analysis::{
    Analysis, Influence, LambdaPoint, LayerWeights, MOST_DOMAINS, MOST_ROWS, SpectrumLine, analyse,
    kernels, lambda_path, without_dataset, without_modality,
};
pub use average::Average;
pub use bootstrap::Bootstrap;
pub use budget::{Allotment, BudgetError, MAX_BUDGET, Share, allot, shares_of_tokens};
pub use centroids::{Aggregation, Centroids, Domain, DomainMeans, Origin, View, centroids};
pub use chameleon::{Chameleon, Stage};
pub use compare::{Comparison, DomainComparison};
pub use dataset_mean::DatasetMean;
pub use error::MixError;
pub use fused::Fused;
pub use human::Human;
pub use mad_mix::MadMix;
pub use method::{METHODS, Method, MethodEntry, Parameters, RestsOn, Scaling, Solution, method};
pub use mixture::{
    DatasetSummary, Mixture, MixtureDataset, MixtureDomain, MixtureSettings, Provenance,
    Uncertainty,
};
pub use mixture_error::MixtureError;
pub use orthogonal::Orthogonal;
pub use replicates::Replicates;
pub use solver::Solver;
pub use uniform::Uniform;
pub use unimodal::Unimodal;
