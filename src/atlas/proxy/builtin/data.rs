//! What the small model is trained on and held against.

use super::text::{self, SORTS, TEXT};
use crate::atlas::Grid;
use crate::atlas::chance::Chance;

/// How many numbers a picture becomes.
const IMAGE: usize = 64;
/// How many numbers a sample becomes: its picture, whether it has one, and what the user says.
pub(super) const INPUT: usize = IMAGE + 1 + TEXT;
/// Every so many samples of a cell one is held out.
const HELD_OUT: usize = 4;
/// The most that are held out of a cell.
const MOST_HELD_OUT: usize = 128;
/// How much of an answer a sort of word has that is in none.
const UNSEEN: f32 = 0.05;

/// A sample of a cell.
#[derive(Clone, Debug)]
pub struct ProxySample {
    /// Its cell in the grid.
    pub cell: usize,
    /// A hash that tells it from all others; the same wherever the data lie. Decides what is held out.
    pub key: u64,
    /// The vector of its picture, of one length for all; `None` for text alone.
    pub image: Option<Vec<f32>>,
    /// What the user says.
    pub question: String,
    /// What the assistant says.
    pub answer: String,
}

/// Why samples are nothing to train on.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// There is no such cell.
    #[error("a sample is of cell {cell}, and the grid has {cells}")]
    Cell {
        /// The sample's.
        cell: usize,
        /// How many there are.
        cells: usize,
    },
    /// Vectors differ in length or are no numbers.
    #[error(
        "an image vector has {found} numbers, of which all must be finite, and others have {expected}: make the embeddings anew"
    )]
    Image {
        /// Its length.
        found: usize,
        /// The others'.
        expected: usize,
    },
    /// A task has nothing that can be held out.
    #[error(
        "task \"{task}\" has no sample whose answer has words, so its loss cannot be measured: name benchmarks and a command under [atlas], or give its cells other samples"
    )]
    NoAnswers {
        /// The task.
        task: String,
    },
}

/// Samples as numbers, split into those that are trained on and those that are held out.
#[derive(Clone, Debug, Default)]
pub struct ProxyData {
    /// `[samples][INPUT]`, one after the other.
    pub(super) inputs: Vec<f32>,
    /// Sorts of words of the answers, with their shares.
    pub(super) answers: Vec<Vec<(u8, f32)>>,
    /// The cells, in the order of the grid.
    pub(super) cells: Vec<CellData>,
    /// How many tasks there are.
    pub(super) tasks: usize,
    /// How often each sort of word is answered in all that is trained on, of any cell; sums to 1, and none is 0.
    pub(super) prior: Vec<f32>,
}

/// Which samples are of a cell.
#[derive(Clone, Debug, Default)]
pub(super) struct CellData {
    pub(super) task: usize,
    pub(super) train: Vec<u32>,
    pub(super) held_out: Vec<u32>,
}

impl ProxyData {
    /// Makes numbers of samples, in whatever order they come. Those whose answer has no words are left out.
    ///
    /// # Errors
    /// See [`DataError`].
    pub fn new(
        grid: &Grid,
        samples: impl IntoIterator<Item = ProxySample>,
    ) -> Result<Self, DataError> {
        let mut used = Vec::new();
        let mut width = None;
        let mut projection = Vec::new();
        for sample in samples {
            let cells = grid.cells.len();
            if sample.cell >= cells {
                return Err(DataError::Cell {
                    cell: sample.cell,
                    cells,
                });
            }
            let answer = text::sorts(&sample.answer);
            if answer.is_empty() {
                continue;
            }
            let image = sample.image.map(|image| {
                let expected = *width.get_or_insert(image.len());
                if image.len() != expected || image.iter().any(|value| !value.is_finite()) {
                    let found = image.len();
                    return Err(DataError::Image { found, expected });
                }
                if projection.is_empty() {
                    projection = random_projection(expected);
                }
                Ok(projected(&projection, &image))
            });
            used.push(Used {
                key: sample.key,
                cell: sample.cell,
                image: image.transpose()?,
                question: text::bag(&sample.question),
                answer,
            });
        }
        // Whatever the order in which they came.
        used.sort_by_key(|sample| (sample.cell, sample.key));
        standardise(&mut used);
        let data = Self::of(grid, used);
        for (task, name) in grid.tasks.iter().enumerate() {
            let mut of_task = data
                .cells
                .iter()
                .filter(|cell| cell.task == task)
                .peekable();
            if of_task.peek().is_some() && of_task.all(|cell| cell.held_out.is_empty()) {
                return Err(DataError::NoAnswers { task: name.clone() });
            }
        }
        Ok(data)
    }

    fn of(grid: &Grid, used: Vec<Used>) -> Self {
        let mut data = Self {
            tasks: grid.tasks.len(),
            cells: grid
                .cells
                .iter()
                .map(|cell| CellData {
                    task: cell.task,
                    ..CellData::default()
                })
                .collect(),
            ..Self::default()
        };
        for (index, sample) in used.into_iter().enumerate() {
            data.inputs.extend(sample.image.unwrap_or([0.0; IMAGE]));
            data.inputs
                .push(if sample.image.is_some() { 1.0 } else { -1.0 });
            data.inputs.extend(sample.question);
            data.answers.push(sample.answer);
            data.cells[sample.cell].train.push(index as u32);
        }
        for cell in &mut data.cells {
            // They are in the order of their hashes.
            let held_out = cell.train.len().div_ceil(HELD_OUT).min(MOST_HELD_OUT);
            cell.held_out = cell.train.drain(..held_out).collect();
        }
        data.prior = data.shares_of_sorts();
        data
    }

    fn shares_of_sorts(&self) -> Vec<f32> {
        let mut shares = vec![UNSEEN; SORTS];
        for &sample in self.cells.iter().flat_map(|cell| &cell.train) {
            for &(sort, share) in &self.answers[sample as usize] {
                shares[usize::from(sort)] += share;
            }
        }
        let total: f32 = shares.iter().sum();
        shares.iter().map(|share| share / total).collect()
    }

    /// How many samples are trained on, and how many are held out.
    pub fn sizes(&self) -> (usize, usize) {
        let count = |of: fn(&CellData) -> usize| self.cells.iter().map(of).sum();
        (
            count(|cell| cell.train.len()),
            count(|cell| cell.held_out.len()),
        )
    }
}

/// A sample whose answer has words.
struct Used {
    key: u64,
    cell: usize,
    image: Option<[f32; IMAGE]>,
    question: [f32; TEXT],
    answer: Vec<(u8, f32)>,
}

/// `[width][IMAGE]`, the same for every run.
fn random_projection(width: usize) -> Vec<f32> {
    let mut chance = Chance::of(0, "proxy's projection", 0);
    (0..width * IMAGE).map(|_| chance.normal() as f32).collect()
}

fn projected(projection: &[f32], image: &[f32]) -> [f32; IMAGE] {
    let mut out = [0.0; IMAGE];
    for (value, row) in image.iter().zip(projection.chunks_exact(IMAGE)) {
        for (out, weight) in out.iter_mut().zip(row) {
            *out += value * weight;
        }
    }
    out
}

/// Takes the mean of all pictures away, which is most of their length, and gives what is left a variance of 1.
fn standardise(samples: &mut [Used]) {
    let images = || samples.iter().filter_map(|sample| sample.image.as_ref());
    let count = images().count().max(1) as f64;
    let mut mean = [0.0_f64; IMAGE];
    let mut squares = 0.0;
    for image in images() {
        for (mean, &value) in mean.iter_mut().zip(image) {
            *mean += f64::from(value) / count;
        }
    }
    for image in images() {
        for (mean, &value) in mean.iter().zip(image) {
            squares += (f64::from(value) - mean).powi(2);
        }
    }
    let deviation = (squares / (count * IMAGE as f64)).sqrt();
    let scale = if deviation > 0.0 {
        deviation.recip()
    } else {
        0.0
    };
    for image in samples
        .iter_mut()
        .filter_map(|sample| sample.image.as_mut())
    {
        for (mean, value) in mean.iter().zip(image) {
            *value = ((f64::from(*value) - mean) * scale) as f32;
        }
    }
}
