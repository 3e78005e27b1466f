//! Why a study cannot be used.

use std::io;
use std::path::PathBuf;

use crate::atlas::cells::CellsError;
use crate::atlas::search::SearchError;
use crate::atlas::space::SpaceError;
use crate::mix::MixtureError;
use crate::store::PublishError;

/// A study's folder cannot be used, or what it is told cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum StudyError {
    /// The folder is of another search.
    #[error(
        "{} is of another search: {}. Runs of one say little about the other: name another `output`, or move that folder away",
        path.display(), differences.join("; ")
    )]
    OtherSearch {
        /// Its `study.json`.
        path: PathBuf,
        /// What differs, a line each.
        differences: Vec<String>,
    },
    /// A file holds something else than was written.
    #[error("{}: {problem}; it was changed or damaged. Put it right, or move the folder that it is in away", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// There is no such trial.
    #[error("there is no trial {number}; {}", known(*last))]
    NoTrial {
        /// As asked for.
        number: u32,
        /// The last one; 0 when there is none.
        last: u32,
    },
    /// A metric that is no number.
    #[error(
        "trial {number}: the metric `{name}` is {value}; a run that has no result is told with --failed REASON"
    )]
    NotFinite {
        /// The trial.
        number: u32,
        /// The metric.
        name: String,
        /// What it is.
        value: f64,
    },
    /// A metric that no run gives.
    #[error(
        "trial {number}: the metric `{name}` is {value:e}, beyond 1e100, which is no result: tell it as failed with --failed REASON"
    )]
    TooLarge {
        /// The trial.
        number: u32,
        /// The metric.
        name: String,
        /// What it is.
        value: f64,
    },
    /// What was learnt gives no mixture.
    #[error(
        "what was learnt of the runs gives shares that are no numbers, and nothing was written: look for metrics that cannot be right (madmix atlas status), and tell those runs as failed"
    )]
    NoMixture,
    /// A benchmark that is not among the metrics.
    #[error(
        "trial {number}: the metrics lack the benchmark `{name}`; there {}",
        listed(found)
    )]
    Lacking {
        /// The trial.
        number: u32,
        /// The benchmark.
        name: String,
        /// The metrics that are there.
        found: Vec<String>,
    },
    /// Something else was told before.
    #[error(
        "trial {number} was told before, and otherwise: {before}. --replace takes the new; the old is kept beside it"
    )]
    ToldBefore {
        /// The trial.
        number: u32,
        /// What was told.
        before: String,
    },
    /// There is no such search.
    #[error(transparent)]
    Space(#[from] SpaceError),
    /// A mixture that was made elsewhere.
    #[error("the mixture cannot be told")]
    Mixture(#[source] SpaceError),
    /// The cells are no domains of the config.
    #[error(transparent)]
    Cells(#[from] CellsError),
    /// Nothing can be learnt or proposed.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// There is nothing that learns by that name.
    #[error("atlas.search.surrogate = \"{0}\" is not part of this madmix")]
    NoSurrogate(String),
    /// A mixture file cannot be made or written.
    #[error(transparent)]
    File(#[from] MixtureError),
    /// A file cannot be read or locked.
    #[error("the study cannot be used")]
    Io(#[from] io::Error),
    /// A file cannot be written.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

impl StudyError {
    /// Whether more finished runs would help.
    pub fn is_too_few(&self) -> bool {
        matches!(self, Self::Search(error) if error.is_too_few())
    }

    /// Whether what was asked for, or the config, has to change, and not the files.
    pub fn is_usage(&self) -> bool {
        !matches!(
            self,
            Self::Content { .. } | Self::File(_) | Self::Io(_) | Self::Publish(_)
        )
    }
}

fn known(last: u32) -> String {
    match last {
        0 => "none was proposed yet: madmix atlas propose".to_owned(),
        last => format!("they go from 1 to {last}"),
    }
}

fn listed(found: &[String]) -> String {
    /// More names than this help nobody.
    const NAMED: usize = 12;
    match found {
        [] => "are none".to_owned(),
        [one] => format!("is only `{one}`"),
        several if several.len() <= NAMED => format!("are `{}`", several.join("`, `")),
        several => format!(
            "are `{}` and {} more",
            several[..NAMED].join("`, `"),
            several.len() - NAMED
        ),
    }
}
