use proptest::prelude::*;

use super::*;

fn share(weight: f64, sizes: &[u64], max_epochs: Option<f64>) -> Share<'static> {
    Share {
        name: "d",
        weight,
        sizes: sizes.to_vec(),
        max_epochs,
    }
}

fn totals(allotment: &Allotment) -> Vec<u64> {
    allotment
        .counts
        .iter()
        .map(|counts| counts.iter().sum())
        .collect()
}

#[test]
fn freed_weight_falls_to_the_others_by_weight() {
    let domains = [
        share(0.5, &[10], Some(2.0)),
        share(0.3, &[1000], Some(2.0)),
        share(0.2, &[600, 400], None),
    ];
    let allotment = allot(&domains, 100).unwrap();
    assert_eq!(totals(&allotment), [20, 48, 32]);
    assert_eq!(allotment.counts[2], [19, 13]);
    assert_eq!(allotment.weights, [0.2, 0.48, 0.32]);
}

#[test]
fn a_cap_can_fill_another() {
    // 60, 30, 10 of 100; the first gives 40 on, of which 30 go to the second, which is then above its cap.
    let domains = [
        share(0.6, &[20], Some(1.0)),
        share(0.3, &[40], Some(1.0)),
        share(0.1, &[400], Some(1.0)),
    ];
    assert_eq!(totals(&allot(&domains, 100).unwrap()), [20, 40, 40]);
}

#[test]
fn domains_without_weight_get_nothing() {
    let domains = [
        share(0.0, &[5], Some(1.0)),
        share(1.0, &[3, 0], Some(4.0)),
        share(0.0, &[], None),
    ];
    let allotment = allot(&domains, 12).unwrap();
    assert_eq!(allotment.counts, [vec![0], vec![12, 0], vec![]]);
}

#[test]
fn what_is_impossible_names_what_is_possible() {
    let domains = [share(0.9, &[10], Some(1.5)), share(0.1, &[7], Some(1.0))];
    let largest = 22;
    let too_large = BudgetError::TooLarge {
        budget: 23,
        largest,
    };
    assert_eq!(allot(&domains, 23), Err(too_large));
    assert_eq!(totals(&allot(&domains, largest).unwrap()), [15, 7]);
    let domain = "d".to_owned();
    assert_eq!(
        allot(&[share(1.0, &[0], None)], 1),
        Err(BudgetError::NoRows { domain })
    );
    for max_epochs in [0.0, -1.0, f64::NAN] {
        assert!(matches!(
            allot(&[share(1.0, &[1], Some(max_epochs))], 1),
            Err(BudgetError::MaxEpochs { .. })
        ));
    }
    for budget in [0, MAX_BUDGET + 1] {
        assert_eq!(
            allot(&[share(1.0, &[1], None)], budget),
            Err(BudgetError::Budget { budget })
        );
    }
}

#[test]
fn equal_remainders_go_to_the_first() {
    let domains: Vec<_> = (0..3).map(|_| share(1.0 / 3.0, &[1, 1], None)).collect();
    let allotment = allot(&domains, 10).unwrap();
    assert_eq!(allotment.counts, [[2, 2], [2, 1], [2, 1]]);
}

#[test]
fn tokens_weigh_by_length() {
    let tokens = [100.0, 300.0, f64::NAN];
    assert_eq!(
        shares_of_tokens(&[0.5, 0.5, 0.0], &tokens),
        [0.25, 0.75, 0.0]
    );
}

fn domains() -> impl Strategy<Value = Vec<Share<'static>>> {
    let domain = (
        prop_oneof![1 => Just(0.0), 6 => 0.001..1.0],
        prop::collection::vec(0..5000_u64, 1..5),
        prop::option::of(0.3..4.0),
    );
    prop::collection::vec(domain, 1..8).prop_filter_map(
        "a domain with weight has rows",
        |domains| {
            let sum: f64 = domains.iter().map(|(weight, ..)| weight).sum();
            let rows = |sizes: &[u64]| sizes.iter().sum::<u64>();
            let sound = sum > 0.0 && domains.iter().all(|(w, s, _)| *w == 0.0 || rows(s) > 10);
            let domain = |(weight, sizes, cap): &(f64, Vec<u64>, Option<f64>)| {
                share(weight / sum, sizes, *cap)
            };
            sound.then(|| domains.iter().map(domain).collect())
        },
    )
}

proptest! {
    #[test]
    fn counts_sum_to_the_budget_and_keep_caps(domains in domains(), budget in 1..200_000_u64) {
        let allotment = match allot(&domains, budget) {
            Ok(allotment) => allotment,
            Err(BudgetError::TooLarge { largest, .. }) => {
                prop_assert!(largest < budget);
                if largest > 0 {
                    prop_assert!(allot(&domains, largest).is_ok());
                }
                return Ok(());
            }
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        };
        let totals = totals(&allotment);
        prop_assert_eq!(totals.iter().sum::<u64>(), budget);
        prop_assert!((allotment.weights.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        let mut level = None;
        for (i, domain) in domains.iter().enumerate() {
            let exact = allotment.weights[i] * budget as f64;
            prop_assert!((totals[i] as f64 - exact).abs() < 1.0 + 1e-6);
            let rows: u64 = domain.sizes.iter().sum();
            for (&count, &size) in allotment.counts[i].iter().zip(&domain.sizes) {
                let exact = if rows == 0 { 0.0 } else { exact * size as f64 / rows as f64 };
                prop_assert!((count as f64 - exact).abs() < 1.0 + 1e-6);
                prop_assert!(size > 0 || count == 0);
            }
            if domain.weight == 0.0 {
                prop_assert_eq!(totals[i], 0);
                continue;
            }
            let cap = domain.max_epochs.map(|epochs| rows as f64 * epochs);
            prop_assert!(cap.is_none_or(|cap| totals[i] as f64 <= cap));
            // All that are below their caps stand at the same multiple of their weights, and none stands higher.
            let ratio = allotment.weights[i] / domain.weight;
            if cap.is_none_or(|cap| exact < cap.floor() - 1e-6) {
                let level = *level.get_or_insert(ratio);
                prop_assert!((ratio / level - 1.0).abs() < 1e-9);
            }
        }
        if let Some(level) = level {
            for (weight, domain) in allotment.weights.iter().zip(&domains) {
                prop_assert!(*weight <= domain.weight * level * (1.0 + 1e-9));
            }
        }
    }

    #[test]
    fn the_order_of_domains_does_not_matter(domains in domains(), budget in 1..200_000_u64) {
        let turned: Vec<_> = domains.iter().rev().cloned().collect();
        let (Ok(forth), Ok(back)) = (allot(&domains, budget), allot(&turned, budget)) else {
            prop_assert!(allot(&domains, budget).is_err() && allot(&turned, budget).is_err());
            return Ok(());
        };
        let (forth, back) = (totals(&forth), totals(&back));
        // Equal remainders go by order, so only those may change places.
        let moved: u64 = forth.iter().zip(back.iter().rev()).map(|(a, b)| a.abs_diff(*b)).sum();
        let remainders: Vec<f64> = allot(&domains, budget).unwrap().weights.iter()
            .map(|weight| (weight * budget as f64).fract()).collect();
        let tied = remainders.iter().enumerate().any(|(i, a)| {
            remainders[..i].iter().any(|b| (a - b).abs() < 1e-6 || (a - b).abs() > 1.0 - 1e-6)
        });
        prop_assert!(tied || moved == 0, "{forth:?} {back:?}");
    }
}
