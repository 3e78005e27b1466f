//! From pooled vectors to weights: centroids per domain and modality, the methods, and the mixture they give.
//!
//! Everything is plain `f64` linear algebra over at most a few thousand domains; nothing here knows of models.
//!
//! * [`DatasetMean`], [`centroids()`] – sample → dataset → domain
//! * [`Method`] – centroids to weights; [`METHODS`] lists them
//! * [`allot`] – a budget of samples to whole counts per dataset
//! * [`Mixture`] – what `mixture.json` holds

mod analysis;
mod budget;
mod centroids;
mod centroids_file;
mod dataset_mean;
mod error;
mod hold;
mod human;
mod kernel;
mod mad_mix;
mod method;
mod mixture;
mod mixture_error;
mod solver;
mod uniform;

pub use analysis::{Analysis, Influence, LambdaPoint, LayerWeights, SpectrumLine};
pub use budget::{Allotment, BudgetError, MAX_BUDGET, Share, allot, shares_of_tokens};
pub use centroids::{Aggregation, Centroids, Domain, DomainMeans, Origin, View, centroids};
pub use dataset_mean::DatasetMean;
pub use error::MixError;
pub use human::Human;
pub use mad_mix::MadMix;
pub use method::{METHODS, Method, MethodEntry, Parameters, RestsOn, Scaling, Solution, method};
pub use mixture::{
    DatasetSummary, Mixture, MixtureDataset, MixtureDomain, MixtureSettings, Provenance,
    Uncertainty,
};
pub use mixture_error::MixtureError;
pub use solver::Solver;
pub use uniform::Uniform;
