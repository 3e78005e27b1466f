//! Whether the weights are those that the config describes, before any of them is read.

use super::error::CheckpointError;
use super::weights::Weights;
use std::collections::BTreeSet;

/// How many problems a message lists.
const LISTED: usize = 10;
/// How many names are compared with a missing one.
const CANDIDATES: usize = 10_000;

/// What a family expects to find.
pub(super) struct Expected {
    /// Canonical name and shape of every tensor that the forward pass reads.
    pub(super) tensors: Vec<(String, Vec<usize>)>,
    /// Tensors that may be there and are not used.
    pub(super) unused: Box<dyn Fn(&str) -> bool>,
    /// What the config says about a number of layers, for the message about a layer beyond them:
    /// prefix of the layers' names up to the layer's number, number of layers, key in config.json.
    pub(super) layers: Vec<(&'static str, usize, &'static str)>,
}

/// Finds every tensor missing, misshapen, or unknown to the config.
///
/// A tensor inside a known part of the model that the config has no place for is an error, since the forward pass
/// would silently leave it out: more layers than the config says, adapters, quantization scales. Tensors outside all
/// known parts are only [unmapped](Weights::unmapped).
pub(super) fn check(weights: &Weights, expected: &Expected) -> Result<(), CheckpointError> {
    let wanted: BTreeSet<&str> = expected
        .tensors
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let spare: Vec<&str> = weights
        .names()
        .filter(|name| !wanted.contains(name) && !(expected.unused)(name))
        .collect();

    let mut missing = Vec::new();
    let mut problems = Vec::new();
    for (name, shape) in &expected.tensors {
        match weights.shape(name) {
            None => missing.push(name.as_str()),
            Some(found) if found != shape.as_slice() => problems.push(format!(
                "`{}` has shape {found:?}; config.json asks for {shape:?}",
                weights.name_in_file(name).unwrap_or(name)
            )),
            Some(_) => {
                if let Some(dtype) = weights.unsupported_dtype(name) {
                    problems.push(format!(
                        "`{name}` is stored as {dtype}; supported: F32, F16, BF16"
                    ));
                }
            }
        }
    }
    problems.extend(spare.iter().map(|name| beyond(weights, expected, name)));

    let count = missing.len() + problems.len();
    if count == 0 {
        return Ok(());
    }
    // Every kind of problem gets a look in: a file of the wrong model misses hundreds of tensors.
    let room = LISTED.saturating_sub(problems.len()).max(LISTED / 2);
    let candidates: Vec<&str> = spare
        .iter()
        .copied()
        .chain(weights.unmapped().iter().map(String::as_str))
        .take(CANDIDATES)
        .collect();
    let mut listed: Vec<String> = missing
        .iter()
        .take(room)
        .map(|name| format!("`{name}` is missing{}", nearest(name, &candidates)))
        .collect();
    problems.truncate(LISTED - listed.len());
    listed.append(&mut problems);
    Err(CheckpointError::Mismatch {
        place: weights.place().to_owned(),
        count,
        problems: listed,
    })
}

fn beyond(weights: &Weights, expected: &Expected, name: &str) -> String {
    let in_file = weights.name_in_file(name).unwrap_or(name);
    let index = |prefix: &str| -> Option<usize> {
        let rest = name.strip_prefix(prefix)?;
        rest.split('.').next()?.parse().ok()
    };
    let layers = expected
        .layers
        .iter()
        .find(|(prefix, count, _)| index(prefix).is_some_and(|layer| layer >= *count));
    match layers {
        Some((_, count, key)) => {
            format!("`{in_file}` is of a layer beyond the {count} that {key} says")
        }
        None => format!("`{in_file}` has no place in the model that config.json describes"),
    }
}

/// The two names in the file most like a missing one, as a hint.
fn nearest(name: &str, candidates: &[&str]) -> String {
    let mut ranked: Vec<(f64, &str)> = candidates
        .iter()
        .map(|candidate| (strsim::normalized_levenshtein(name, candidate), *candidate))
        .filter(|(likeness, _)| *likeness > 0.6)
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let names: Vec<String> = ranked
        .iter()
        .take(2)
        .map(|(_, name)| format!("`{name}`"))
        .collect();
    if names.is_empty() {
        String::new()
    } else {
        format!("; nearest in the file: {}", names.join(", "))
    }
}
