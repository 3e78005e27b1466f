//! Spaces of a grid, with the bounds of a config.

use std::collections::BTreeSet;

use super::limits::{Limits, ROUNDING};
use super::map::sums;
use super::{Axis, Map, Simplex, Space, SpaceError, excess};
use crate::atlas::{Cell, Grid};
use crate::config::{Bound, Search, SpaceName};
use crate::export::nearest;

/// Steps that even out how far cells are above their epochs.
const STEPS: usize = 2000;
/// How far below their epochs all cells should come.
const SLACK: f64 = 0.999;
/// How near to its bounds a share of a level should come.
const ANCHORED: f64 = 1e-10;

/// The cells of a grid by the levels that have any.
struct Axes {
    cells: Vec<String>,
    concepts: Vec<String>,
    tasks: Vec<String>,
    /// Of each cell.
    concept: Vec<usize>,
    task: Vec<usize>,
    today: Vec<f64>,
    size: Vec<f64>,
    /// The largest share of each cell by its epochs.
    caps: Option<Vec<f64>>,
}

impl Space {
    /// What a config searches, one space after the other: one, but for [`SpaceName::Sequential`], which is the concepts and
    /// then the tasks.
    ///
    /// # Errors
    /// When the grid is empty, a bound is of something unknown, or no mixture keeps all bounds.
    pub fn searched(grid: &Grid, search: &Search) -> Result<Vec<Self>, SpaceError> {
        let axes = Axes::new(grid, search)?;
        let spaces = match search.space {
            SpaceName::Concept => vec![axes.concept()],
            SpaceName::Task => vec![axes.task()],
            SpaceName::Sequential => {
                // Where the answer will lie.
                finished(vec![axes.product()], &axes, search)?;
                vec![axes.concept(), axes.task()]
            }
            SpaceName::Product => vec![axes.product()],
            SpaceName::Joint => vec![axes.joint()],
        };
        finished(spaces, &axes, search)
    }

    /// The space of products, where the answer of a sequential search lies.
    ///
    /// # Errors
    /// As [`Space::searched`].
    pub fn product(grid: &Grid, search: &Search) -> Result<Self, SpaceError> {
        let search = Search {
            space: SpaceName::Product,
            ..search.clone()
        };
        Ok(Self::searched(grid, &search)?.swap_remove(0))
    }

    /// Shares of plain names without bounds, of which today's are equal.
    ///
    /// # Errors
    /// When there are no names.
    pub fn plain(names: Vec<String>) -> Result<Self, SpaceError> {
        if names.is_empty() {
            return Err(SpaceError::Empty);
        }
        let even = vec![1.0 / names.len() as f64; names.len()];
        Ok(Self {
            name: "table".into(),
            simplexes: vec![Simplex::free(Axis::Cell, names.clone())],
            map: Map::Cells,
            cells: names,
            limits: None,
            today: even.clone(),
            today_point: even.clone(),
            size_point: even,
        })
    }
}

impl Axes {
    fn new(grid: &Grid, search: &Search) -> Result<Self, SpaceError> {
        let cells = &grid.cells;
        if cells.is_empty() {
            return Err(SpaceError::Empty);
        }
        let mut names = BTreeSet::new();
        for cell in cells {
            if cell.concept >= grid.concepts.len() || cell.task >= grid.tasks.len() {
                let problem = format!(
                    "cell \"{}\" is of a concept or task that is not listed",
                    cell.name
                );
                return Err(SpaceError::Grid(problem));
            }
            if !names.insert(&cell.name) {
                return Err(SpaceError::Grid(format!(
                    "two cells are named \"{}\"",
                    cell.name
                )));
            }
            if !(cell.today.is_finite() && cell.today >= 0.0) {
                return Err(SpaceError::Grid(format!(
                    "today's share of cell \"{}\" is {}",
                    cell.name, cell.today
                )));
            }
        }
        let total: u64 = cells.iter().map(Cell::samples).sum();
        let today: f64 = cells.iter().map(|cell| cell.today).sum();
        if total == 0 || (today - 1.0).abs() > 1e-6 {
            let problem = format!("it has {total} samples, and today's shares sum to {today}");
            return Err(SpaceError::Grid(problem));
        }
        // A level whose cells were all joined to others has no share to give.
        let used = |of: &dyn Fn(usize) -> usize, names: &[String]| -> (Vec<String>, Vec<usize>) {
            let levels: Vec<usize> = (0..names.len())
                .filter(|level| (0..cells.len()).any(|i| of(i) == *level))
                .collect();
            let place = |i| levels.partition_point(|level| *level < of(i));
            (
                levels.iter().map(|&level| names[level].clone()).collect(),
                (0..cells.len()).map(place).collect(),
            )
        };
        let (concepts, concept) = used(&|i| cells[i].concept, &grid.concepts);
        let (tasks, task) = used(&|i| cells[i].task, &grid.tasks);
        let caps = search
            .max_epochs
            .zip(search.budget)
            .map(|(epochs, budget)| {
                let most = |samples: u64| epochs * samples as f64 / budget.max(1) as f64;
                cells.iter().map(|cell| most(cell.samples())).collect()
            });
        Ok(Self {
            cells: cells.iter().map(|cell| cell.name.clone()).collect(),
            concepts,
            tasks,
            concept,
            task,
            today: cells.iter().map(|cell| cell.today / today).collect(),
            size: cells
                .iter()
                .map(|cell| cell.samples() as f64 / total as f64)
                .collect(),
            caps,
        })
    }

    /// A space whose bounds are yet to be set.
    fn space(&self, name: &str, simplexes: Vec<Simplex>, map: Map) -> Space {
        Space {
            name: name.into(),
            simplexes,
            map,
            cells: self.cells.clone(),
            limits: None,
            today: self.today.clone(),
            today_point: Vec::new(),
            size_point: Vec::new(),
        }
    }

    fn within(&self, name: &str, axis: Axis, levels: &[String], level: &[usize]) -> Space {
        let ones = vec![1.0; level.len()];
        let count = sums(&ones, level, levels.len());
        let mut simplex = Simplex::free(axis, levels.to_vec());
        if let Some(caps) = &self.caps {
            // A level is divided evenly, so that its smallest cell binds.
            for (&level, cap) in level.iter().zip(caps) {
                simplex.max[level] = simplex.max[level].min(cap * count[level]);
            }
        }
        let map = Map::Within {
            level: level.to_vec(),
            count,
        };
        self.space(name, vec![simplex], map)
    }

    fn concept(&self) -> Space {
        self.within("concept", Axis::Concept, &self.concepts, &self.concept)
    }

    fn task(&self) -> Space {
        self.within("task", Axis::Task, &self.tasks, &self.task)
    }

    fn product(&self) -> Space {
        let map = Map::Product {
            concept: self.concept.clone(),
            task: self.task.clone(),
            concepts: self.concepts.len(),
            tasks: self.tasks.len(),
        };
        let concepts = Simplex::free(Axis::Concept, self.concepts.clone());
        let tasks = Simplex::free(Axis::Task, self.tasks.clone());
        self.space("product", vec![concepts, tasks], map)
    }

    fn joint(&self) -> Space {
        let mut simplex = Simplex::free(Axis::Cell, self.cells.clone());
        if let Some(caps) = &self.caps {
            for (max, cap) in simplex.max.iter_mut().zip(caps) {
                *max = max.min(*cap);
            }
        }
        self.space("joint", vec![simplex], Map::Cells)
    }
}

/// Sets the bounds of a config, and what rests on them.
fn finished(
    mut spaces: Vec<Space>,
    axes: &Axes,
    search: &Search,
) -> Result<Vec<Space>, SpaceError> {
    for bound in &search.bounds {
        set(&mut spaces, bound)?;
    }
    for space in &mut spaces {
        space.simplexes.iter().try_for_each(Simplex::check)?;
        if space.is_limited(axes.caps.is_some()) {
            let free = vec![f64::INFINITY; axes.cells.len()];
            let most = axes.caps.clone().unwrap_or(free);
            let anchor = anchor(space, axes, &most)?;
            space.limits = Some(Limits { most, anchor });
        }
        let nearest = |weights: &[f64]| {
            let mut point = space.map.point(weights);
            space.admit(&mut point);
            point
        };
        let (today, size) = (nearest(&axes.today), nearest(&axes.size));
        space.today_point = today;
        space.size_point = size;
    }
    Ok(spaces)
}

fn set(spaces: &mut [Space], bound: &Bound) -> Result<(), SpaceError> {
    let mut found = Vec::new();
    for (s, space) in spaces.iter().enumerate() {
        for (x, simplex) in space.simplexes.iter().enumerate() {
            let level = simplex.levels.iter().position(|level| *level == bound.of);
            found.extend(level.map(|level| (s, x, level)));
        }
    }
    match found[..] {
        [(s, x, level)] => {
            let simplex = &mut spaces[s].simplexes[x];
            simplex.min[level] = simplex.min[level].max(bound.min);
            simplex.max[level] = simplex.max[level].min(bound.max);
            Ok(())
        }
        [] => {
            let simplexes = || spaces.iter().flat_map(|space| &space.simplexes);
            let axes: Vec<&str> = simplexes().map(|simplex| simplex.axis.as_str()).collect();
            let known = simplexes().flat_map(|simplex| &simplex.levels);
            let names: Vec<&str> = spaces.iter().map(Space::name).collect();
            Err(SpaceError::UnknownLevel {
                name: bound.of.clone(),
                space: names.join(" and "),
                axes: axes.join(" or "),
                nearest: nearest(&bound.of, known.map(String::as_str)),
            })
        }
        _ => Err(SpaceError::Ambiguous {
            name: bound.of.clone(),
        }),
    }
}

/// A point of a product space that keeps its bounds and gives no cell more than it may have. There is no closed form: the
/// levels of the cell that is over by most give way until all are even, and shares are scaled into their bounds.
fn anchor(space: &Space, axes: &Axes, most: &[f64]) -> Result<Vec<f64>, SpaceError> {
    let capped = most.iter().any(|most| most.is_finite());
    let mut point = space.map.point(&axes.size);
    for (share, even) in point
        .iter_mut()
        .zip(space.simplexes.iter().flat_map(|simplex| {
            let d = simplex.len();
            vec![1.0 / d as f64; d]
        }))
    {
        // A share of 0 could not be scaled.
        *share = 0.95 * *share + 0.05 * even;
    }
    space.scale(&mut point);
    let mut best = (f64::MAX, point.clone());
    for step in 0..STEPS {
        let weights = space.weights(&point);
        let (over, outside) = (excess(&weights, most).0, space.outside(&weights));
        let worst = over.max(if outside <= ANCHORED {
            0.0
        } else {
            1.0 + outside
        });
        if worst < best.0 {
            best = (worst, point.clone());
        }
        if worst <= SLACK {
            break;
        }
        if capped && over > SLACK {
            even_out(&mut point, step, (&weights, most), axes);
        }
        space.scale(&mut point);
    }
    let (_, point) = best;
    let weights = space.weights(&point);
    let (over, cell) = excess(&weights, most);
    if over > 1.0 + ROUNDING {
        let cell = axes.cells[cell].clone();
        return Err(SpaceError::Caps { cell, over });
    }
    space
        .check_bounds(&point)
        .map_err(|error| SpaceError::Bounds(Box::new(error)))?;
    Ok(point)
}

/// Takes from the levels of cells that are over what they may have, and gives to the others.
fn even_out(point: &mut [f64], step: usize, (weights, most): (&[f64], &[f64]), axes: &Axes) {
    // Steps shrink, so that it does not go back and forth between two cells for ever.
    let power = -0.5 / (1.0 + step as f64 / 50.0);
    let mut factors = vec![0.0_f64; point.len()];
    for (i, (weight, most)) in weights.iter().zip(most).enumerate() {
        let ratio = (weight / most).max(1e-6);
        for level in [axes.concept[i], axes.concepts.len() + axes.task[i]] {
            factors[level] = factors[level].max(ratio);
        }
    }
    for (share, factor) in point.iter_mut().zip(factors) {
        *share *= factor.powf(power);
    }
}
