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
mod found;
mod gathered;
mod lengths;
mod note;
mod reason;
mod row;

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::Preparer;
use crate::dataset::{Dataset, MediaKind, Sample};
use crate::vlm::Cost;

pub use duplicates::{Duplicates, Same};
pub use forecast::{DeviceMemory, Forecast, Machine, Memory, Rate, Time, Work, forecast};
pub use found::{FaultNote, Found, Sum, Survey};
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
