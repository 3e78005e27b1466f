//! What the small model is trained on and held against.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

use super::text::{self, SORTS, TEXT};
use crate::atlas::Grid;
use crate::atlas::chance::Chance;

/// How many numbers a picture becomes.
const IMAGE: usize = 64;
/// How many numbers a sample becomes: its picture, whether it has one, and what the user says.
pub(super) const INPUT: usize = IMAGE + 1 + TEXT;
/// Steps into which a picture's numbers are rounded, so that one picture is told from others and not from itself, embedded
/// in another batch.
const STEPS: f32 = 64.0;
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
    /// A hash that tells it from all others; the same wherever the data lie.
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
            let content = content(&sample);
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
                content,
                cell: sample.cell,
                image: image.transpose()?,
                question: text::bag(&sample.question),
                answer,
            });
        }
        // Whatever the order in which they came.
        used.sort_by_key(|sample| (sample.cell, sample.key));
        let sides = sides(&used, grid.cells.len());
        standardise(&mut used, &sides);
        let data = Self::of(grid, used, &sides);
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

    fn of(grid: &Grid, used: Vec<Used>, sides: &[Side]) -> Self {
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
        for (index, (sample, side)) in used.into_iter().zip(sides).enumerate() {
            data.inputs.extend(sample.image.unwrap_or([0.0; IMAGE]));
            data.inputs
                .push(if sample.image.is_some() { 1.0 } else { -1.0 });
            data.inputs.extend(sample.question);
            data.answers.push(sample.answer);
            let cell = &mut data.cells[sample.cell];
            match side {
                Side::Train => cell.train.push(index as u32),
                Side::HeldOut => cell.held_out.push(index as u32),
                Side::Neither => {}
            }
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
    /// The same for samples that show one picture, and for those without one that say the same.
    content: u64,
    cell: usize,
    image: Option<[f32; IMAGE]>,
    question: [f32; TEXT],
    answer: Vec<(u8, f32)>,
}

/// What a sample is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Train,
    HeldOut,
    /// It shares its content with what is held out, of which there is enough.
    Neither,
}

fn content(sample: &ProxySample) -> u64 {
    let bytes: Vec<u8> = match &sample.image {
        Some(image) => {
            let rounded = image.iter().map(|value| (value * STEPS).round() as i32);
            rounded.flat_map(i32::to_le_bytes).collect()
        }
        None => format!("{}\0{}", sample.question, sample.answer).into_bytes(),
    };
    xxh3_64(&bytes)
}

/// Holds out a share of every cell, and no content of which a part is trained on: collections have many rows about one
/// picture, in several cells, and rows twice; what was learnt by heart says nothing. A cell of one content alone is
/// divided by rows all the same, as it could not be measured otherwise.
fn sides(used: &[Used], cells: usize) -> Vec<Side> {
    let mut sizes = vec![0_usize; cells];
    let mut of_content = BTreeMap::<u64, Vec<usize>>::new();
    for (index, sample) in used.iter().enumerate() {
        sizes[sample.cell] += 1;
        of_content.entry(sample.content).or_default().push(index);
    }
    let wanted = |cell: usize| sizes[cell].div_ceil(HELD_OUT).min(MOST_HELD_OUT);
    let mut sides = vec![Side::Train; used.len()];
    let mut gone = vec![0; cells];
    // In the order of hashes, so by chance.
    for samples in of_content.values() {
        let mut counts = BTreeMap::<usize, usize>::new();
        for index in samples {
            *counts.entry(used[*index].cell).or_default() += 1;
        }
        let needed = counts.keys().any(|&cell| gone[cell] < wanted(cell));
        let affordable = counts.iter().all(|(&cell, count)| {
            let gone = gone[cell] + count;
            gone < sizes[cell] && gone <= 2 * wanted(cell)
        });
        if needed && affordable {
            for &index in samples {
                let gone = &mut gone[used[index].cell];
                sides[index] = if *gone < MOST_HELD_OUT {
                    Side::HeldOut
                } else {
                    Side::Neither
                };
                *gone += 1;
            }
        }
    }
    for (index, sample) in used.iter().enumerate() {
        // They are in the order of their hashes.
        let at = index - used.partition_point(|other| other.cell < sample.cell);
        if gone[sample.cell] == 0 && at < wanted(sample.cell) {
            sides[index] = Side::HeldOut;
        }
    }
    sides
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

/// Takes the mean of the pictures that are trained on away, which is most of their length, and gives what is left of them
/// a variance of 1.
fn standardise(samples: &mut [Used], sides: &[Side]) {
    let images = || {
        let both = samples.iter().zip(sides);
        let train = both.filter(|(_, side)| **side == Side::Train);
        train.filter_map(|(sample, _)| sample.image.as_ref())
    };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::atlas::{Cell, CellDataset};

    fn grid(cells: usize) -> Grid {
        let cell = |i: usize| Cell {
            name: format!("c × t{i}"),
            concept: 0,
            task: i,
            today: 1.0 / cells as f64,
            datasets: vec![CellDataset {
                name: "d".into(),
                samples: 1,
                tokens: 1,
            }],
        };
        Grid {
            concepts: vec!["c".into()],
            tasks: (0..cells).map(|i| format!("t{i}")).collect(),
            cells: (0..cells).map(cell).collect(),
        }
    }

    fn sample(cell: usize, key: u64, picture: Option<u64>) -> ProxySample {
        ProxySample {
            cell,
            key,
            image: picture.map(|picture| {
                let mut chance = Chance::of(picture, "picture", 0);
                // As another batch would have it.
                let noise = 1e-7 * key as f32;
                (0..16).map(|_| chance.normal() as f32 + noise).collect()
            }),
            question: "What?".into(),
            answer: format!("word{}", key % 7),
        }
    }

    #[test]
    fn nothing_that_is_held_out_is_trained_on() {
        // Forty pictures of ten rows each in two cells, and a cell of text of which every row is there three times.
        let pictured = (0..400).map(|i| sample((i % 2) as usize, i, Some(i / 10)));
        let text = (0..60).map(|i| ProxySample {
            question: format!("question {}", i / 3),
            ..sample(2, 1000 + i, None)
        });
        let text = text.map(|one| ProxySample {
            answer: one.question.clone(),
            ..one
        });
        let samples: Vec<_> = pictured.chain(text).collect();
        let data = ProxyData::new(&grid(3), samples).unwrap();
        let contents = |of: fn(&CellData) -> &Vec<u32>| -> Vec<Vec<i32>> {
            let samples = data.cells.iter().flat_map(of);
            samples
                .map(|&at| {
                    let input = &data.inputs[at as usize * INPUT..][..INPUT];
                    // What differs by rounding alone is the same.
                    input.iter().map(|x| (x * 50.0).round() as i32).collect()
                })
                .collect()
        };
        let (train, held_out) = (
            contents(|cell| &cell.train),
            contents(|cell| &cell.held_out),
        );
        assert!(held_out.iter().all(|content| !train.contains(content)));
        for (cell, size) in data.cells.iter().zip([200, 200, 60]) {
            assert_eq!(cell.train.len() + cell.held_out.len(), size);
            let share = cell.held_out.len() as f64 / size as f64;
            assert!((0.2..0.35).contains(&share), "{share}");
        }
    }

    #[test]
    fn a_cell_of_one_picture_is_measured_all_the_same() {
        let samples = (0..8).map(|i| sample(0, i, Some(1)));
        let data = ProxyData::new(&grid(1), samples).unwrap();
        assert_eq!(data.sizes(), (6, 2));
    }

    #[test]
    fn numbers_are_scaled_by_what_is_trained_on() {
        let samples: Vec<_> = (0..40).map(|i| sample(0, i, Some(i))).collect();
        let data = ProxyData::new(&grid(1), samples).unwrap();
        let train = &data.cells[0].train;
        let mut squares = 0.0;
        for number in 0..IMAGE {
            let of = |at: &u32| f64::from(data.inputs[*at as usize * INPUT + number]);
            let mean: f64 = train.iter().map(of).sum::<f64>() / train.len() as f64;
            assert!(mean.abs() < 1e-5, "{mean}");
            squares += train.iter().map(|at| of(at).powi(2)).sum::<f64>();
        }
        let variance = squares / (train.len() * IMAGE) as f64;
        assert!((variance - 1.0).abs() < 1e-4, "{variance}");
    }
}
