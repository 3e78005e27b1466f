//! The mixture files of a study: the cells as domains, as every trainer's export takes them.

use std::collections::BTreeMap;

use super::{MIXTURE, Study, StudyError, Trial};
use crate::mix::{Mixture, MixtureDataset, MixtureDomain};

/// The method that mixtures of a search name.
pub(super) const METHOD: &str = "mix-atlas";

impl Study {
    /// A mixture of the cells with the given shares, which sum to 1. Datasets are named as
    /// [`with_cells`](crate::atlas::cells::with_cells) names them.
    ///
    /// # Errors
    /// When the shares are none.
    pub fn mixture(&self, weights: &[f64]) -> Result<Mixture, StudyError> {
        let cells = self.grid.cells.iter().zip(&self.cells.domains);
        let domains = cells.zip(weights).map(|((cell, domain), &weight)| {
            let size = cell.samples();
            let parts = cell.datasets.iter().zip(&domain.datasets);
            let datasets = parts.map(|(part, dataset)| MixtureDataset {
                name: dataset.name.clone(),
                size: part.samples,
                weight: weight * (part.samples as f64 / size.max(1) as f64),
                samples: None,
                failed: None,
                tokens: (part.samples > 0).then(|| part.tokens as f64 / part.samples as f64),
            });
            MixtureDomain {
                name: cell.name.clone(),
                weight,
                low: None,
                high: None,
                size,
                human: domain.human,
                modalities: Vec::new(),
                scores: BTreeMap::new(),
                alpha: None,
                datasets: datasets.collect(),
            }
        });
        let count = self.grid.cells.len();
        let baselines = BTreeMap::from([
            ("uniform".to_owned(), vec![1.0 / count as f64; count]),
            ("human".to_owned(), self.spaces[0].today().to_vec()),
        ]);
        Ok(Mixture::of_weights(METHOD, domains.collect(), baselines)?)
    }

    /// Writes a trial's mixture into its folder, where it is not there yet.
    pub(super) fn write_mixture(&self, trial: &Trial) -> Result<(), StudyError> {
        let path = self.folder.of_trial(trial.number).join(MIXTURE);
        if !path.exists() {
            self.mixture(&trial.weights)?.write(&path)?;
        }
        Ok(())
    }
}
