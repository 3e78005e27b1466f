//! Cells as domains: what `[domains] from = "atlas"` stands for.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use super::label::labels_path;
use super::{Grid, GridError, StoredGrid};
use crate::config::{Config, Dataset, Domain, Domains, DomainsFrom};
use crate::dataset::Labels;

/// Cells cannot stand for the domains of a config.
#[derive(Debug, Error)]
pub enum CellsError {
    /// Nothing is labelled yet.
    #[error(
        "domains.from = \"atlas\", and there is no grid in {}: run `madmix atlas label CONFIG` first",
        output.join("atlas").display()
    )]
    NoGrid {
        /// The run's folder.
        output: std::path::PathBuf,
    },
    /// The grid cannot be used.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// The grid is of other datasets.
    #[error(
        "dataset \"{dataset}\" is {found}: the labels are older than the config, run `madmix atlas label CONFIG`"
    )]
    OtherDatasets {
        /// The dataset.
        dataset: String,
        /// Where it is and where it is not.
        found: &'static str,
    },
    /// A dataset is a cell already.
    #[error(
        "dataset \"{dataset}\" has `labels`, so it is a cell already: take them out, or domains.from = \"atlas\""
    )]
    Labelled {
        /// The dataset.
        dataset: String,
    },
    /// What the config says of domains does not fit the cells.
    #[error("with the cells of the atlas as domains: {0}")]
    Config(String),
}

/// A config with the domains that it stands for: the cells of its grid, where it says so.
///
/// # Errors
/// When there is no grid yet, or it does not fit the config.
pub fn resolved(config: Config) -> Result<Config, CellsError> {
    if config.domains_of.from == DomainsFrom::Config {
        return Ok(config);
    }
    let output = config.output.clone();
    let stored = StoredGrid::find(&output)?.ok_or(CellsError::NoGrid { output })?;
    stored.check_config(&config)?;
    with_cells(&config, &stored.grid)
}

/// The config whose domains are the cells of a grid: each has its name and today's share in percent, and of every dataset
/// that gives to it the rows that the labels in `OUTPUT/atlas/labels` put into it, named `DATASET · CELL`.
///
/// # Errors
/// When the grid is of other datasets, or what the config says of domains does not fit the cells.
pub fn with_cells(config: &Config, grid: &Grid) -> Result<Config, CellsError> {
    let all = || config.domains.iter().flat_map(|domain| &domain.datasets);
    let known: BTreeMap<&str, &Dataset> = all()
        .map(|dataset| (dataset.name.as_str(), dataset))
        .collect();
    let other = |dataset: &str, found| CellsError::OtherDatasets {
        dataset: dataset.to_owned(),
        found,
    };
    let given = grid.cells.iter().flat_map(|cell| &cell.datasets);
    let labelled: BTreeSet<&str> = given.map(|dataset| dataset.name.as_str()).collect();
    for dataset in all() {
        if dataset.labels.is_some() {
            return Err(CellsError::Labelled {
                dataset: dataset.name.clone(),
            });
        }
        // One whose samples all failed is labelled, and in no cell.
        if !labelled.contains(dataset.name.as_str())
            && !labels_path(&config.output, &dataset.name).exists()
        {
            return Err(other(&dataset.name, "in the config and not in the grid"));
        }
    }
    let digest = grid.digest();
    let mut names = BTreeSet::new();
    let mut domains = Vec::with_capacity(grid.cells.len());
    for cell in &grid.cells {
        let mut datasets = Vec::with_capacity(cell.datasets.len());
        for part in &cell.datasets {
            let dataset = known
                .get(part.name.as_str())
                .ok_or_else(|| other(&part.name, "in the grid and not in the config"))?;
            datasets.push(Dataset {
                name: unique(format!("{} · {}", part.name, cell.name), &mut names),
                labels: Some(Labels {
                    path: labels_path(&config.output, &part.name),
                    cell: cell.name.clone(),
                    grid: Some(digest.clone()),
                }),
                ..(*dataset).clone()
            });
        }
        domains.push(Domain {
            name: cell.name.clone(),
            human: Some(100.0 * cell.today),
            datasets,
        });
    }
    let resolved = Config {
        domains,
        domains_of: Domains::default(),
        ..config.clone()
    };
    resolved.check_domains().map_err(CellsError::Config)?;
    Ok(resolved)
}

/// A name that is not yet there; names of datasets and cells may hold the sign between them.
pub(super) fn unique(name: String, names: &mut BTreeSet<String>) -> String {
    let numbered = (2..).map(|number| format!("{name} ({number})"));
    let mut free = std::iter::once(name.clone()).chain(numbered);
    let name = free.find(|name| !names.contains(name)).unwrap_or(name);
    names.insert(name.clone());
    name
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::atlas::{Cell, CellDataset};

    fn config(more: &str) -> Config {
        let text = format!(
            r#"
            output = "out"
            model.checkpoint = "m"
            domains.from = "atlas"
            {more}
            [[domain]]
            name = "A"
            dataset = [{{ name = "a", path = "a.json", sampling_strategy = "first:9" }}]
            [[domain]]
            name = "B"
            dataset = [{{ name = "b", path = "b.json" }}]
            "#
        );
        Config::parse(&text, Path::new("c.toml")).unwrap()
    }

    fn grid() -> Grid {
        let cell = |name: &str, today, datasets: &[&str]| Cell {
            name: name.into(),
            concept: 0,
            task: 0,
            today,
            datasets: datasets
                .iter()
                .map(|name| CellDataset {
                    name: (*name).into(),
                    samples: 3,
                    tokens: 30,
                })
                .collect(),
        };
        Grid {
            concepts: vec!["chart".into()],
            tasks: vec!["vqa".into()],
            cells: vec![
                cell("chart × vqa", 0.75, &["a", "b"]),
                cell("chart × ocr", 0.25, &["b"]),
            ],
        }
    }

    #[test]
    fn every_cell_is_a_domain_of_parts_of_datasets() {
        let config = with_cells(&config("mix.hold = [\"chart × ocr\"]"), &grid()).unwrap();
        assert!(config.domains_of.is_plain());
        config.check_solvable().unwrap();
        let names = |domain: &Domain| -> Vec<String> {
            domain.datasets.iter().map(|d| d.name.clone()).collect()
        };
        assert_eq!(
            names(&config.domains[0]),
            ["a · chart × vqa", "b · chart × vqa"]
        );
        assert_eq!(names(&config.domains[1]), ["b · chart × ocr"]);
        assert_eq!(config.domains[1].human, Some(25.0));
        let part = &config.domains[0].datasets[0];
        assert_eq!(part.sampling_strategy.unwrap().to_string(), "first:9");
        assert_eq!(
            part.labels.as_ref().unwrap().path,
            Path::new("out/atlas/labels/a.parquet")
        );
        // As a run writes it down.
        let text = config.to_toml();
        let again = Config::parse(&text, Path::new("c.toml")).unwrap();
        assert_eq!(again.to_toml(), text);
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let error =
            |config: &Config, grid: &Grid| with_cells(config, grid).unwrap_err().to_string();
        let mut few = grid();
        few.cells.truncate(1);
        few.cells[0].datasets.truncate(1);
        let found = error(&config(""), &few);
        assert!(
            found.contains("\"b\" is in the config") && found.contains("atlas label"),
            "{found}"
        );
        let mut strange = grid();
        strange.cells[1].datasets[0].name = "c".into();
        assert!(error(&config(""), &strange).contains("\"c\" is in the grid"));
        let held = config("mix.hold = [\"nothing\"]");
        assert!(error(&held, &grid()).contains("no domain \"nothing\""));
        let missing = resolved(config("")).unwrap_err().to_string();
        assert!(missing.contains("run `madmix atlas label"), "{missing}");
    }

    #[test]
    fn a_sign_in_a_name_makes_no_two_datasets_one() {
        let mut names = BTreeSet::new();
        assert_eq!(unique("a · b".into(), &mut names), "a · b");
        assert_eq!(unique("a · b".into(), &mut names), "a · b (2)");
    }
}
