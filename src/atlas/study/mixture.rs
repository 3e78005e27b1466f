//! The mixture files of a study, as every trainer's export takes them.

use super::{MIXTURE, Study, StudyError, Trial};
use crate::atlas::mixture;
use crate::mix::Mixture;

/// The method that mixtures of a search name.
const METHOD: &str = "mix-atlas";

impl Study {
    /// A mixture of the cells with the given shares, in the grid's order.
    ///
    /// # Errors
    /// When the shares are none.
    pub fn mixture(&self, weights: &[f64]) -> Result<Mixture, StudyError> {
        let (config, grid) = (&self.cells, &self.grid);
        Ok(mixture(config, grid, &self.fingerprint, weights, METHOD)?)
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
