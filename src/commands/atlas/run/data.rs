//! The data of the proxy that comes along: rows, labels and embeddings, as labelling left them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result};
use rayon::prelude::*;

use crate::atlas::Grid;
use crate::atlas::label::labels_path;
use crate::atlas::proxy::builtin::{ProxyData, samples};
use crate::commands::atlas::embed::{Embeddings, Wanted};
use crate::commands::terminal;
use crate::config::{self, Config};
use crate::dataset::{self, CellRows, Dataset};

/// Reads what the small model is trained on; `None` if that was interrupted. Embeddings that are gone are made again.
pub(super) fn read(
    config: &Config,
    path: &Path,
    grid: &Grid,
    stop: &AtomicBool,
) -> Result<Option<ProxyData>> {
    let specs: Vec<_> = config
        .domains
        .iter()
        .flat_map(|domain| &domain.datasets)
        .map(config::Dataset::spec)
        .collect();
    let bar = terminal::bar("opening datasets", specs.len() as u64, false);
    let open = |spec: &dataset::DatasetSpec| -> Result<(Wanted, CellRows)> {
        let dataset: Arc<dyn Dataset> = dataset::open_with(spec, &|_, _| bar.tick())?.into();
        let labels = labels_path(&config.output, &spec.name);
        let rows = CellRows::read(&labels, dataset.fingerprint(), dataset.len())
            .with_context(|| format!("dataset {}", spec.name))?;
        let indices = pictured(dataset.as_ref(), &rows);
        bar.inc(1);
        let name = spec.name.clone();
        let wanted = Wanted {
            name,
            dataset,
            indices,
        };
        Ok((wanted, rows))
    };
    let opened: Result<Vec<_>> = specs.par_iter().map(open).collect();
    bar.finish_and_clear();
    let (wanted, rows): (Vec<_>, Vec<_>) = opened?.into_iter().unzip();
    let Some(embedded) = Embeddings::open(config, path)?.embed(&wanted, false, stop)? else {
        return Ok(None);
    };
    let mut all = Vec::new();
    for ((wanted, rows), embedded) in wanted.iter().zip(&rows).zip(&embedded) {
        let dataset = wanted.dataset.as_ref();
        all.extend(samples(grid, &wanted.name, dataset, rows, embedded));
    }
    let data = ProxyData::new(grid, all)?;
    let (train, held_out) = data.sizes();
    tracing::info!(
        "the proxy that comes along trains on {train} samples and is held against {held_out}; it is a stand-in, and \
         says nothing about benchmarks"
    );
    Ok(Some(data))
}

/// The rows that are labelled and have pictures or clips, which are those that were embedded.
fn pictured(dataset: &dyn Dataset, rows: &CellRows) -> Vec<u64> {
    let mut labelled: Vec<u64> = rows.iter().flat_map(|(_, rows)| rows).copied().collect();
    labelled.sort_unstable();
    let has_media = |index: &u64| {
        dataset
            .read(*index)
            .is_ok_and(|sample| !sample.media.is_empty())
    };
    labelled.into_par_iter().filter(has_media).collect()
}
