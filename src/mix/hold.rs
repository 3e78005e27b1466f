//! Domains whose share is not up for discussion.

use super::human::to_sum_1;
use super::total::total;
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
    let human: Vec<f64> = domains.iter().filter_map(|domain| domain.human).collect();
    let human = to_sum_1(&human).ok_or_else(|| problem("every `human` is 0".into()))?;
    let is_held: Vec<bool> = domains.iter().map(|d| held.contains(&d.name)).collect();
    let sum = |of: &[f64], held: bool| {
        let chosen = of.iter().zip(&is_held).filter(|(_, is)| **is == held);
        total(chosen.map(|(share, _)| *share))
    };
    let kept = sum(&human, true);
    let free = sum(weights, false);
    // Nothing is left where all that the others could have is what rounding makes of 0.
    let left = 1.0 - kept;
    let left = if left < f64::EPSILON * domains.len() as f64 {
        0.0
    } else {
        left
    };
    if free == 0.0 && left > 0.0 {
        return Err(problem(
            "the method gives the other domains no weight, so nothing can be scaled".into(),
        ));
    }
    let weight = |i: usize| match is_held[i] {
        true => human[i],
        false if free == 0.0 => 0.0,
        false => left * weights[i] / free,
    };
    Ok((0..domains.len()).map(weight).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Table 6 of the paper: Image† is Image with Language at its human share; rounded there to 0.01 %.
    #[test]
    fn the_papers_image_row_with_language_held_is_its_image_dagger() {
        let human = [36.10, 20.60, 20.10, 8.90, 14.30];
        let domain = |(i, human): (usize, &f64)| Domain {
            name: if i == 4 {
                "Language".into()
            } else {
                i.to_string()
            },
            size: 1,
            human: Some(*human),
        };
        let domains: Vec<_> = human.iter().enumerate().map(domain).collect();
        let image = [35.66, 29.49, 17.92, 16.93, 0.00].map(|percent| percent / 100.0);
        let held = hold(&image, &domains, &["Language".into()]).unwrap();
        for (weight, published) in held.iter().zip([30.56, 25.27, 15.36, 14.51, 14.30]) {
            assert!(
                (100.0 * weight - published).abs() < 0.0101,
                "{weight} {published}"
            );
        }
        assert!((held.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    /// Shares such as 0.1, 0.2, … sum to a little more or less than 1.
    #[test]
    fn rounding_is_no_share_of_the_others() {
        for k in 1..30 {
            for others in [0, 1] {
                let domain = |i: u32| Domain {
                    name: i.to_string(),
                    size: 1,
                    human: Some(if i < k { f64::from(i + 1) / 10.0 } else { 0.0 }),
                };
                let domains: Vec<_> = (0..k + others).map(domain).collect();
                let names: Vec<_> = (0..k).map(|i| i.to_string()).collect();
                for spread in [1.0, 0.0] {
                    let mut weights = vec![1.0 - spread; domains.len()];
                    weights[domains.len() - 1] = spread;
                    weights[0] += 1.0 - spread;
                    let found = hold(&weights, &domains, &names).unwrap();
                    assert!(found.iter().all(|weight| *weight >= 0.0), "{k}: {found:?}");
                    assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                }
            }
        }
    }
}
