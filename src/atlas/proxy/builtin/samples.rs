//! Samples of cells, from datasets with their labels and embeddings.

use rayon::prelude::*;

use super::ProxySample;
use crate::atlas::Grid;
use crate::atlas::embed::Embedded;
use crate::dataset::{CellRows, Dataset, Role, Sample};

/// The most samples of a cell that are taken of one dataset. The small model learns no more from more.
const MOST: usize = 2048;

/// The samples of a dataset that the small model is to see: of each cell up to some thousand, chosen by their
/// hashes. `rows` are its labels, `embedded` its pictures' vectors. Rows that cannot be read are left out.
pub fn samples(
    grid: &Grid,
    name: &str,
    dataset: &dyn Dataset,
    rows: &CellRows,
    embedded: &Embedded,
) -> Vec<ProxySample> {
    let cell_named = |name: &str| grid.cells.iter().position(|cell| cell.name == name);
    let mut chosen = Vec::new();
    for (cell, indices) in rows.iter() {
        // The labels are of this grid; a cell that is not there would have been refused with the config.
        let Some(cell) = cell_named(cell) else {
            continue;
        };
        let mut of_cell: Vec<(u64, u64)> = indices
            .iter()
            .map(|&index| (key(name, index), index))
            .collect();
        of_cell.sort_unstable();
        of_cell.truncate(MOST);
        chosen.extend(of_cell.into_iter().map(|(key, index)| (cell, key, index)));
    }
    let read = |&(cell, key, index): &(usize, u64, u64)| {
        let sample = dataset.read(index).ok()?;
        let image = embedded.indices.binary_search(&index).ok();
        Some(ProxySample {
            cell,
            key,
            image: image.map(|at| embedded.vectors.row(at).to_vec()),
            question: said(&sample, Role::User),
            answer: said(&sample, Role::Assistant),
        })
    };
    chosen.par_iter().filter_map(read).collect()
}

/// The same wherever the data lie.
fn key(name: &str, index: u64) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(name.as_bytes(), index)
}

fn said(sample: &Sample, role: Role) -> String {
    let turns = sample.turns.iter().filter(|turn| turn.role == role);
    turns
        .map(|turn| turn.text.as_str())
        .collect::<Vec<_>>()
        .join("\n")
}
