//! What can be wrong with an export.

use std::path::PathBuf;

use thiserror::Error;

use crate::dataset::DatasetError;
use crate::mix::BudgetError;
use crate::store::PublishError;

/// Why a mixture cannot be written for a trainer.
#[derive(Debug, Error)]
pub enum ExportError {
    /// A picture or a video that lies inside a dataset's file cannot be written out.
    #[error("cannot write {}, which lies inside its dataset", path.display())]
    Media {
        /// The file that it should have become.
        path: PathBuf,
        /// What is in the way.
        source: std::io::Error,
    },
    /// The trainer has no words for this plan.
    #[error("{trainer} cannot take this mixture: {problem}")]
    Trainer {
        /// The trainer's name.
        trainer: &'static str,
        /// What is in the way, and what to do.
        problem: String,
    },
    /// No trainer has that name.
    #[error(
        "there is no trainer `{name}`{}; `madmix export --list` lists them",
        suggestion(nearest.as_deref())
    )]
    UnknownTrainer {
        /// The name asked for.
        name: String,
        /// A name much like it.
        nearest: Option<String>,
    },
    /// No domain has that name.
    #[error("the mixture has no domain `{name}`{}", suggestion(nearest.as_deref()))]
    UnknownDomain {
        /// The name asked for.
        name: String,
        /// A name much like it.
        nearest: Option<String>,
    },
    /// The budget cannot be divided.
    #[error(transparent)]
    Budget(#[from] BudgetError),
    /// Epochs are counted against a budget, and there is none.
    #[error(
        "max-epochs limits how often rows are seen within a budget: give --budget, or --steps and --batch, too"
    )]
    CapWithoutBudget,
    /// Counts are of samples.
    #[error(
        "a budget counts samples, so it cannot be divided by tokens: leave out --budget, or --by tokens"
    )]
    BudgetOfTokens,
    /// The trainer draws samples.
    #[error("{trainer} draws samples, not tokens: leave out --by tokens")]
    DrawsSamples {
        /// The trainer's name.
        trainer: &'static str,
    },
    /// Shares of tokens need the length of samples.
    #[error(
        "the mixture does not say how many tokens the samples of dataset `{dataset}` have: solve the run again with \
         this madmix, which counts them"
    )]
    Tokens {
        /// The dataset's name.
        dataset: String,
    },
    /// The mixture knows domains only.
    #[error(
        "the mixture does not say which datasets domain `{domain}` has: it was solved from centroids alone; solve the \
         run that made them"
    )]
    NoDatasets {
        /// The domain's name.
        domain: String,
    },
    /// A domain is to give samples and has none.
    #[error("domain `{domain}` has a weight but no rows: give it data, or solve without it")]
    NoRows {
        /// The domain's name.
        domain: String,
    },
    /// The config does not have a dataset of the mixture.
    #[error(
        "the config has no dataset `{dataset}`, which the mixture draws from in domain `{domain}`{}",
        suggestion(nearest.as_deref())
    )]
    NotConfigured {
        /// The dataset's name.
        dataset: String,
        /// The domain's name.
        domain: String,
        /// A name much like it.
        nearest: Option<String>,
    },
    /// The config has a dataset of the mixture in another domain.
    #[error(
        "dataset `{dataset}` is in domain `{found}` of the config, and in domain `{domain}` of the mixture: name the \
         domains alike"
    )]
    OtherDomain {
        /// The dataset's name.
        dataset: String,
        /// The domain in the mixture.
        domain: String,
        /// The domain in the config.
        found: String,
    },
    /// A file has to be looked at and cannot.
    #[error(
        "{trainer} has to be told which columns dataset `{dataset}` has; export where its file is"
    )]
    Unseen {
        /// The trainer's name.
        trainer: &'static str,
        /// The dataset's name.
        dataset: String,
        /// Why.
        source: std::io::Error,
    },
    /// Nothing says where the datasets lie.
    #[error(
        "{} is a mixture without a config beside it, so nothing says where its datasets lie: name one with --config", path.display()
    )]
    NoConfig {
        /// The mixture.
        path: PathBuf,
    },
    /// A file of the export would replace a dataset.
    #[error(
        "{} is one of the datasets, and the export would replace it: choose another folder with --out", path.display()
    )]
    Input {
        /// The file.
        path: PathBuf,
    },
    /// The folder for the files is none.
    #[error("{} is a file: name a folder with --out", path.display())]
    NotAFolder {
        /// The file.
        path: PathBuf,
    },
    /// A path has no place in a trainer's file.
    #[error("cannot write {} into a trainer's file: {problem}", path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// Why, and what to do.
        problem: &'static str,
    },
    /// A dataset has no number of rows to draw.
    #[error(
        "a file of rows needs to know how many rows to draw of dataset `{name}`: give a budget with --budget"
    )]
    NoCount {
        /// The dataset's name.
        name: String,
    },
    /// None of a dataset's rows can be used.
    #[error(
        "dataset `{name}` ({}): none of its {rows} rows can be used; the run's failures.jsonl says what is wrong with \
         those that were tried",
        path.display()
    )]
    NothingReadable {
        /// The dataset's name.
        name: String,
        /// Its annotation file.
        path: PathBuf,
        /// How many rows were tried.
        rows: u64,
    },
    /// More rows than can be shuffled here.
    #[error(
        "{rows} rows are too many to shuffle in this machine's memory, at 8 bytes each; give a smaller --budget"
    )]
    TooManyRows {
        /// How many were asked for.
        rows: u64,
    },
    /// A dataset whose rows are needed cannot be opened.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A file cannot be written.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

impl ExportError {
    /// Whether the user has to change the command or a config.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::UnknownTrainer { .. }
                | Self::NoConfig { .. }
                | Self::UnknownDomain { .. }
                | Self::Budget(_)
                | Self::CapWithoutBudget
                | Self::BudgetOfTokens
                | Self::DrawsSamples { .. }
                | Self::NotConfigured { .. }
                | Self::OtherDomain { .. }
                | Self::NoDatasets { .. }
                | Self::Input { .. }
                | Self::NotAFolder { .. }
        )
    }
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"))
}
