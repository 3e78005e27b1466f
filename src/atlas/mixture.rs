//! Shares of cells as a `mixture.json`, which every trainer's export reads.

use super::{Cell, Grid};
use crate::config::Config;
use crate::mix::{Mixture, MixtureDataset, MixtureDomain, MixtureError, Provenance};

/// The mixture of so much of each cell. `config` is the one whose domains are the grid's cells, by
/// [`with_cells`](super::cells::with_cells); `weights` are in the order of the cells and are scaled to sum to 1;
/// `fingerprint` is the grid's, and `method` says what chose them.
///
/// # Errors
/// When the weights are no shares.
///
/// # Panics
/// When there is not a domain and a weight for each cell.
pub fn mixture(
    config: &Config,
    grid: &Grid,
    fingerprint: &str,
    weights: &[f64],
    method: &str,
) -> Result<Mixture, MixtureError> {
    assert_eq!(
        (config.domains.len(), weights.len()),
        (grid.cells.len(), grid.cells.len()),
        "a domain and a weight for each cell"
    );
    let total: f64 = weights.iter().sum();
    let cells = config.domains.iter().zip(&grid.cells).zip(weights);
    let domains = cells.map(|((domain, cell), weight)| {
        let (weight, size) = (weight / total, cell.samples());
        let parts = domain.datasets.iter().zip(&cell.datasets);
        let datasets = parts.map(|(dataset, part)| MixtureDataset {
            name: dataset.name.clone(),
            size: part.samples,
            weight: weight * (part.samples as f64 / size.max(1) as f64),
            samples: None,
            failed: None,
            tokens: (part.samples > 0).then(|| part.tokens as f64 / part.samples as f64),
        });
        MixtureDomain {
            name: domain.name.clone(),
            weight,
            low: None,
            high: None,
            size,
            human: domain.human,
            modalities: Vec::new(),
            scores: std::collections::BTreeMap::new(),
            alpha: None,
            datasets: datasets.collect(),
        }
    });
    let provenance = Provenance {
        checkpoint: config.model.checkpoint.clone(),
        fingerprint: fingerprint.to_owned(),
        samples: grid.cells.iter().map(Cell::samples).sum(),
        madmix: env!("CARGO_PKG_VERSION").into(),
    };
    Mixture::of_domains(method, domains.collect(), provenance)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::atlas::CellDataset;

    #[test]
    fn cells_are_domains_with_the_datasets_that_give_to_them() {
        let cell = |name: &str, parts: &[(&str, u64)]| Cell {
            name: name.into(),
            concept: 0,
            task: 0,
            today: 0.5,
            datasets: parts
                .iter()
                .map(|&(name, samples)| CellDataset {
                    name: name.into(),
                    samples,
                    tokens: 20 * samples,
                })
                .collect(),
        };
        let grid = Grid {
            concepts: vec!["c".into()],
            tasks: vec!["t".into()],
            cells: vec![
                cell("c × t", &[("a", 30), ("b", 10)]),
                cell("c × u", &[("b", 5)]),
            ],
        };
        let text = r#"
            output = "out"
            model.checkpoint = "m"
            [[domain]]
            name = "c × t"
            human = 50.0
            dataset = [{ name = "a · c × t", path = "a" }, { name = "b · c × t", path = "b" }]
            [[domain]]
            name = "c × u"
            human = 50.0
            dataset = [{ name = "b · c × u", path = "b" }]
        "#;
        let config = Config::parse(text, Path::new("c.toml")).unwrap();
        let found = mixture(&config, &grid, "f", &[0.6, 0.2], "atlas trial 1").unwrap();
        let weights: Vec<f64> = found.domains.iter().map(|domain| domain.weight).collect();
        assert!((weights[0] - 0.75).abs() < 1e-15 && (weights[1] - 0.25).abs() < 1e-15);
        let first = &found.domains[0];
        assert_eq!((first.size, first.datasets[1].size), (40, 10));
        assert!((first.datasets[0].weight - 0.75 * 0.75).abs() < 1e-15);
        assert_eq!(first.datasets[0].tokens, Some(20.0));
        assert_eq!(found.baselines["human"], [0.5, 0.5]);
        assert_eq!(found.baselines["uniform"], [0.5, 0.5]);
        let again = Mixture::from_bytes(&found.to_bytes().unwrap()).unwrap();
        assert_eq!(again, found);
        for weights in [[0.5, -0.5], [f64::NAN, 1.0], [0.0, 0.0]] {
            assert!(mixture(&config, &grid, "f", &weights, "x").is_err());
        }
    }
}
