//! What is searched: shares of concepts, of tasks, of both, or of cells, within bounds.
//!
//! A *point* is what a surrogate learns on and a search moves: the shares of one [`Simplex`], or of several one after the
//! other. A *mixture* is the shares of the grid's cells, which a [`Space`] makes of a point. Bounds belong to what is
//! proposed, not to what a space is: a study goes on when they change.

mod build;
mod error;
mod limits;
mod map;
mod simplex;

use serde::{Deserialize, Serialize};

use crate::atlas::chance::Chance;
use crate::export::nearest;
use limits::Limits;
use map::Map;

pub use error::SpaceError;
pub use simplex::{Axis, Simplex};

/// How far shares that somebody wrote down may be off.
const TOLERANCE: f64 = 1e-6;

/// A set of mixtures.
#[derive(Clone, Debug, PartialEq)]
pub struct Space {
    name: String,
    simplexes: Vec<Simplex>,
    map: Map,
    cells: Vec<String>,
    /// Of products that have any.
    limits: Option<Limits>,
    today: Vec<f64>,
    today_point: Vec<f64>,
    size_point: Vec<f64>,
}

/// What makes a space the same as another: trials of one are then trials of the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpaceRecord {
    /// Its name.
    pub name: String,
    /// Its simplexes, one after the other.
    pub simplexes: Vec<SimplexRecord>,
    /// The cells, in the order of a mixture.
    pub cells: Vec<String>,
}

/// One simplex of a [`SpaceRecord`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimplexRecord {
    /// What it is shared among.
    pub axis: Axis,
    /// Their names.
    pub levels: Vec<String>,
}

impl Space {
    /// Its name: `concept`, `task`, `product`, `joint`, or `table` for plain names.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What a point is made of.
    pub fn simplexes(&self) -> &[Simplex] {
        &self.simplexes
    }

    /// The names of the cells, in the order of a mixture.
    pub fn cells(&self) -> &[String] {
        &self.cells
    }

    /// How many shares a point has.
    pub fn len(&self) -> usize {
        self.simplexes.iter().map(Simplex::len).sum()
    }

    /// Whether a point has no shares, which no space's has.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of a point's shares can be chosen: one fewer in each simplex.
    pub fn freedom(&self) -> usize {
        self.len() - self.simplexes.len()
    }

    /// What makes it the same as another.
    pub fn record(&self) -> SpaceRecord {
        let simplex = |simplex: &Simplex| SimplexRecord {
            axis: simplex.axis,
            levels: simplex.levels.clone(),
        };
        SpaceRecord {
            name: self.name.clone(),
            simplexes: self.simplexes.iter().map(simplex).collect(),
            cells: self.cells.clone(),
        }
    }

    /// Today's mixture, which need not be one of the space.
    pub fn today(&self) -> &[f64] {
        &self.today
    }

    /// The point nearest to today's mixture: it gives its shares of levels, as far as bounds allow.
    pub fn today_point(&self) -> &[f64] {
        &self.today_point
    }

    /// The point of shares by size, as far as bounds allow.
    pub fn size_point(&self) -> &[f64] {
        &self.size_point
    }

    /// The point of equal shares, as far as bounds allow.
    pub fn uniform_point(&self) -> Vec<f64> {
        let mut point: Vec<f64> = self.simplexes.iter().flat_map(Simplex::uniform).collect();
        self.admit(&mut point);
        point
    }

    /// The mixture of a point: shares of cells that sum to 1.
    pub fn weights(&self, point: &[f64]) -> Vec<f64> {
        self.map.weights(point)
    }

    /// How far the mixtures of two points are apart: total variation, 0 to 1.
    pub fn distance(&self, a: &[f64], b: &[f64]) -> f64 {
        distance(&self.weights(a), &self.weights(b))
    }

    /// Calls `each` with every simplex and its part of a point.
    fn split<'a>(&'a self, point: &'a [f64]) -> impl Iterator<Item = (&'a Simplex, &'a [f64])> {
        let mut at = 0;
        self.simplexes.iter().map(move |simplex| {
            at += simplex.len();
            (simplex, &point[at - simplex.len()..at])
        })
    }

    /// The shares of levels in the mixture of a point, in the order of the point: what bounds are of. They are the point,
    /// but for products of a grid that lacks cells.
    pub fn shares(&self, point: &[f64]) -> Vec<f64> {
        self.map.shares(&self.weights(point))
    }

    /// Moves a point to a near one that keeps all bounds; one that keeps them stays.
    pub fn admit(&self, point: &mut [f64]) {
        if let Some(limits) = &self.limits {
            self.repair(point, limits);
            return;
        }
        let mut at = 0;
        for simplex in &self.simplexes {
            simplex.project(&mut point[at..at + simplex.len()]);
            at += simplex.len();
        }
    }

    /// A Dirichlet draw around `mean` in every simplex, of a strength times the number of shares, that keeps all bounds.
    pub(crate) fn draw(&self, mean: &[f64], strength: f64, chance: &mut Chance) -> Vec<f64> {
        let parts = self.split(mean);
        let mut point: Vec<f64> = parts
            .flat_map(|(simplex, mean)| {
                let strength = strength * simplex.len() as f64;
                match self.limits {
                    // Bounds are not of factors.
                    Some(_) => chance.dirichlet(mean, strength),
                    None => simplex.draw(mean, strength, chance),
                }
            })
            .collect();
        self.admit(&mut point);
        point
    }

    /// The point of a mixture that somebody wrote down, within [bounds](Self::check_bounds) or not.
    ///
    /// # Errors
    /// When it has another number of shares, a share that is none, a sum other than 1, or no point of this space has it.
    pub fn point_of(&self, weights: &[f64]) -> Result<Vec<f64>, SpaceError> {
        if weights.len() != self.cells.len() {
            return Err(SpaceError::Length {
                space: self.name.clone(),
                found: weights.len(),
                expected: self.cells.len(),
            });
        }
        for (level, &share) in self.cells.iter().zip(weights) {
            if !(share.is_finite() && share >= 0.0) {
                let level = level.clone();
                return Err(SpaceError::Share { level, share });
            }
        }
        let sum: f64 = weights.iter().sum();
        if (sum - 1.0).abs() > TOLERANCE {
            return Err(SpaceError::Sum { sum });
        }
        let weights: Vec<f64> = weights.iter().map(|weight| weight / sum).collect();
        let point = self.map.point(&weights);
        self.check_same(&weights, &self.weights(&point))?;
        Ok(point)
    }

    fn check_same(&self, weights: &[f64], nearest: &[f64]) -> Result<(), SpaceError> {
        let off = |i: &usize| (weights[*i] - nearest[*i]).abs();
        let worst = (0..weights.len()).max_by(|a, b| off(a).total_cmp(&off(b)));
        match worst {
            Some(i) if off(&i) > TOLERANCE => Err(SpaceError::NotOfSpace {
                space: self.name.clone(),
                level: self.cells[i].clone(),
                expected: nearest[i],
                found: weights[i],
            }),
            _ => Ok(()),
        }
    }

    /// Refuses a point whose mixture does not keep the bounds.
    ///
    /// # Errors
    /// When it has a share of a level, or of a cell, that is out of bounds.
    pub fn check_bounds(&self, point: &[f64]) -> Result<(), SpaceError> {
        for (simplex, shares) in self.split(&self.shares(point)) {
            if let Some(i) = simplex.beyond(shares, TOLERANCE) {
                return Err(SpaceError::OutOfBounds {
                    axis: simplex.axis.as_str(),
                    level: simplex.levels[i].clone(),
                    share: shares[i],
                    min: simplex.min[i],
                    max: simplex.max[i],
                });
            }
        }
        if let Some(Limits { most, .. }) = &self.limits {
            let weights = self.weights(point);
            let (_, i) = excess(&weights, most);
            if weights[i] > most[i] + TOLERANCE {
                return Err(SpaceError::OutOfBounds {
                    axis: Axis::Cell.as_str(),
                    level: self.cells[i].clone(),
                    share: weights[i],
                    min: 0.0,
                    max: most[i],
                });
            }
        }
        Ok(())
    }

    /// Shares by name in the order of the cells.
    ///
    /// # Errors
    /// When a name is no cell's, or a cell has none.
    pub fn in_order<'a>(
        &self,
        shares: impl IntoIterator<Item = (&'a str, f64)>,
    ) -> Result<Vec<f64>, SpaceError> {
        let mut weights = vec![None; self.cells.len()];
        for (name, share) in shares {
            let Some(i) = self.cells.iter().position(|cell| cell == name) else {
                return Err(SpaceError::UnknownCell {
                    name: name.to_owned(),
                    nearest: nearest(name, self.cells.iter().map(String::as_str)),
                });
            };
            weights[i] = Some(share);
        }
        let pairs = self.cells.iter().zip(weights);
        pairs
            .map(|(name, weight)| {
                weight.ok_or_else(|| SpaceError::MissingCell { name: name.clone() })
            })
            .collect()
    }
}

/// Total variation between two mixtures.
pub fn distance(a: &[f64], b: &[f64]) -> f64 {
    0.5 * a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>()
}

/// The largest factor by which a share is above the most it may be, and where.
fn excess(weights: &[f64], most: &[f64]) -> (f64, usize) {
    let ratio = |(i, (weight, most)): (usize, (&f64, &f64))| {
        let ratio = if *weight > 0.0 { weight / most } else { 0.0 };
        (ratio, i)
    };
    let ratios = weights.iter().zip(most).enumerate().map(ratio);
    ratios.fold((0.0, 0), |a, b| if b.0 > a.0 { b } else { a })
}

#[cfg(test)]
mod tests;
