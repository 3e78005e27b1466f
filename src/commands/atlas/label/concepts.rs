//! The concept axis: clusters of the pictures' embeddings, with names.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result, ensure};
use rayon::prelude::*;

use super::read::{Opened, Read};
use crate::atlas::embed::Embedded;
use crate::atlas::label::kmeans::{self, Clustering, Settings, Stability, Vectors};
use crate::atlas::label::names::{self, Counts};
use crate::atlas::label::{Labelled, NamedBy};
use crate::commands::atlas::embed::Embeddings;
use crate::config::{Atlas, Clusters};
use crate::dataset;
use crate::store::read_regular;

/// Conversations of a dataset whose words name clusters.
const NAMING: u64 = 20_000;
/// Bytes of a list of words.
const MAX_WORDS_BYTES: u64 = 1 << 20;

/// Clusters with the number of each that is looked at.
pub(super) struct Found {
    pub(super) clustering: Clustering,
    /// What was tried to find how many there are.
    pub(super) stability: Vec<Stability>,
}

/// Clusters the embeddings of all datasets, one after the other; `None` when `stop` was set meanwhile. The embeddings are
/// let go of as they are put together.
pub(super) fn cluster(
    embedded: &mut [Embedded],
    atlas: &Atlas,
    stop: &AtomicBool,
) -> Result<Option<Found>> {
    let mut with_vectors = embedded.iter().filter(|one| one.vectors.rows() > 0);
    let width = with_vectors.next().map_or(0, |one| one.vectors.columns());
    let rows: usize = embedded.iter().map(|one| one.vectors.rows()).sum();
    let mut values = Vec::with_capacity(rows * width);
    for one in embedded {
        ensure!(
            one.vectors.rows() == 0 || one.vectors.columns() == width,
            "embeddings of {width} and of {} numbers: delete the folder atlas/embeddings and run again",
            one.vectors.columns()
        );
        values.extend_from_slice(one.vectors.data());
        one.vectors = crate::store::Matrix::new(0, width, Vec::new())
            .context("a matrix of nothing is one")?;
    }
    let vectors = Vectors::new(&values, width);
    let (clusters, stability) = match atlas.concepts.clusters {
        Clusters::Count(count) => (count as usize, Vec::new()),
        Clusters::Auto => {
            let Some((chosen, tried)) = kmeans::stability(vectors, atlas.seed, stop) else {
                return Ok(None);
            };
            tracing::info!("{chosen} clusters are stable");
            (chosen, tried)
        }
    };
    let settings = Settings {
        clusters,
        restarts: atlas.concepts.restarts,
        seed: atlas.seed,
        whole: kmeans::WHOLE,
    };
    let Some(clustering) = kmeans::cluster(vectors, &settings, stop) else {
        return Ok(None);
    };
    tracing::info!(
        "{} pictures in {} clusters, mean similarity {:.3}",
        vectors.len(),
        clustering.clusters(),
        1.0 - clustering.inertia() / (2.0 * vectors.len().max(1) as f64)
    );
    Ok(Some(Found {
        clustering,
        stability,
    }))
}

/// The labels of the samples that have a concept: that of their cluster, or, without pictures, the one behind all
/// clusters.
pub(super) fn labelled(
    read: Vec<Read>,
    embedded: &[Embedded],
    clustering: &Clustering,
) -> Vec<Labelled> {
    let text_only = clustering.clusters() as u32;
    let mut place = 0;
    let mut all = Vec::with_capacity(read.len());
    for (read, embedded) in read.into_iter().zip(embedded) {
        let mut labels = Labelled::new(&read.labels.dataset, &read.labels.fingerprint);
        let mut vectors = embedded.indices.iter().peekable();
        for (i, pictured) in read.pictured.iter().enumerate() {
            let mut label = read.labels.get(i);
            if *pictured {
                if vectors.next_if_eq(&&label.index).is_none() {
                    labels.unembedded.push(label.index);
                    continue;
                }
                label.concept = clustering.labels[place];
                label.similarity = clustering.similarities[place];
                place += 1;
            } else {
                label.concept = text_only;
            }
            labels.push(&label);
        }
        all.push(labels);
    }
    all
}

/// The names of all concepts, that of samples without pictures last.
pub(super) fn named(
    embeddings: &Embeddings,
    words: &[String],
    clustering: &Clustering,
    opened: &[Opened],
    labelled: &[Labelled],
    seed: u64,
) -> Result<(Vec<String>, NamedBy)> {
    let centres = Vectors::new(&clustering.centres, clustering.width);
    let (mut concepts, by) = match embeddings.text_vectors(words)? {
        Some(vectors) if !centres.is_empty() => {
            let vectors = Vectors::new(vectors.data(), vectors.columns());
            (
                names::nearest_words(centres, vectors, words),
                NamedBy::Words,
            )
        }
        _ => {
            let counts = counts(opened, labelled, clustering.clusters(), seed);
            (
                names::distinctive(&counts, clustering.clusters()),
                NamedBy::Conversations,
            )
        }
    };
    concepts.push(names::TEXT_ONLY.to_owned());
    Ok((concepts, by))
}

/// The words of the conversations of each cluster.
fn counts(opened: &[Opened], labelled: &[Labelled], clusters: usize, seed: u64) -> Counts {
    let chosen = |number: usize| {
        let places = dataset::order(labelled[number].len() as u64, seed, NAMING);
        places
            .into_par_iter()
            .map(move |place| (number, place as usize))
    };
    (0..opened.len())
        .into_par_iter()
        .flat_map(chosen)
        .fold(Counts::default, |mut counts, (number, place)| {
            let label = labelled[number].get(place);
            if (label.concept as usize) < clusters
                && let Ok(sample) = opened[number].dataset.read(label.index)
            {
                counts.add(label.concept, &sample);
            }
            counts
        })
        .reduce(Counts::default, |mut counts, other| {
            counts.append(other);
            counts
        })
}

/// The words that clusters are named by.
pub(super) fn words(list: Option<&Path>) -> Result<Vec<String>> {
    let Some(path) = list else {
        return Ok(names::words());
    };
    let bytes = read_regular(path, MAX_WORDS_BYTES)
        .with_context(|| format!("atlas.concepts.words: reading {}", path.display()))?;
    let text = bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .with_context(|| {
            format!(
                "atlas.concepts.words: {} is no text of at most 1 MiB; give a list of words, one a line",
                path.display()
            )
        })?;
    let words = names::parse_words(&text);
    ensure!(
        !words.is_empty(),
        "atlas.concepts.words: {} has no words; give a list of words, one a line",
        path.display()
    );
    Ok(words)
}
