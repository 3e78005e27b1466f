//! What a method is, and the list of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Average, Centroids, Chameleon, Fused, Human, MadMix, MixError, Orthogonal, SpectrumLine, Stage,
    Uniform, Unimodal,
};
use crate::modality::Modality;

/// A way from centroids to weights.
pub trait Method: Send + Sync {
    /// The weights of the domains.
    ///
    /// # Errors
    /// When the method cannot weigh these centroids.
    fn weights(&self, centroids: &Centroids) -> Result<Solution, MixError>;

    /// The solutions for other λ, one each; none for a method without λ. What does not depend on λ is computed once.
    ///
    /// # Errors
    /// As [`weights`](Method::weights), and when a λ is not a finite number above 0.
    fn path(&self, _centroids: &Centroids, _lambdas: &[f64]) -> Result<Vec<Solution>, MixError> {
        Ok(Vec::new())
    }

    /// The kernel that the method fits δ with, direction by direction (see [`Analysis::spectrum`]): nothing for a method
    /// that does not fit one δ with one kernel, and where the smaller of K and `XᵀX` has more than `most` rows.
    ///
    /// # Errors
    /// When the centroids that the method needs are not there.
    ///
    /// [`Analysis::spectrum`]: super::Analysis::spectrum
    fn spectrum(
        &self,
        _centroids: &Centroids,
        _most: usize,
    ) -> Result<Vec<SpectrumLine>, MixError> {
        Ok(Vec::new())
    }

    /// Which centroids the weights are made of.
    fn rests_on(&self) -> RestsOn {
        RestsOn::Modalities
    }
}

/// The centroids that a method looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestsOn {
    /// None: the weights know of no sample.
    Nothing,
    /// Those of every modality.
    Modalities,
    /// Those of one modality.
    Modality(Modality),
    /// The fused ones.
    Fused,
}

/// What is done to a modality's centroids before anything else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scaling {
    /// Nothing (the paper's choice): a modality with longer vectors says more.
    #[default]
    None,
    /// Each modality's kernel is divided by its trace, so that all say the same; λ is then on the scale of a kernel of
    /// trace 1.
    UnitTrace,
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
    /// T of softmax(s / T): above 1 the weights are evener, below 1 further apart.
    pub temperature: f64,
    /// What is done to the centroids first.
    pub scaling: Scaling,
}

impl Parameters {
    /// These parameters, if methods that have them can work with them.
    ///
    /// # Errors
    /// When λ or the temperature is not a finite number above 0.
    pub(super) fn checked(&self) -> Result<Self, MixError> {
        check_lambda(self.lambda)?;
        let value = self.temperature;
        if value.is_finite() && value > 0.0 {
            Ok(*self)
        } else {
            Err(MixError::Temperature { value })
        }
    }
}

pub(super) fn check_lambda(value: f64) -> Result<(), MixError> {
    if value.is_finite() && value > 0.0 {
        Ok(())
    } else {
        Err(MixError::Lambda { value })
    }
}

impl Default for Parameters {
    /// The paper's: λ = 10, temperature 1, no scaling.
    fn default() -> Self {
        Self {
            lambda: 10.0,
            temperature: 1.0,
            scaling: Scaling::None,
        }
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
        make: |p| Ok(Box::new(MadMix::with(p)?)),
    },
    MethodEntry {
        name: Uniform::NAME,
        make: |_| Ok(Box::new(Uniform)),
    },
    MethodEntry {
        name: Human::NAME,
        make: |_| Ok(Box::new(Human)),
    },
    MethodEntry {
        name: Modality::Text.name(),
        make: |p| Ok(Box::new(Unimodal::new(Modality::Text, p)?)),
    },
    MethodEntry {
        name: Modality::Image.name(),
        make: |p| Ok(Box::new(Unimodal::new(Modality::Image, p)?)),
    },
    MethodEntry {
        name: Modality::Video.name(),
        make: |p| Ok(Box::new(Unimodal::new(Modality::Video, p)?)),
    },
    MethodEntry {
        name: Average::NAME,
        make: |p| Ok(Box::new(Average::new(p)?)),
    },
    MethodEntry {
        name: Fused::NAME,
        make: |p| Ok(Box::new(Fused::new(p)?)),
    },
    MethodEntry {
        name: Orthogonal::NAME,
        make: |p| Ok(Box::new(Orthogonal::new(p)?)),
    },
    MethodEntry {
        name: Stage::FineTuning.method(),
        make: |p| Ok(Box::new(Chameleon::new(Stage::FineTuning, p)?)),
    },
    MethodEntry {
        name: Stage::PreTraining.method(),
        make: |p| Ok(Box::new(Chameleon::new(Stage::PreTraining, p)?)),
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
