//! Reading every row once: its task, its size, and whether it has pictures.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use crate::atlas::label::tasks::Rules;
use crate::atlas::label::{Label, Labelled};
use crate::commands::terminal;
use crate::dataset::Dataset;
use crate::extract::Preparer;
use crate::store::Failure;

/// Rows that one thread reads one after the other.
const TOGETHER: u64 = 64;

/// A dataset that was opened.
pub(super) struct Opened {
    /// Its name.
    pub(super) name: String,
    /// The place of its domain in the config.
    pub(super) domain: usize,
    pub(super) dataset: Arc<dyn Dataset>,
}

/// The rows of a dataset that could be read.
#[derive(Default)]
pub(super) struct Read {
    /// Their labels, as yet without concepts.
    pub(super) labels: Labelled,
    /// Which of them have pictures or clips.
    pub(super) pictured: Vec<bool>,
    /// The other rows.
    pub(super) failures: Vec<Failure>,
}

impl Read {
    fn append(&mut self, mut other: Self) {
        self.labels.append(&other.labels);
        self.pictured.append(&mut other.pictured);
        self.failures.append(&mut other.failures);
    }

    /// The samples with pictures or clips.
    pub(super) fn pictured(&self) -> Vec<u64> {
        let both = self.labels.index.iter().zip(&self.pictured);
        both.filter(|(_, pictured)| **pictured)
            .map(|(index, _)| *index)
            .collect()
    }
}

/// Reads all rows of all datasets; `None` when `stop` was set meanwhile.
pub(super) fn read(
    opened: &[Opened],
    preparer: &Preparer,
    rules: &Rules,
    stop: &AtomicBool,
) -> Option<Vec<Read>> {
    let total = opened.iter().map(|opened| opened.dataset.len()).sum();
    let bar = terminal::bar("reading rows", total, false);
    let chunks = (0..opened.len()).into_par_iter().flat_map(|number| {
        let chunks = opened[number].dataset.len().div_ceil(TOGETHER);
        (0..chunks)
            .into_par_iter()
            .map(move |chunk| (number, chunk))
    });
    let read: Vec<(usize, Read)> = chunks
        .map(|(number, chunk)| {
            let one = &opened[number];
            let mut read = Read::default();
            let start = chunk * TOGETHER;
            for index in start..one.dataset.len().min(start + TOGETHER) {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                visit(one, index, preparer, rules, &mut read);
                bar.inc(1);
            }
            (number, read)
        })
        .collect();
    bar.finish_and_clear();
    if stop.load(Ordering::Relaxed) {
        return None;
    }
    let mut all: Vec<Read> = opened
        .iter()
        .map(|one| Read {
            labels: Labelled::new(&one.name, one.dataset.fingerprint()),
            ..Read::default()
        })
        .collect();
    for (number, part) in read {
        all[number].append(part);
    }
    Some(all)
}

fn visit(one: &Opened, index: u64, preparer: &Preparer, rules: &Rules, read: &mut Read) {
    let sample = match one.dataset.read(index) {
        Ok(sample) => sample,
        Err(error) => {
            let failure = Failure::new(error.row, &error.id, &error.reason());
            read.failures.push(failure);
            return;
        }
    };
    let rule = rules.first(&one.name, &sample);
    let (row, id, pictured) = (sample.row, sample.id.clone(), !sample.media.is_empty());
    match preparer.measure_sample(sample, index) {
        Ok(measured) => {
            read.labels.push(&Label {
                index,
                row,
                id: &id,
                concept: 0,
                rule: rule as u32,
                tokens: u32::try_from(measured.tokens()).unwrap_or(u32::MAX),
                similarity: f32::NAN,
            });
            read.pictured.push(pictured);
        }
        Err(failure) => read.failures.push(failure),
    }
}
