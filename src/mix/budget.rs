//! From shares to whole numbers of samples: so many of each dataset for a budget, no domain seen too often.

use thiserror::Error;

/// The largest budget; up to it double precision tells shares from samples.
pub const MAX_BUDGET: u64 = 1_000_000_000_000;

/// Why a budget cannot be divided.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum BudgetError {
    /// Nothing to divide, or more than can be divided exactly.
    #[error("a budget is a number of samples from 1 to {MAX_BUDGET}, not {budget}")]
    Budget {
        /// The budget.
        budget: u64,
    },
    /// A limit that is none.
    #[error("max_epochs of domain `{domain}` is {max_epochs}; it must be a number above 0")]
    MaxEpochs {
        /// The domain's name.
        domain: String,
        /// The limit.
        max_epochs: f64,
    },
    /// A domain is to give samples and has none.
    #[error(
        "domain `{domain}` has a weight but no rows, so the largest possible budget is 0: give it data, or solve \
         without it"
    )]
    NoRows {
        /// The domain's name.
        domain: String,
    },
    /// The limits leave too little.
    #[error(
        "a budget of {budget} samples is more than max_epochs allows: the largest possible is {largest}; lower the \
         budget or raise max_epochs"
    )]
    TooLarge {
        /// The budget.
        budget: u64,
        /// What all domains with a weight can give together.
        largest: u64,
    },
}

/// A domain that a budget is divided over.
#[derive(Clone, Debug, PartialEq)]
pub struct Share<'a> {
    /// Its name, for messages.
    pub name: &'a str,
    /// Its weight; all sum to 1.
    pub weight: f64,
    /// The rows of its datasets.
    pub sizes: Vec<u64>,
    /// How often its rows may be seen on average.
    pub max_epochs: Option<f64>,
}

/// A budget, divided.
#[derive(Clone, Debug, PartialEq)]
pub struct Allotment {
    /// Of each domain its weight once caps hold; they sum to 1.
    pub weights: Vec<f64>,
    /// Of each domain the samples of each dataset; all sum to the budget.
    pub counts: Vec<Vec<u64>>,
}

/// Divides a budget of samples over domains by weight, and within a domain over its datasets by size.
///
/// A domain gives at most `max_epochs` times its rows; what it cannot give falls to the domains below their caps, in
/// proportion to their weights, until none is above its cap. The exact shares are then rounded so that the counts of
/// domains and datasets both lie within 1 of exact: each is the floor or the ceiling, and the samples that the floors
/// leave go to the largest remainders, of equal ones to the first. No domain is rounded over its cap.
///
/// # Errors
/// As [`BudgetError`] lists.
pub fn allot(domains: &[Share<'_>], budget: u64) -> Result<Allotment, BudgetError> {
    if !(1..=MAX_BUDGET).contains(&budget) {
        return Err(BudgetError::Budget { budget });
    }
    let caps = domains.iter().map(cap).collect::<Result<Vec<_>, _>>()?;
    let exact = capped(domains, &caps, budget)?;
    let wholes = round(&exact, budget);
    let counts = domains
        .iter()
        .zip(exact.iter().zip(wholes))
        .map(|(domain, (&exact, whole))| {
            let rows: u64 = domain.sizes.iter().sum();
            let share = |&size: &u64| {
                if rows == 0 {
                    0.0
                } else {
                    exact * (size as f64 / rows as f64)
                }
            };
            round(&domain.sizes.iter().map(share).collect::<Vec<_>>(), whole)
        })
        .collect();
    let weights = exact.iter().map(|exact| exact / budget as f64).collect();
    Ok(Allotment { weights, counts })
}

/// The most samples of a domain: a whole number, so that rounding up to it is no breach.
fn cap(domain: &Share<'_>) -> Result<u64, BudgetError> {
    let rows: u64 = domain.sizes.iter().sum();
    let name = || domain.name.to_owned();
    if domain.weight > 0.0 && rows == 0 {
        return Err(BudgetError::NoRows { domain: name() });
    }
    match domain.max_epochs {
        Some(max_epochs) if max_epochs.is_nan() || max_epochs <= 0.0 => {
            Err(BudgetError::MaxEpochs {
                domain: name(),
                max_epochs,
            })
        }
        // As the largest budget caps all.
        Some(max_epochs) => Ok(((rows as f64 * max_epochs) as u64).min(MAX_BUDGET)),
        None => Ok(MAX_BUDGET),
    }
}

/// Water-filling: the exact number of samples of each domain.
fn capped(domains: &[Share<'_>], caps: &[u64], budget: u64) -> Result<Vec<f64>, BudgetError> {
    let weighted = || (0..domains.len()).filter(|&i| domains[i].weight > 0.0);
    let largest = weighted().fold(0_u64, |sum, i| sum.saturating_add(caps[i]));
    if largest < budget {
        return Err(BudgetError::TooLarge { budget, largest });
    }
    let mut full = vec![false; domains.len()];
    loop {
        let given: u64 = weighted().filter(|&i| full[i]).map(|i| caps[i]).sum();
        let open: f64 = weighted()
            .filter(|&i| !full[i])
            .map(|i| domains[i].weight)
            .sum();
        let exact = |i: usize| match domains[i].weight {
            _ if full[i] => caps[i] as f64,
            weight if weight > 0.0 => (budget - given) as f64 * (weight / open),
            _ => 0.0,
        };
        let exact: Vec<f64> = (0..domains.len()).map(exact).collect();
        // Whoever is above the cap now stays above it, as the others' surplus only adds.
        let over: Vec<usize> = weighted()
            .filter(|&i| !full[i] && exact[i] > caps[i] as f64)
            .collect();
        if over.is_empty() {
            return Ok(exact);
        }
        for i in over {
            full[i] = true;
        }
    }
}

/// Floors, and one more for the largest remainders until all sum to `whole`. `exact` sums to within 1 of `whole`; what is
/// 0 stays 0.
fn round(exact: &[f64], whole: u64) -> Vec<u64> {
    let mut counts: Vec<u64> = exact.iter().map(|exact| exact.floor() as u64).collect();
    let mut order: Vec<usize> = (0..exact.len()).filter(|&i| exact[i] > 0.0).collect();
    order.sort_by(|&a, &b| f64::total_cmp(&exact[b].fract(), &exact[a].fract()));
    // Sums of rounded numbers may be an ulp off, which a floor then makes a whole.
    let mut sum: u64 = counts.iter().sum();
    for &i in order.iter().cycle() {
        if sum >= whole {
            break;
        }
        counts[i] += 1;
        sum += 1;
    }
    for &i in order.iter().rev() {
        let surplus = (sum - whole).min(u64::from(counts[i] > 0));
        counts[i] -= surplus;
        sum -= surplus;
    }
    counts
}

/// Shares of what is drawn by tokens, or by sequences packed full of them: samples of twice the length fill twice the
/// sequences. `shares` are of samples, `tokens` the mean tokens of a sample; where a share is 0 they do not matter.
pub fn shares_of_tokens(shares: &[f64], tokens: &[f64]) -> Vec<f64> {
    let part = |(&share, &tokens): (&f64, &f64)| if share > 0.0 { share * tokens } else { 0.0 };
    let parts: Vec<f64> = shares.iter().zip(tokens).map(part).collect();
    let sum: f64 = parts.iter().sum();
    parts.iter().map(|part| part / sum).collect()
}

#[cfg(test)]
mod tests;
