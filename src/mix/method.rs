//! What a method is, and the list of them.

use std::collections::BTreeMap;

use super::{Centroids, Human, MadMix, MixError, Uniform};
use crate::modality::Modality;

/// A way from centroids to weights.
pub trait Method {
    /// The weights of the domains.
    ///
    /// # Errors
    /// When the method cannot weigh these centroids.
    fn weights(&self, centroids: &Centroids) -> Result<Solution, MixError>;
}

/// What a method found. Every list runs over the domains.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    /// The method's name.
    pub method: &'static str,
    /// The ridge, for methods that have one.
    pub lambda: Option<f64>,
    /// The weights: at least 0, summing to 1 within 1e-12.
    pub weights: Vec<f64>,
    /// The scores per modality, for methods that have them; 0 where a domain lacks the modality.
    pub scores: BTreeMap<Modality, Vec<f64>>,
    /// The dual variables, for methods that have them.
    pub alpha: Option<Vec<f64>>,
}

impl Solution {
    /// The solution of a method that has weights and nothing else.
    pub(super) fn of_weights(method: &'static str, weights: Vec<f64>) -> Self {
        Self {
            method,
            lambda: None,
            weights,
            scores: BTreeMap::new(),
            alpha: None,
        }
    }
}

/// The parameters of all methods; each takes those it has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameters {
    /// The ridge λ.
    pub lambda: f64,
}

impl Default for Parameters {
    /// The paper's: λ = 10.
    fn default() -> Self {
        Self { lambda: 10.0 }
    }
}

/// A method's name and how to make it.
#[derive(Clone, Copy, Debug)]
pub struct MethodEntry {
    /// The name on the command line and in the config.
    pub name: &'static str,
    make: fn(&Parameters) -> Result<Box<dyn Method>, MixError>,
}

/// Every method, one line each. The first is the default.
pub const METHODS: &[MethodEntry] = &[
    MethodEntry {
        name: MadMix::NAME,
        make: |p| Ok(Box::new(MadMix::new(p.lambda)?)),
    },
    MethodEntry {
        name: Uniform::NAME,
        make: |_| Ok(Box::new(Uniform)),
    },
    MethodEntry {
        name: Human::NAME,
        make: |_| Ok(Box::new(Human)),
    },
];

/// The method called `name`.
///
/// # Errors
/// When there is none (with the nearest name), or a parameter is out of range.
pub fn method(name: &str, parameters: &Parameters) -> Result<Box<dyn Method>, MixError> {
    if let Some(entry) = METHODS.iter().find(|entry| entry.name == name) {
        return (entry.make)(parameters);
    }
    let known: Vec<_> = METHODS.iter().map(|entry| entry.name).collect();
    let similarity = |known: &str| strsim::jaro_winkler(known, name);
    let nearest = known
        .iter()
        .copied()
        .max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
    let nearest = nearest
        .filter(|known| similarity(known) > 0.8)
        .map(str::to_owned);
    Err(MixError::UnknownMethod {
        name: name.to_owned(),
        nearest,
        known,
    })
}
