//! The datasets: what was averaged, and what training will see of them.

use super::context::Context;
use super::number::{count, decimal, percent};
use super::parts::{Section, note};
use super::table::{Cell, Column, Table};
use crate::mix::{MixtureDataset, MixtureDomain};

/// Rows before the rest is folded.
const FIRST: usize = 100;
/// Samples of a training of which the epochs are told.
const TRAINING: f64 = 1e6;

pub(super) fn section(context: &Context) -> Result<Section, String> {
    let domains = &context.mixture.domains;
    let pairs = || {
        domains
            .iter()
            .flat_map(|domain| domain.datasets.iter().map(move |d| (domain, d)))
    };
    if pairs().next().is_none() {
        return Err(
            "Datasets: the mixture was made from centroids alone, which do not name them."
                .to_owned(),
        );
    }
    let words = |title: &str| Column::Words(title.to_owned());
    let number = |title: &str| Column::Number(title.to_owned());
    let table = Table {
        caption: "Datasets, in the order of the config".to_owned(),
        columns: vec![
            words("Domain"),
            words("Dataset"),
            number("Rows"),
            number("Averaged"),
            number("Failed"),
            number("Mean tokens"),
            number("Share %"),
            number("Epochs in 1,000,000 samples"),
        ],
        rows: pairs()
            .map(|(domain, dataset)| row(domain, dataset))
            .collect(),
    };
    let mut body = table.folded(FIRST);
    body.push(note(
        "Averaged and failed count samples that were looked at for this mixture; mean tokens are positions of such a sample \
         in the model, without the chat template’s. The share is of training samples: within a domain, datasets divide \
         its weight by their rows.",
    ));
    Ok(Section {
        id: "datasets",
        title: "Datasets",
        body,
    })
}

fn row(domain: &MixtureDomain, dataset: &MixtureDataset) -> Vec<Cell> {
    let epochs = (dataset.size > 0).then(|| dataset.weight * TRAINING / dataset.size as f64);
    vec![
        Cell::Name(domain.name.clone()),
        Cell::Name(dataset.name.clone()),
        Cell::Number(count(dataset.size)),
        Cell::number(dataset.samples.map(count)),
        Cell::number(dataset.failed.map(count)),
        Cell::number(dataset.tokens.map(|tokens| decimal(tokens, 1))),
        Cell::Number(percent(dataset.weight)),
        Cell::number(epochs.map(|epochs| decimal(epochs, 3))),
    ]
}
