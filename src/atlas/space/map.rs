//! From the shares that are searched to the shares of cells, and back.

/// How the shares of cells come of a point. Every list runs over the cells.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Map {
    /// They are the point.
    Cells,
    /// A level's share is divided evenly among its cells that exist, as in the paper.
    Within {
        /// The level of each cell.
        level: Vec<usize>,
        /// How many cells each *level* has.
        count: Vec<f64>,
    },
    /// The product of a concept's share and a task's, renormalised over the cells that exist.
    Product {
        /// The concept of each cell.
        concept: Vec<usize>,
        /// The task of each cell.
        task: Vec<usize>,
        /// How many concepts there are, whose shares come first in a point.
        concepts: usize,
        /// How many tasks.
        tasks: usize,
    },
}

/// Rounds of proportional fitting; it converges geometrically.
const ROUNDS: usize = 500;

impl Map {
    /// The shares of cells.
    pub(super) fn weights(&self, point: &[f64]) -> Vec<f64> {
        let mut weights = match self {
            Self::Cells => point.to_vec(),
            Self::Within { level, count } => level
                .iter()
                .map(|&level| point[level] / count[level])
                .collect(),
            Self::Product {
                concept,
                task,
                concepts,
                ..
            } => {
                let (p, q) = point.split_at(*concepts);
                let product = |floor: f64| -> Vec<f64> {
                    let pairs = concept.iter().zip(task);
                    pairs
                        .map(|(&c, &t)| (p[c] + floor) * (q[t] + floor))
                        .collect()
                };
                let weights = product(0.0);
                if weights.iter().sum::<f64>() > 0.0 {
                    weights
                } else {
                    // Concepts and tasks that share no cell: the limit from within, cells that have one of the two.
                    product(1e-9)
                }
            }
        };
        let sum: f64 = weights.iter().sum();
        for weight in &mut weights {
            *weight /= sum;
        }
        weights
    }

    /// The shares of levels in a mixture, in the order of a point: where cells are missing, not the factors of a product.
    pub(super) fn shares(&self, weights: &[f64]) -> Vec<f64> {
        match self {
            Self::Cells => weights.to_vec(),
            Self::Within { level, count } => sums(weights, level, count.len()),
            Self::Product {
                concept,
                task,
                concepts,
                tasks,
            } => {
                let mut shares = sums(weights, concept, *concepts);
                shares.extend(sums(weights, task, *tasks));
                shares
            }
        }
    }

    /// The point whose mixture has the same shares of levels: the very point, where `weights` come of one.
    pub(super) fn point(&self, weights: &[f64]) -> Vec<f64> {
        let mut point = self.shares(weights);
        if let Self::Product {
            concept,
            task,
            concepts,
            ..
        } = self
        {
            let shares = point.clone();
            let (rows, columns) = shares.split_at(*concepts);
            let (p, q) = point.split_at_mut(*concepts);
            for _ in 0..ROUNDS {
                fit(p, q, (concept, task), rows);
                fit(q, p, (task, concept), columns);
            }
            normalise(p);
            normalise(q);
        }
        point
    }
}

/// Iterative proportional fitting's half step: scales `p` so that the sums of the products are `target`.
fn fit(p: &mut [f64], q: &[f64], (own, other): (&[usize], &[usize]), target: &[f64]) {
    let mut found = vec![0.0; p.len()];
    for (&i, &j) in own.iter().zip(other) {
        found[i] += p[i] * q[j];
    }
    for ((p, found), target) in p.iter_mut().zip(found).zip(target) {
        if found > 0.0 {
            *p *= target / found;
        }
    }
}

/// The shares of levels in the shares of cells.
pub(super) fn sums(weights: &[f64], level: &[usize], levels: usize) -> Vec<f64> {
    let mut sums = vec![0.0; levels];
    for (weight, &level) in weights.iter().zip(level) {
        sums[level] += weight;
    }
    sums
}

fn normalise(shares: &mut [f64]) {
    let sum: f64 = shares.iter().sum();
    if sum > 0.0 {
        for share in shares {
            *share /= sum;
        }
    }
}
