//! The data of the proxy that comes along: rows, labels and embeddings, as labelling left them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result};
use rayon::prelude::*;

use crate::atlas::Grid;
use crate::atlas::label;
use crate::atlas::proxy::builtin::{ProxyData, samples};
use crate::commands::atlas::embed::{Embeddings, Wanted};
use crate::commands::terminal;
use crate::config::{self, Config};
use crate::dataset::{self, CellRows, Dataset};
use crate::store::StoreError;

/// Reads what the small model is trained on; `None` if that was interrupted. Embeddings that are gone are made again.
pub(super) fn read(
    config: &Config,
    path: &Path,
    grid: &Grid,
    stop: &AtomicBool,
) -> Result<Option<ProxyData>> {
    super::super::stored_grid(config)?;
    let specs: Vec<_> = config
        .domains
        .iter()
        .flat_map(|domain| &domain.datasets)
        .map(config::Dataset::spec)
        .collect();
    let bar = terminal::bar("opening datasets", specs.len() as u64, false);
    let open = |spec: &dataset::DatasetSpec| -> Result<(Wanted, CellRows)> {
        let dataset: Arc<dyn Dataset> = dataset::open_with(spec, &|_, _| bar.tick())?.into();
        let rows = label::read(&config.output, &spec.name, dataset.as_ref(), grid)
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
    let other = |error: anyhow::Error| {
        match error.downcast_ref() {
        Some(StoreError::OtherKey { .. }) => error.context(format!(
            "the embeddings are not those that the labels were made of: run `madmix atlas label {}`",
            path.display()
        )),
        _ => error,
    }
    };
    let mut embeddings = Embeddings::open(config, path)?;
    let embedded = embeddings.embed(&wanted, false, stop).map_err(other)?;
    let Some(embedded) = embedded else {
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

/// The rows that were to be embedded when they were labelled: those that have a label and pictures or clips, and those
/// that have none because they could not be embedded. Shards are of exactly these.
fn pictured(dataset: &dyn Dataset, rows: &CellRows) -> Vec<u64> {
    let mut labelled: Vec<u64> = rows.iter().flat_map(|(_, rows)| rows).copied().collect();
    labelled.sort_unstable();
    let has_media = |index: &u64| {
        dataset
            .read(*index)
            .is_ok_and(|sample| !sample.media.is_empty())
    };
    let mut all: Vec<u64> = labelled.into_par_iter().filter(has_media).collect();
    all.extend(rows.unembedded());
    all.sort_unstable();
    all
}
