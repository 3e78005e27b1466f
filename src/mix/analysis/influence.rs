//! Weights with something left out.

use rayon::prelude::*;

use super::Influence;
use crate::mix::{Aggregation, Centroids, DomainMeans, MixError, RestsOn, Solver, View, centroids};
use crate::modality::Modality;

/// The weights without each modality that some domain has, in the order of [`Modality::ALL`]; `None` where a domain has
/// no other, or the method needs it. Nothing for a method that does not look at modalities one by one.
///
/// # Errors
/// As [`Solver::solve`].
pub fn without_modality(
    centroids: &Centroids,
    solver: &Solver,
) -> Result<Vec<Influence>, MixError> {
    if matches!(solver.rests_on(), RestsOn::Nothing | RestsOn::Fused) {
        return Ok(Vec::new());
    }
    let used = |view: &View| view.present.contains(&true);
    let modalities = centroids.modalities().iter();
    let removed = modalities
        .filter(|(_, view)| used(view))
        .map(|(modality, _)| *modality);
    let influence = |removed: Modality| {
        let rest = centroids.modalities().iter();
        let rest = rest.filter(|(modality, _)| **modality != removed);
        let rest = rest.map(|(modality, view)| (*modality, view.clone()));
        // No method that comes here looks at the fused centroids.
        let rest = Centroids::new(centroids.domains().to_vec(), rest.collect(), None);
        Ok(Influence {
            without: removed.name().to_owned(),
            weights: weights(rest, solver)?,
        })
    };
    removed.map(influence).collect()
}

/// The weights without each dataset, in the order of `domains`; `None` for a domain's only dataset, or the only one of
/// which samples could be read. Nothing for a method that knows of no sample.
///
/// # Errors
/// As [`centroids()`] and [`Solver::solve`].
pub fn without_dataset(
    domains: &[DomainMeans],
    aggregation: Aggregation,
    solver: &Solver,
) -> Result<Vec<Influence>, MixError> {
    if solver.rests_on() == RestsOn::Nothing {
        return Ok(Vec::new());
    }
    let datasets = domains
        .iter()
        .enumerate()
        .flat_map(|(i, domain)| (0..domain.datasets.len()).map(move |j| (i, j)));
    let influence = |(i, j): (usize, usize)| {
        let mut rest = domains.to_vec();
        let removed = rest[i].datasets.remove(j);
        Ok(Influence {
            without: removed.name().to_owned(),
            weights: weights(centroids(&rest, aggregation), solver)?,
        })
    };
    let datasets: Vec<_> = datasets.collect();
    datasets.into_par_iter().map(influence).collect()
}

/// Whether an error says no more than that there are no weights here: what surrounds a mixture need not have any.
pub(super) fn too_little(error: &MixError) -> bool {
    matches!(
        error,
        MixError::NoModality { .. }
            | MixError::NoSize { .. }
            | MixError::NoView { .. }
            | MixError::Hold { .. }
            | MixError::Unsolvable { .. }
    )
}

/// The weights from what is left; `None` when that is too little (for `hold`: when no other domain has a weight).
fn weights(
    rest: Result<Centroids, MixError>,
    solver: &Solver,
) -> Result<Option<Vec<f64>>, MixError> {
    match rest.and_then(|rest| solver.solve(&rest)) {
        Ok(solution) => Ok(Some(solution.weights)),
        Err(error) if too_little(&error) => Ok(None),
        Err(error) => Err(error),
    }
}
