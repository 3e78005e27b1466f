//! Domains whose share is not up for discussion.

use super::{Domain, MixError};

/// `weights` with the domains `held` at their share of all `human` shares, and the others scaled to what is left.
pub(super) fn hold(
    weights: &[f64],
    domains: &[Domain],
    held: &[String],
) -> Result<Vec<f64>, MixError> {
    let problem = |problem: String| MixError::Hold { problem };
    if let Some(name) = held
        .iter()
        .find(|name| !domains.iter().any(|domain| domain.name == **name))
    {
        return Err(problem(format!("there is no domain `{name}`")));
    }
    if let Some(domain) = domains.iter().find(|domain| domain.human.is_none()) {
        return Err(problem(format!(
            "domain `{}` has no `human`, and a held share is a part of all of them",
            domain.name
        )));
    }
    let human = |domain: &Domain| domain.human.unwrap_or(0.0);
    let largest = domains.iter().map(human).fold(0.0, f64::max);
    if largest == 0.0 {
        return Err(problem("every `human` is 0".into()));
    }
    // By the largest first: the sum of huge shares may overflow.
    let all: f64 = domains.iter().map(|domain| human(domain) / largest).sum();
    let is_held = |domain: &Domain| held.contains(&domain.name);
    let share = |domain: &Domain| human(domain) / largest / all;
    let kept: f64 = domains.iter().filter(|d| is_held(d)).map(share).sum();
    let pairs = || domains.iter().zip(weights);
    let free: f64 = pairs().filter(|(d, _)| !is_held(d)).map(|(_, w)| w).sum();
    if free == 0.0 && kept < 1.0 {
        return Err(problem(
            "the method gives the other domains no weight, so nothing can be scaled".into(),
        ));
    }
    let weight = |(domain, weight): (&Domain, &f64)| {
        if is_held(domain) {
            share(domain)
        } else if free == 0.0 {
            0.0
        } else {
            (1.0 - kept) * weight / free
        }
    };
    Ok(pairs().map(weight).collect())
}
