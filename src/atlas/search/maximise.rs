//! The best point of a space, by the worth of points: many candidates, the best of which are moved as long as that helps.
//!
//! Moves take from one share, or give to it, at the cost of all others in proportion; so they need no derivatives, which
//! roots of shares and trees do not have everywhere, and bounds are kept by moving back into them.

use std::ops::Range;

use rayon::prelude::*;

use super::design::{around_size, draw, uniform};
use crate::atlas::chance::Chance;
use crate::atlas::space::Space;

/// Candidates of each kind.
const DRAWN: usize = 512;
/// Candidates around each start.
const AROUND: usize = 64;
/// How many candidates are moved.
const MOVED: usize = 5;
/// How much a move gives or takes.
const STEPS: [f64; 7] = [0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002];
/// The most rounds of moves of one candidate.
const ROUNDS: usize = 60;
/// Candidates that are moved differ by this at least (total variation).
const DIFFERENT: f64 = 0.05;

/// What gives points their worth.
pub(super) type Score<'a> = &'a dyn Fn(&[Vec<f64>]) -> Vec<f64>;

/// The point worth most of those that are `allowed`; `None` when no candidate is. `starts` are looked at, and around.
pub(super) fn maximise(
    space: &Space,
    starts: &[Vec<f64>],
    score: Score<'_>,
    allowed: &dyn Fn(&[f64]) -> bool,
    chance: &mut Chance,
) -> Option<Vec<f64>> {
    let mut candidates = starts.to_vec();
    candidates.push(space.today_point().to_vec());
    candidates.push(space.size_point().to_vec());
    candidates.push(space.uniform_point());
    for i in 0..DRAWN {
        candidates.push(around_size(space, i, chance));
        candidates.push(uniform(space, chance));
    }
    let even = space.uniform_point();
    for start in starts {
        // A share of 0 would stay 0 in all draws.
        let pairs = start.iter().zip(&even);
        let mean: Vec<f64> = pairs
            .map(|(start, even)| 0.95 * start + 0.05 * even)
            .collect();
        for i in 0..AROUND {
            let strength = [2.0, 10.0, 50.0][i % 3];
            candidates.push(draw(space, &mean, strength, chance));
        }
    }
    candidates.retain(|point| allowed(point));
    // What is worth no number is worth least; it would be sorted before all.
    let score: Score<'_> = &|points| {
        let scores = score(points).into_iter();
        scores
            .map(|score| {
                if score.is_nan() {
                    f64::NEG_INFINITY
                } else {
                    score
                }
            })
            .collect()
    };
    let scores = score(&candidates);
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let mut moved: Vec<(f64, Vec<f64>)> = Vec::new();
    for i in order {
        let point = &candidates[i];
        if moved.len() == MOVED {
            break;
        }
        if moved
            .iter()
            .all(|(_, other)| space.distance(point, other) > DIFFERENT)
        {
            moved.push((scores[i], point.clone()));
        }
    }
    moved
        .into_iter()
        .map(|start| climb(space, start, score, allowed))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, point)| point)
}

fn climb(
    space: &Space,
    (mut worth, mut point): (f64, Vec<f64>),
    score: Score<'_>,
    allowed: &dyn Fn(&[f64]) -> bool,
) -> (f64, Vec<f64>) {
    let mut step = 0;
    for _ in 0..ROUNDS {
        let mut moves = moves(space, &point, STEPS[step]);
        moves.retain(|point| allowed(point));
        let scores = score(&moves);
        let best = (0..moves.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        match best {
            Some(best) if scores[best] > worth => {
                worth = scores[best];
                point = moves.swap_remove(best);
            }
            _ => step += 1,
        }
        if step == STEPS.len() {
            break;
        }
    }
    (worth, point)
}

/// Points one move away.
fn moves(space: &Space, point: &[f64], step: f64) -> Vec<Vec<f64>> {
    let mut shares = Vec::new();
    let mut at = 0;
    for simplex in space.simplexes() {
        let end = at + simplex.len();
        shares.extend((at..end).map(|i| (at..end, i)));
        at = end;
    }
    let moved = |(simplex, i): (Range<usize>, usize)| {
        let share = point[i];
        let to = [share + step * (1.0 - share), share - step.min(share)];
        // Where one level has all, there is nothing that the others could take in proportion.
        let to = to
            .into_iter()
            .filter(move |to| (to - share).abs() >= 1e-15 && share < 1.0);
        to.map(move |to| {
            let factor = (1.0 - to) / (1.0 - share);
            let mut moved = point.to_vec();
            for other in &mut moved[simplex.clone()] {
                *other *= factor;
            }
            moved[i] = to;
            space.admit(&mut moved);
            moved
        })
    };
    shares.into_par_iter().flat_map_iter(moved).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::atlas::testing::grid;
    use crate::config::{Bound, Search, SpaceName};

    fn found(search: &Search, target: &[f64], seed: u64) -> Vec<f64> {
        let space = Space::searched(&grid(), search).unwrap().swap_remove(0);
        let score = |points: &[Vec<f64>]| -> Vec<f64> {
            let squared = |point: &Vec<f64>| {
                let weights = space.weights(point);
                weights
                    .iter()
                    .zip(target)
                    .map(|(a, b)| -(a - b).powi(2))
                    .sum()
            };
            points.iter().map(squared).collect()
        };
        let mut chance = Chance::new(seed);
        let point = maximise(&space, &[], &score, &|_| true, &mut chance).unwrap();
        space.weights(&point)
    }

    #[test]
    fn the_top_is_found_inside_and_on_the_border() {
        for target in [
            [0.1, 0.2, 0.3, 0.4],
            [0.0, 0.0, 1.0, 0.0],
            [0.5, 0.0, 0.0, 0.5],
        ] {
            let weights = found(&Search::default(), &target, 1);
            for (weight, target) in weights.iter().zip(target) {
                assert!((weight - target).abs() < 0.01, "{weights:?}");
            }
        }
        let bounded = Search {
            bounds: vec![Bound {
                of: "photo".into(),
                min: 0.0,
                max: 0.3,
            }],
            ..Search {
                space: SpaceName::Concept,
                ..Search::default()
            }
        };
        let weights = found(&bounded, &[0.1, 0.1, 0.4, 0.4], 1);
        assert!((weights[2] - 0.15).abs() < 1e-9, "{weights:?}");
    }

    #[test]
    fn what_is_worth_no_number_is_not_found() {
        let space = Space::searched(&grid(), &Search::default())
            .unwrap()
            .swap_remove(0);
        let worth = |point: &Vec<f64>| if point[0] > 0.5 { f64::NAN } else { point[0] };
        let score = |points: &[Vec<f64>]| points.iter().map(worth).collect();
        let mut chance = Chance::new(1);
        let point = maximise(&space, &[], &score, &|_| true, &mut chance).unwrap();
        assert!(point[0] <= 0.5 && point[0] > 0.45, "{point:?}");
    }

    #[test]
    fn what_is_not_allowed_is_not_found() {
        let space = Space::searched(&grid(), &Search::default())
            .unwrap()
            .swap_remove(0);
        let score = |points: &[Vec<f64>]| points.iter().map(|point| point[0]).collect();
        let mut chance = Chance::new(1);
        let allowed = |point: &[f64]| point[0] < 0.4;
        let point = maximise(&space, &[], &score, &allowed, &mut chance).unwrap();
        assert!(point[0] < 0.4 && point[0] > 0.38, "{point:?}");
        let none = maximise(&space, &[], &score, &|_| false, &mut chance);
        assert_eq!(none, None);
    }
}
