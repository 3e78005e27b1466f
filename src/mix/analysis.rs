//! What moves the weights of a mixture. Every list of weights runs over the mixture's domains, in its order.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::modality::Modality;

/// The same centroids and their neighbourhood, seen from all sides.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// The weights for other λ, over six decades around the one in use; empty for methods without λ.
    pub lambda_path: Vec<LambdaPoint>,
    /// The eigenvalues of the coupled kernel, in descending order; empty for methods without λ.
    pub spectrum: Vec<SpectrumLine>,
    /// The weights without each dataset, in the order of the config; a domain's only dataset cannot be left out.
    pub without_dataset: Vec<Influence>,
    /// The weights without each modality, in the order of [`Modality::ALL`]; the last modality of a domain cannot be left
    /// out.
    pub without_modality: Vec<Influence>,
    /// The weights from each layer that was extracted, in the order of the config.
    pub layers: Vec<LayerWeights>,
    /// K^[v] per modality, `[k][k]`.
    pub kernels: BTreeMap<Modality, Vec<Vec<f64>>>,
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
