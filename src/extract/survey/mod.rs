//! What is in the data, without a model pass: what `madmix plan` tells.
//!
//! Every row that is asked for is read and tokenised; of its pictures only the headers are read and of its clips only what
//! says how long they are. Rows are visited in the order of their files, in parallel, and nothing that comes of it hangs
//! on that order.
//!
//! # Memory
//! For each row 4 bytes for its length and 48 for its words, and for each picture and clip 64. Two million rows with a
//! picture each take 230 MB.

mod duplicates;
mod forecast;
mod gathered;
mod lengths;
mod note;
mod reason;
mod row;

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::Serialize;

use super::Preparer;
use super::limit::Lost;
use crate::dataset::{Dataset, Fault, MediaKind, Sample};
use crate::vlm::Cost;

pub use duplicates::{Duplicates, Same};
pub use forecast::{DeviceMemory, Forecast, Machine, Memory, Rate, Time, Work, forecast};
use gathered::Gathered;
pub use lengths::Lengths;
pub use note::{Example, Noted, Unit};
use row::Surveyor;

/// Rows that one thread visits one after the other.
const TOGETHER: usize = 64;

/// A dataset to be surveyed.
pub struct Subject<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its domain's.
    pub domain: &'a str,
    /// Its rows.
    pub dataset: &'a dyn Dataset,
    /// The samples of a run, as indices into it, in any order.
    pub chosen: &'a [u64],
}

/// What a survey is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Rows are measured.
    Measuring,
    /// Pictures that may be the same are compared.
    Comparing,
}

/// Hears how far a survey is.
pub trait Watch: Sync {
    /// A step with so many parts begins.
    fn begin(&self, step: Step, parts: u64);
    /// So many of them are done.
    fn advance(&self, parts: u64);
}

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

/// Surveys the chosen rows of all datasets, or all rows.
pub fn survey(
    subjects: &[Subject<'_>],
    preparer: &Preparer,
    cost: &Cost,
    all: bool,
    watch: &dyn Watch,
) -> Survey {
    let mut gathered = measure(subjects, preparer, cost, all, watch);
    let datasets: Vec<&dyn Dataset> = subjects.iter().map(|subject| subject.dataset).collect();
    let duplicates = duplicates::find(&datasets, &mut gathered, watch);
    let mut work = Work::default();
    let mut groups: Vec<(String, Sum, Vec<u32>)> = Vec::new();
    let (mut total, mut all_lengths) = (Sum::default(), Vec::new());
    let mut found = Vec::new();
    for (subject, mut gathered) in subjects.iter().zip(gathered) {
        work += gathered.work;
        gathered.note_large(|index, number| picture(subject.dataset, index, number));
        let one = found_in(subject, &mut gathered);
        let at = groups.iter().position(|(name, ..)| name == subject.domain);
        let at = at.unwrap_or_else(|| {
            groups.push((subject.domain.to_owned(), Sum::default(), Vec::new()));
            groups.len() - 1
        });
        let (_, sum, lengths) = &mut groups[at];
        sum.add(&one.sum);
        total.add(&one.sum);
        lengths.extend(&gathered.lengths);
        all_lengths.append(&mut gathered.lengths);
        found.push(one);
    }
    total.lengths = Lengths::of(&mut all_lengths);
    let domains = groups.into_iter().map(|(name, sum, mut lengths)| Sum {
        name,
        lengths: Lengths::of(&mut lengths),
        ..sum
    });
    Survey {
        datasets: found,
        domains: domains.collect(),
        total,
        duplicates,
        work,
    }
}

fn measure(
    subjects: &[Subject<'_>],
    preparer: &Preparer,
    cost: &Cost,
    all: bool,
    watch: &dyn Watch,
) -> Vec<Gathered> {
    let sorted: Vec<Vec<u64>> = subjects
        .par_iter()
        .map(|subject| {
            let mut chosen = subject.chosen.to_vec();
            chosen.sort_unstable();
            chosen
        })
        .collect();
    let rows = |i: usize| match all {
        true => subjects[i].dataset.len(),
        false => sorted[i].len() as u64,
    };
    watch.begin(Step::Measuring, (0..subjects.len()).map(rows).sum());
    let together = (0..subjects.len()).into_par_iter().flat_map(|i| {
        let chunks = rows(i).div_ceil(TOGETHER as u64);
        (0..chunks).into_par_iter().map(move |chunk| (i, chunk))
    });
    let gathered = together
        .fold(
            BTreeMap::<usize, Gathered>::new,
            |mut gathered, (i, chunk)| {
                let into = gathered.entry(i).or_default();
                let surveyor = Surveyor {
                    dataset: subjects[i].dataset,
                    preparer,
                    cost,
                };
                let start = chunk * TOGETHER as u64;
                for place in start..rows(i).min(start + TOGETHER as u64) {
                    let (index, chosen) = match all {
                        true => (place, sorted[i].binary_search(&place).is_ok()),
                        false => (sorted[i][place as usize], true),
                    };
                    surveyor.visit(index, chosen, into);
                    watch.advance(1);
                }
                gathered
            },
        )
        .reduce(BTreeMap::new, |mut gathered, others| {
            for (i, other) in others {
                gathered.entry(i).or_default().append(other);
            }
            gathered
        });
    let mut gathered = gathered;
    (0..subjects.len())
        .map(|i| gathered.remove(&i).unwrap_or_default())
        .collect()
}

/// A picture of a row, as an example.
fn picture(dataset: &dyn Dataset, index: u64, number: u32) -> Example {
    let pictures = |sample: &Sample| {
        let mut pictures = sample
            .media
            .iter()
            .filter(|media| media.kind == MediaKind::Image);
        Some(pictures.nth(number as usize)?.name.clone())
    };
    let name = dataset.read(index).ok().as_ref().and_then(pictures);
    let Example { row, id, .. } = note::row_at(dataset, index);
    Example::new(row, &id, name.as_deref())
}

fn found_in(subject: &Subject<'_>, gathered: &mut Gathered) -> Found {
    let faults = subject.dataset.faults();
    Found {
        sum: Sum {
            name: subject.name.to_owned(),
            rows: subject.dataset.len(),
            lost_rows: super::faults::lost_rows(faults),
            samples: subject.chosen.len() as u64,
            lengths: Lengths::of(&mut gathered.lengths),
            ..gathered.sum.clone()
        },
        domain: subject.domain.to_owned(),
        format: subject.dataset.format().to_owned(),
        files: subject.dataset.files(),
        irregularities: gathered.irregularities(),
        failures: gathered.failures(),
        faults: faults.iter().map(FaultNote::from).collect(),
        first_failure: gathered.first_failure(),
    }
}

impl Sum {
    /// Adds what is counted; the name and the lengths stay as they are.
    fn add(&mut self, other: &Self) {
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
