//! What a survey has found.

use serde::Serialize;

use super::{Duplicates, Lengths, Noted, Work};
use crate::dataset::Fault;
use crate::extract::Lost;

/// What is in the data.
#[derive(Debug)]
pub struct Survey {
    /// The datasets, in their order.
    pub datasets: Vec<Found>,
    /// The domains, in theirs.
    pub domains: Vec<Sum>,
    /// All of it.
    pub total: Sum,
    /// What occurs more than once, the most frequent first.
    pub duplicates: Vec<Duplicates>,
    /// What a run has to do for the samples that are chosen, as far as they were measured.
    pub work: Work,
}

/// What is in a dataset.
#[derive(Debug, Serialize)]
pub struct Found {
    /// Its name, and what is counted.
    #[serde(flatten)]
    pub sum: Sum,
    /// The domain's name.
    pub domain: String,
    /// What its format is called.
    pub format: String,
    /// Files that it consists of.
    pub files: usize,
    /// What is odd, and used all the same; the most frequent first.
    pub irregularities: Vec<Noted>,
    /// Why samples cannot be used, as far as can be told without decoding pictures; the most frequent first.
    pub failures: Vec<Noted>,
    /// Files, and ends of files, that cannot be used.
    pub faults: Vec<FaultNote>,
    /// Row, id and reason of the first row that cannot be used.
    #[serde(skip)]
    pub(super) first_failure: Option<(u64, String, String)>,
}

/// A file, or an end of one, that cannot be used.
#[derive(Debug, Serialize)]
pub struct FaultNote {
    /// Its name in the dataset's folder.
    pub file: String,
    /// What is wrong with it.
    pub reason: String,
    /// Rows that are lost by it, as far as can be told.
    pub rows: u64,
}

/// What is counted of a dataset or of several.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Sum {
    /// Whose it is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Rows that filter and sampling strategy keep.
    pub rows: u64,
    /// Rows that are lost with files that cannot be used, as far as can be told.
    pub lost_rows: u64,
    /// Rows that a run takes.
    pub samples: u64,
    /// Rows that were measured: the samples, or all.
    pub measured: u64,
    /// Rows of these that cannot be used, as far as can be told without decoding pictures.
    pub failed: u64,
    /// Measured rows that show nothing, whether they can be used or not.
    pub with_text_only: u64,
    /// Measured rows with pictures.
    pub with_pictures: u64,
    /// Measured rows with videos.
    pub with_videos: u64,
    /// Tokens of the measured rows that can be used.
    pub tokens: u64,
    /// Tokens of these that are pictures'.
    pub picture_tokens: u64,
    /// Tokens of these that are videos'.
    pub video_tokens: u64,
    /// How they are distributed over the rows.
    pub lengths: Lengths,
}

impl Found {
    /// What it lost, if anything.
    pub fn lost(&self) -> Option<Lost<'_>> {
        let (row, id, reason) = self.first_failure.as_ref()?;
        Some(Lost {
            dataset: &self.sum.name,
            failed: self.sum.failed as usize,
            samples: self.sum.measured,
            first: (*row, id, reason),
        })
    }
}

impl From<&Fault> for FaultNote {
    fn from(fault: &Fault) -> Self {
        Self {
            file: fault.file.clone(),
            reason: fault.reason.clone(),
            rows: fault.rows,
        }
    }
}

impl Sum {
    /// Adds what is counted; the name and the lengths stay as they are.
    pub(super) fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.lost_rows += other.lost_rows;
        self.samples += other.samples;
        self.measured += other.measured;
        self.failed += other.failed;
        self.with_text_only += other.with_text_only;
        self.with_pictures += other.with_pictures;
        self.with_videos += other.with_videos;
        self.tokens += other.tokens;
        self.picture_tokens += other.picture_tokens;
        self.video_tokens += other.video_tokens;
    }
}
