//! What moves the weights of a mixture. Every list of weights runs over the mixture's domains, in its order.

mod influence;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::influence::too_little;
pub use self::influence::{without_dataset, without_modality};
use super::{Aggregation, Centroids, DomainMeans, MixError, Solution, Solver, View, centroids};
use crate::modality::Modality;

/// Domains up to which kernels are kept and datasets left out: both grow with the square of the domains.
pub const MOST_DOMAINS: usize = 200;

/// Rows of the smaller of K and `XᵀX` up to which there are a λ path and a spectrum: their time grows with the cube.
pub const MOST_ROWS: usize = 2048;

/// Lines of a spectrum that are kept.
const MOST_LINES: usize = 1000;

/// How many λ a path has.
const PATH_POINTS: usize = 25;

/// Decades of a path on either side of the λ in use.
const PATH_DECADES: f64 = 3.0;

/// The same centroids and their neighbourhood, seen from all sides.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// The weights for other λ, over six decades around the one in use, less those with which there are none; empty for
    /// methods without λ, and where both domains and columns are more than [`MOST_ROWS`].
    pub lambda_path: Vec<LambdaPoint>,
    /// The eigenvalues of the kernel that the method fits δ with, in descending order, at most 1,000; what |δ|² lacks to 1
    /// lies where the kernel is 0, or further down. Empty for methods that fit no δ with one kernel (`avg`, `chameleon`,
    /// those without λ), and where both domains and columns are more than [`MOST_ROWS`].
    pub spectrum: Vec<SpectrumLine>,
    /// The weights without each dataset, in the order of the config; a domain's only dataset cannot be left out. Empty for
    /// more than [`MOST_DOMAINS`] domains.
    pub without_dataset: Vec<Influence>,
    /// The weights without each modality, in the order of [`Modality::ALL`]; the last modality of a domain cannot be left
    /// out. Empty for methods that rest on the fused centroids or on none.
    pub without_modality: Vec<Influence>,
    /// The weights from each layer that was extracted, in the order of the config, less those that give none.
    pub layers: Vec<LayerWeights>,
    /// `K^[v]` per modality, `[k][k]`, without any scaling. Empty for more than [`MOST_DOMAINS`] domains.
    pub kernels: BTreeMap<Modality, Vec<Vec<f64>>>,
}

/// What moves the weights that `solver` gives the domains of these datasets. `layers` holds the centroids of every layer
/// that was extracted, by its name in the config.
///
/// # Errors
/// As [`centroids()`] and [`Solver::solve`]. Too little left after leaving something out is no error.
pub fn analyse(
    domains: &[DomainMeans],
    layers: &[(String, Centroids)],
    aggregation: Aggregation,
    solver: &Solver,
) -> Result<Analysis, MixError> {
    let whole = centroids(domains, aggregation)?;
    let few = domains.len() <= MOST_DOMAINS;
    let layer = |(layer, centroids): &(String, Centroids)| match solver.solve(centroids) {
        Ok(solution) => Some(Ok(LayerWeights {
            layer: layer.clone(),
            weights: solution.weights,
        })),
        Err(error) if too_little(&error) => None,
        Err(error) => Some(Err(error)),
    };
    let mut spectrum = solver.spectrum(&whole, MOST_ROWS)?;
    spectrum.truncate(MOST_LINES);
    Ok(Analysis {
        lambda_path: if rows_to_solve(&whole) <= MOST_ROWS {
            lambda_path(&whole, solver)?
        } else {
            Vec::new()
        },
        spectrum,
        without_dataset: if few {
            without_dataset(domains, aggregation, solver)?
        } else {
            Vec::new()
        },
        without_modality: without_modality(&whole, solver)?,
        layers: layers
            .iter()
            .filter_map(layer)
            .collect::<Result<_, MixError>>()?,
        kernels: if few {
            kernels(&whole)
        } else {
            BTreeMap::new()
        },
    })
}

/// Rows of the smaller of K and `XᵀX`.
fn rows_to_solve(centroids: &Centroids) -> usize {
    let views = centroids.modalities().values();
    let columns: usize = views.map(|view| view.matrix.ncols()).sum();
    columns.min(centroids.domains().len())
}

/// The weights for 25 λ in even steps of its logarithm, from a thousandth to a thousand times the one in use, which is
/// the one in the middle. Nothing for a method without λ, and none of the λ that there are no weights for: one so small
/// or so large that double precision ends, or that leaves a method nothing to divide.
///
/// # Errors
/// As [`Solver::solve`].
pub fn lambda_path(centroids: &Centroids, solver: &Solver) -> Result<Vec<LambdaPoint>, MixError> {
    let middle = (PATH_POINTS / 2) as f64;
    let power = |i: usize| (i as f64 - middle) / middle * PATH_DECADES;
    let lambda = |i| solver.parameters().lambda * 10_f64.powf(power(i));
    let lambdas = (0..PATH_POINTS).map(lambda);
    let lambdas: Vec<f64> = lambdas
        .filter(|lambda| lambda.is_finite() && *lambda > 0.0)
        .collect();
    let points = |lambdas: &[f64]| {
        let solutions = solver.path(centroids, lambdas)?.into_iter();
        let point = |(&lambda, solution): (&f64, Solution)| LambdaPoint {
            lambda,
            weights: solution.weights,
        };
        Ok::<Vec<_>, MixError>(lambdas.iter().zip(solutions).map(point).collect())
    };
    match points(&lambdas) {
        Err(MixError::Unsolvable { .. } | MixError::Hold { .. }) => {}
        all => return all,
    }
    let mut found = Vec::new();
    for lambda in lambdas {
        match points(&[lambda]) {
            Err(MixError::Unsolvable { .. } | MixError::Hold { .. }) => {}
            point => found.append(&mut point?),
        }
    }
    Ok(found)
}

/// `K^[v]` per modality, `[k][k]`.
pub fn kernels(centroids: &Centroids) -> BTreeMap<Modality, Vec<Vec<f64>>> {
    let views = centroids.modalities().iter();
    let kernel = |(modality, view): (&Modality, &View)| {
        let kernel = &view.matrix * view.matrix.transpose();
        let rows = kernel.row_iter();
        let rows = rows.map(|row| row.iter().copied().collect());
        (*modality, rows.collect())
    };
    views.map(kernel).collect()
}

/// The weights for one λ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LambdaPoint {
    /// The ridge.
    pub lambda: f64,
    /// The weights `[k]`.
    pub weights: Vec<f64>,
}

/// One direction of the coupled kernel K.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpectrumLine {
    /// σ, an eigenvalue of K.
    pub eigenvalue: f64,
    /// σ / (σ + λ): how much of δ the scores keep along this direction.
    pub filter: f64,
    /// The share of |δ|² along this direction.
    pub delta: f64,
}

/// What leaving something out does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Influence {
    /// What is left out: a dataset's or a modality's name.
    pub without: String,
    /// The weights then `[k]`; `None` where no weights are left to be found.
    pub weights: Option<Vec<f64>>,
}

/// The weights from one layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerWeights {
    /// The layer, as in the config.
    pub layer: String,
    /// The weights `[k]`.
    pub weights: Vec<f64>,
}
