//! From shards of embeddings to one matrix: the vectors of a dataset's samples.

use std::collections::HashMap;

use crate::extract::{DatasetWork, ShardWork};
use crate::modality::Modality;
use crate::store::{Failure, Matrix, Shard};

/// The embeddings of a dataset.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedded {
    /// The samples that have a vector, as indices into the dataset, in the order in which they were asked for.
    pub indices: Vec<u64>,
    /// Their vectors `[samples, width]`, each of unit length: the mean direction of all pictures and frames of a sample,
    /// each of which counts the same.
    pub vectors: Matrix,
    /// The samples that were asked for and have none, and why.
    pub failures: Vec<Failure>,
}

/// Puts the shards of a dataset together; `load` gives each by its index.
///
/// # Errors
/// Whatever `load` returns.
pub fn gather<E>(
    work: &DatasetWork,
    mut load: impl FnMut(u32) -> Result<Shard, E>,
) -> Result<Embedded, E> {
    let mut indices = Vec::with_capacity(work.order.len());
    let mut failures = Vec::new();
    let mut values: Vec<f32> = Vec::new();
    let mut width = 0;
    for part in work.all_shards() {
        let mut shard = load(part.index)?;
        let of_row = indices_by_row(&part, &shard);
        for (i, &row) in shard.rows.iter().enumerate() {
            let Some(&index) = of_row.get(&row) else {
                continue;
            };
            match direction(&shard, i) {
                Some(vector) => {
                    if width == 0 {
                        width = vector.len();
                        values.reserve_exact(work.order.len() * width);
                    }
                    values.extend(vector);
                    indices.push(index);
                }
                None => failures.push(Failure::new(
                    row,
                    &row.to_string(),
                    "the embeddings of its pictures have no direction in common",
                )),
            }
        }
        failures.append(&mut shard.failures);
    }
    let vectors =
        Matrix::new(indices.len(), width, values).expect("a vector of the model's width for each");
    Ok(Embedded {
        indices,
        vectors,
        failures,
    })
}

/// The indices of a shard's samples by their rows. Where all have a vector they are in the same order; where some have
/// failed, the rows of all are looked up.
fn indices_by_row(part: &ShardWork, shard: &Shard) -> HashMap<u64, u64> {
    let samples = part.samples();
    if samples.len() == shard.rows.len() {
        return shard
            .rows
            .iter()
            .copied()
            .zip(samples.iter().copied())
            .collect();
    }
    let row = |index: u64| match part.dataset.dataset.read(index) {
        Ok(sample) => sample.row,
        Err(error) => error.row,
    };
    samples.iter().map(|&index| (row(index), index)).collect()
}

/// The unit vector of a shard's sample; `None` where its vectors cancel out, or are no numbers.
fn direction(shard: &Shard, sample: usize) -> Option<Vec<f32>> {
    let mut sum: Vec<f64> = Vec::new();
    for modality in [Modality::Image, Modality::Video] {
        let Some(pooled) = shard.modalities.get(&modality) else {
            continue;
        };
        let Some(mean) = pooled.layers.values().next() else {
            continue;
        };
        let count = f64::from(pooled.tokens[sample]);
        sum.resize(mean.columns(), 0.0);
        for (sum, &value) in sum.iter_mut().zip(mean.row(sample)) {
            *sum += count * f64::from(value);
        }
    }
    let length = sum.iter().map(|value| value * value).sum::<f64>().sqrt();
    let unit = || sum.iter().map(|value| (value / length) as f32).collect();
    (length.is_finite() && length > 1e-6).then(unit)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::convert::Infallible;
    use std::sync::Arc;

    use super::super::work;
    use super::*;
    use crate::dataset::{self, Dataset, DatasetSpec};
    use crate::store::{Pooled, Settings, ShardKey};

    fn pooled(tokens: Vec<u32>, values: Vec<f32>) -> Pooled {
        let matrix = Matrix::new(tokens.len(), 2, values).unwrap();
        Pooled {
            tokens,
            layers: BTreeMap::from([("last".to_owned(), matrix)]),
        }
    }

    /// A dataset of so many rows, in a folder of its own.
    fn rows(count: usize) -> (tempfile::TempDir, Arc<dyn Dataset>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.jsonl");
        let row = r#"{"conversations": [{"from": "human", "value": "?"}, {"from": "gpt", "value": "."}]}"#;
        fs_err::write(&path, vec![row; count].join("\n")).unwrap();
        let spec = DatasetSpec {
            path,
            ..DatasetSpec::default()
        };
        (folder, dataset::open(&spec).unwrap().into())
    }

    #[test]
    fn pictures_and_frames_count_alike_and_failures_keep_their_places() {
        let (_folder, dataset) = rows(6);
        let settings = Settings::new(&()).unwrap();
        let work = work("a", dataset, &[1, 2, 4, 5], "c", &settings);
        let shard = Shard {
            key: ShardKey::clone(&work.key),
            dataset: "a".into(),
            index: 0,
            rows: vec![1, 4, 5],
            modalities: BTreeMap::from([
                (
                    Modality::Image,
                    pooled(vec![1, 2, 2], vec![1.0, 0.0, 0.6, 0.0, 0.0, 0.0]),
                ),
                (
                    Modality::Video,
                    pooled(vec![0, 3, 0], vec![0.0, 0.0, 0.0, 0.3, 0.0, 0.0]),
                ),
            ]),
            failures: vec![Failure::new(2, "b", "gone")],
        };
        let embedded = gather(&work, |_| Ok::<_, Infallible>(shard.clone())).unwrap();
        assert_eq!(embedded.indices, [1, 4]);
        assert_eq!(embedded.vectors.row(0), [1.0, 0.0]);
        // 2 · (0.6, 0) + 3 · (0, 0.3) = (1.2, 0.9), of length 1.5.
        let second = embedded.vectors.row(1);
        assert!((second[0] - 0.8).abs() < 1e-6 && (second[1] - 0.6).abs() < 1e-6);
        let failed: Vec<u64> = embedded
            .failures
            .iter()
            .map(|failure| failure.row)
            .collect();
        assert_eq!(failed, [5, 2]);
    }

    #[test]
    fn vectors_without_end_are_failures() {
        let (_folder, dataset) = rows(2);
        let settings = Settings::new(&()).unwrap();
        let work = work("a", dataset, &[0, 1], "c", &settings);
        let shard = Shard {
            key: ShardKey::clone(&work.key),
            dataset: "a".into(),
            index: 0,
            rows: vec![0, 1],
            modalities: BTreeMap::from([(
                Modality::Image,
                pooled(vec![1, 1], vec![f32::INFINITY, 1.0, 0.0, 2.0]),
            )]),
            failures: Vec::new(),
        };
        let embedded = gather(&work, |_| Ok::<_, Infallible>(shard.clone())).unwrap();
        assert_eq!(embedded.indices, [1]);
        assert_eq!(embedded.failures.len(), 1);
    }

    #[test]
    fn other_samples_are_other_shards() {
        let (_folder, dataset) = rows(3);
        let settings = Settings::new(&()).unwrap();
        let key = |indices: &[u64]| work("a", Arc::clone(&dataset), indices, "c", &settings).key;
        assert_eq!(key(&[0, 1]), key(&[0, 1]));
        assert_ne!(key(&[0, 1]), key(&[0, 2]));
    }
}
