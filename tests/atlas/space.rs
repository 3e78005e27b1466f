//! What holds for every space, whatever its grid and bounds.

use madmix::atlas::space::{Space, distance};
use madmix::atlas::{Cell, CellDataset, Grid};
use madmix::config::{Bound, Search, SpaceName};
use proptest::prelude::*;

const BUDGET: u64 = 10_000;

/// A grid of three concepts and three tasks with the cells that have samples.
fn grid(samples: &[u64]) -> Grid {
    let total: u64 = samples.iter().sum();
    let cells = samples
        .iter()
        .enumerate()
        .filter(|(_, samples)| **samples > 0);
    let cells = cells.map(|(i, &samples)| Cell {
        name: format!("c{} × t{}", i / 3, i % 3),
        concept: i / 3,
        task: i % 3,
        today: samples as f64 / total as f64,
        datasets: vec![CellDataset {
            name: "a".into(),
            samples,
            tokens: samples,
        }],
    });
    Grid {
        concepts: (0..3).map(|i| format!("c{i}")).collect(),
        tasks: (0..3).map(|i| format!("t{i}")).collect(),
        cells: cells.collect(),
    }
}

fn names() -> impl Strategy<Value = (SpaceName, &'static str)> {
    prop_oneof![
        Just((SpaceName::Concept, "c1")),
        Just((SpaceName::Task, "t1")),
        Just((SpaceName::Product, "t2")),
        Just((SpaceName::Joint, "c0 × t0")),
    ]
}

proptest! {
    #[test]
    fn admitted_points_keep_bounds_and_epochs_and_are_found_again(
        (name, level) in names(),
        samples in proptest::collection::vec(prop_oneof![Just(0), 20_u64..5000], 9),
        bound in (0.0..0.4_f64, 0.5..1.0_f64),
        epochs in 1.0..20.0_f64,
        shares in proptest::collection::vec(0.0..1.0_f64, 9),
    ) {
        prop_assume!(samples.iter().any(|samples| *samples > 0));
        let grid = grid(&samples);
        let search = Search {
            space: name,
            budget: Some(BUDGET),
            max_epochs: Some(epochs),
            bounds: vec![Bound { of: level.into(), min: bound.0, max: bound.1 }],
            ..Search::default()
        };
        // Many of them cannot be, which is said; what can be has to hold.
        let Ok(spaces) = Space::searched(&grid, &search) else { return Ok(()) };
        let space = &spaces[0];
        let mut point: Vec<f64> = shares.iter().copied().cycle().take(space.len()).collect();
        space.admit(&mut point);
        let weights = space.weights(&point);
        prop_assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        for (cell, weight) in grid.cells.iter().zip(&weights) {
            prop_assert!(cell.epochs(*weight, BUDGET) <= epochs * (1.0 + 1e-6));
        }
        let shares = space.shares(&point);
        let mut at = 0;
        for simplex in space.simplexes() {
            for i in 0..simplex.len() {
                let share = shares[at + i];
                prop_assert!(simplex.min[i] - 1e-8 <= share && share <= simplex.max[i] + 1e-8);
            }
            at += simplex.len();
        }
        if name != SpaceName::Product {
            let back = space.weights(&space.point_of(&weights).unwrap());
            prop_assert!(distance(&weights, &back) < 1e-6);
        }
    }
}
