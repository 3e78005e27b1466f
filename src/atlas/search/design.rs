//! The first points, before anything is learnt, and points drawn for their own sake.

use crate::atlas::chance::Chance;
use crate::atlas::space::Space;

/// Strengths of the Dirichlet draws around the shares by size, weak ones far from it: times the number of shares.
const STRENGTHS: [f64; 4] = [1.0, 4.0, 0.25, 16.0];
/// How many candidates the furthest is chosen from.
const CANDIDATES: usize = 256;
/// The next point of the design, `taken` being those that there are: today's mixture, shares by size, equal shares, and
/// then of many draws of one strength after the other the one furthest (maximin, in roots of shares) from those taken; all
/// of those that are `allowed`. `None` where no candidate is.
pub(super) fn next(
    space: &Space,
    taken: &[Vec<f64>],
    allowed: &dyn Fn(&[f64]) -> bool,
    seed: u64,
) -> Option<Vec<f64>> {
    let first = [
        space.today_point().to_vec(),
        space.size_point().to_vec(),
        space.uniform_point(),
    ];
    if let Some(point) = first.into_iter().find(|point| allowed(point)) {
        return Some(point);
    }
    let number = taken.len();
    let mut chance = Chance::of(seed, "design", number as u64);
    let mut candidates: Vec<Vec<f64>> = (0..CANDIDATES)
        .map(|_| around_size(space, number, &mut chance))
        .collect();
    candidates.retain(|point| allowed(point));
    furthest(candidates, taken)
}

/// Of some points the first that is as far as any from the nearest of others, in roots of shares.
pub(super) fn furthest(points: Vec<Vec<f64>>, others: &[Vec<f64>]) -> Option<Vec<f64>> {
    let mut best = None;
    for point in points {
        let nearest = others.iter().map(|other| apart(&point, other));
        let nearest = nearest.fold(f64::INFINITY, f64::min);
        if best.as_ref().is_none_or(|(most, _)| nearest > *most) {
            best = Some((nearest, point));
        }
    }
    best.map(|(_, point)| point)
}

/// A draw around the shares by size, of the strength that the `number` of the draw has.
pub(super) fn around_size(space: &Space, number: usize, chance: &mut Chance) -> Vec<f64> {
    draw(
        space,
        space.size_point(),
        STRENGTHS[number % STRENGTHS.len()],
        chance,
    )
}

/// A draw from all points alike (bounds bind what would be beyond them).
pub(super) fn uniform(space: &Space, chance: &mut Chance) -> Vec<f64> {
    draw(space, &space.uniform_point(), 1.0, chance)
}

/// A Dirichlet draw around `mean` in every simplex, of a strength times the number of shares.
pub(super) fn draw(space: &Space, mean: &[f64], strength: f64, chance: &mut Chance) -> Vec<f64> {
    space.draw(mean, strength, chance)
}

/// The squared distance of two points in roots of shares.
fn apart(a: &[f64], b: &[f64]) -> f64 {
    let pairs = a.iter().zip(b);
    pairs.map(|(a, b)| (a.sqrt() - b.sqrt()).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::atlas::testing::grid;
    use crate::config::{Bound, Search};

    fn space() -> Space {
        let search = Search {
            bounds: vec![Bound {
                of: "photo × vqa".into(),
                min: 0.05,
                max: 0.6,
            }],
            ..Search::default()
        };
        Space::searched(&grid(), &search).unwrap().swap_remove(0)
    }

    fn design(seed: u64) -> Vec<Vec<f64>> {
        let (space, mut taken) = (space(), Vec::<Vec<f64>>::new());
        for _ in 0..20 {
            let new = |point: &[f64]| {
                let mut others = taken.iter();
                others.all(|other| space.distance(point, other) > 1e-6)
            };
            let point = next(&space, &taken, &new, seed).unwrap();
            taken.push(point);
        }
        taken
    }

    #[test]
    fn it_starts_with_what_is_known_and_then_fills() {
        let (space, design) = (space(), design(1));
        assert_eq!(design[0], space.today());
        assert_eq!(design[1], space.size_point());
        assert_eq!(design[2], [0.25; 4]);
        for (i, point) in design.iter().enumerate() {
            assert!(space.check_bounds(point).is_ok(), "{point:?}");
            assert!(
                design[..i]
                    .iter()
                    .all(|other| space.distance(point, other) > 0.03),
                "{i}"
            );
        }
    }

    #[test]
    fn it_fills_better_than_plain_draws() {
        let space = space();
        let least = |points: &[Vec<f64>]| {
            let pairs = points.iter().enumerate();
            pairs
                .flat_map(|(i, a)| points[..i].iter().map(move |b| apart(a, b)))
                .fold(f64::INFINITY, f64::min)
        };
        let mut chance = Chance::new(9);
        let draws: Vec<Vec<f64>> = (0..17)
            .map(|i| around_size(&space, i, &mut chance))
            .collect();
        assert!(least(&design(1)[3..]) > 2.0 * least(&draws));
    }

    #[test]
    fn a_seed_gives_one_design() {
        assert_eq!(design(1), design(1));
        assert_ne!(design(1), design(2));
    }
}
