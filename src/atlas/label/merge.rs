//! The grid of concept × task, with small cells joined to others.
//!
//! A cell with fewer samples than `min_cell` cannot be weighed: a mixture that gives it a share shows its few samples over
//! and over. Two rules, in this order:
//!
//! 1. A concept with fewer samples in all is joined, the smallest first, to the concept whose centre has the largest
//!    product with its own, task by task. The concept of samples without pictures has no centre: it is joined to none, and
//!    none to it.
//! 2. Within a concept the smallest cell, while it is too small, is joined to the concept's largest.

use std::collections::{BTreeMap, BTreeSet};

use super::gathered::Labelled;
use super::kmeans::Vectors;
use super::tasks::Rule;
use crate::atlas::cells::unique;
use crate::atlas::{Cell, CellDataset, Grid};

/// The concepts that samples were put into.
#[derive(Clone, Copy, Debug)]
pub struct Concepts<'a> {
    /// Their names; those with centres come first.
    pub names: &'a [String],
    /// Unit vectors, of fewer concepts than have names where some have none.
    pub centres: Vectors<'a>,
}

/// The cells, and where the samples are.
#[derive(Clone, Debug, PartialEq)]
pub struct Merged {
    /// The cells; their shares of today's mixture are yet to be filled in.
    pub grid: Grid,
    /// What was joined, in its order.
    pub joins: Vec<Join>,
    /// The cell of each concept and task that has samples, by their numbers before.
    cells: BTreeMap<(u32, usize), usize>,
    /// The task that each rule gives.
    tasks: Vec<usize>,
}

/// A part of the table that became part of another.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Join {
    /// The concept or cell that was too small.
    pub from: String,
    /// What it is part of now.
    pub into: String,
    /// Its samples.
    pub samples: u64,
}

impl Merged {
    /// The cell of a sample, by its concept and the rule that gave its task; `None` where no labelled sample has them.
    pub fn cell(&self, concept: u32, rule: u32) -> Option<&Cell> {
        let task = self.tasks.get(rule as usize)?;
        Some(&self.grid.cells[*self.cells.get(&(concept, *task))?])
    }
}

/// What a cell is called.
pub fn cell_name(concept: &str, task: &str) -> String {
    format!("{concept} × {task}")
}

/// Samples and tokens by dataset.
type Sizes = BTreeMap<usize, (u64, u64)>;

/// The table while it is made: by concept and task.
struct Table(BTreeMap<(u32, usize), Sizes>);

impl Table {
    fn samples(sizes: &Sizes) -> u64 {
        sizes.values().map(|(samples, _)| samples).sum()
    }

    fn of_concept(&self, concept: u32) -> impl Iterator<Item = (usize, u64)> {
        let cells = self.0.range((concept, 0)..=(concept, usize::MAX));
        cells.map(|((_, task), sizes)| (*task, Self::samples(sizes)))
    }

    fn join(&mut self, from: (u32, usize), into: (u32, usize)) {
        let sizes = self.0.remove(&from).unwrap_or_default();
        let to = self.0.entry(into).or_default();
        for (dataset, (samples, tokens)) in sizes {
            let sum = to.entry(dataset).or_default();
            sum.0 += samples;
            sum.1 += tokens;
        }
    }
}

/// Makes the grid of all labelled samples.
pub fn merge(
    labelled: &[Labelled],
    concepts: Concepts<'_>,
    rules: &[Rule],
    min_cell: u64,
) -> Merged {
    let mut names: Vec<&str> = Vec::new();
    let tasks: Vec<usize> = rules
        .iter()
        .map(|rule| {
            let known = names.iter().position(|name| *name == rule.task);
            known.unwrap_or_else(|| {
                names.push(&rule.task);
                names.len() - 1
            })
        })
        .collect();
    let mut table = Table(BTreeMap::new());
    for (dataset, labels) in labelled.iter().enumerate() {
        for ((concept, rule), tokens) in labels.concept.iter().zip(&labels.rule).zip(&labels.tokens)
        {
            let cell = table
                .0
                .entry((*concept, tasks[*rule as usize]))
                .or_default();
            let sizes = cell.entry(dataset).or_default();
            sizes.0 += 1;
            sizes.1 += u64::from(*tokens);
        }
    }
    // Where a cell is now; each step says where it goes from there.
    let mut at: BTreeMap<(u32, usize), (u32, usize)> =
        table.0.keys().map(|cell| (*cell, *cell)).collect();
    let mut joins = Vec::new();
    join_concepts(&mut table, &mut at, concepts, min_cell, &mut joins);
    let name =
        |(concept, task): (u32, usize)| cell_name(&concepts.names[concept as usize], names[task]);
    join_cells(&mut table, &mut at, name, min_cell, &mut joins);
    let place: BTreeMap<(u32, usize), usize> = table.0.keys().copied().zip(0..).collect();
    Merged {
        grid: grid(&table, concepts.names, &names, labelled),
        joins,
        cells: at
            .into_iter()
            .map(|(cell, now)| (cell, place[&now]))
            .collect(),
        tasks,
    }
}

fn join_concepts(
    table: &mut Table,
    at: &mut BTreeMap<(u32, usize), (u32, usize)>,
    concepts: Concepts<'_>,
    min_cell: u64,
    joins: &mut Vec<Join>,
) {
    loop {
        let mut sizes = BTreeMap::<u32, u64>::new();
        for ((concept, _), cell) in &table.0 {
            if (*concept as usize) < concepts.centres.len() {
                *sizes.entry(*concept).or_default() += Table::samples(cell);
            }
        }
        let smallest = sizes.iter().min_by_key(|(_, samples)| **samples);
        let Some((&from, &samples)) = smallest else {
            return;
        };
        if samples >= min_cell {
            return;
        }
        let product = |other: u32| -> f32 {
            let pair = [from, other].map(|concept| concepts.centres.get(concept as usize));
            pair[0].iter().zip(pair[1]).map(|(a, b)| a * b).sum()
        };
        let others = sizes.keys().copied().filter(|other| *other != from);
        // The first of several that are as near.
        let Some(into) = others
            .rev()
            .max_by(|a, b| product(*a).total_cmp(&product(*b)))
        else {
            return;
        };
        let cells: Vec<usize> = table.of_concept(from).map(|(task, _)| task).collect();
        for task in cells {
            table.join((from, task), (into, task));
        }
        for now in at.values_mut().filter(|now| now.0 == from) {
            now.0 = into;
        }
        joins.push(Join {
            from: concepts.names[from as usize].clone(),
            into: concepts.names[into as usize].clone(),
            samples,
        });
    }
}

fn join_cells(
    table: &mut Table,
    at: &mut BTreeMap<(u32, usize), (u32, usize)>,
    name: impl Fn((u32, usize)) -> String,
    min_cell: u64,
    joins: &mut Vec<Join>,
) {
    let mut concepts: Vec<u32> = table.0.keys().map(|(concept, _)| *concept).collect();
    concepts.dedup();
    for concept in concepts {
        loop {
            let cells: Vec<(usize, u64)> = table.of_concept(concept).collect();
            // Of cells of one size the later goes to the earlier.
            let smallest = cells.iter().rev().min_by_key(|(_, samples)| *samples);
            let largest = cells.iter().rev().max_by_key(|(_, samples)| *samples);
            let (Some(&(from, samples)), Some(&(into, _))) = (smallest, largest) else {
                break;
            };
            if samples >= min_cell || from == into {
                break;
            }
            let (from, into) = ((concept, from), (concept, into));
            table.join(from, into);
            for now in at.values_mut().filter(|now| **now == from) {
                *now = into;
            }
            joins.push(Join {
                from: name(from),
                into: name(into),
                samples,
            });
        }
    }
}

/// The grid of what is left; concepts and tasks without cells are not in it.
fn grid(table: &Table, concepts: &[String], tasks: &[&str], labelled: &[Labelled]) -> Grid {
    let mut used_concepts: Vec<u32> = table.0.keys().map(|(concept, _)| *concept).collect();
    used_concepts.dedup();
    let mut used_tasks: Vec<usize> = table.0.keys().map(|(_, task)| *task).collect();
    used_tasks.sort_unstable();
    used_tasks.dedup();
    let cell = |((concept, task), sizes): (&(u32, usize), &Sizes)| Cell {
        name: cell_name(&concepts[*concept as usize], tasks[*task]),
        concept: used_concepts.partition_point(|used| used < concept),
        task: used_tasks.partition_point(|used| used < task),
        today: 0.0,
        datasets: sizes
            .iter()
            .map(|(dataset, (samples, tokens))| CellDataset {
                name: labelled[*dataset].dataset.clone(),
                samples: *samples,
                tokens: *tokens,
            })
            .collect(),
    };
    let mut cells: Vec<Cell> = table.0.iter().map(cell).collect();
    // "a" × "b × c" and "a × b" × "c".
    let mut taken = BTreeSet::new();
    for cell in &mut cells {
        cell.name = unique(std::mem::take(&mut cell.name), &mut taken);
    }
    Grid {
        concepts: used_concepts
            .iter()
            .map(|concept| concepts[*concept as usize].clone())
            .collect(),
        tasks: used_tasks
            .iter()
            .map(|task| tasks[*task].to_owned())
            .collect(),
        cells,
    }
}

#[cfg(test)]
mod tests {
    use super::super::gathered::Label;
    use super::*;

    /// Samples of (concept, rule), so many each.
    fn labelled(counts: &[(u32, u32, u64)]) -> Labelled {
        let mut labels = Labelled::new("d", "f");
        for (concept, rule, count) in counts {
            for _ in 0..*count {
                let index = labels.len() as u64;
                labels.push(&Label {
                    index,
                    row: index,
                    id: "x",
                    concept: *concept,
                    rule: *rule,
                    tokens: 10,
                    similarity: 1.0,
                });
            }
        }
        labels
    }

    fn rules() -> Vec<Rule> {
        [("a", "vqa"), ("b", "ocr"), ("c", "vqa"), ("none", "other")]
            .map(|(name, task)| Rule {
                name: name.into(),
                task: task.into(),
            })
            .into()
    }

    const CENTRES: [f32; 6] = [1.0, 0.0, 0.8, 0.6, 0.0, 1.0];

    fn merged(labelled: &[Labelled], min_cell: u64) -> Merged {
        let names = ["chart", "table", "photo", "text only"].map(str::to_owned);
        let concepts = Concepts {
            names: &names,
            centres: Vectors::new(&CENTRES, 2),
        };
        merge(labelled, concepts, &rules(), min_cell)
    }

    fn sizes(merged: &Merged) -> Vec<(&str, u64)> {
        let cells = merged.grid.cells.iter();
        cells
            .map(|cell| (cell.name.as_str(), cell.samples()))
            .collect()
    }

    #[test]
    fn rules_of_one_task_share_its_cells() {
        let merged = merged(&[labelled(&[(0, 0, 3), (0, 2, 2), (3, 3, 1)])], 0);
        assert_eq!(
            sizes(&merged),
            [("chart × vqa", 5), ("text only × other", 1)]
        );
        assert_eq!(merged.grid.concepts, ["chart", "text only"]);
        assert_eq!(merged.grid.tasks, ["vqa", "other"]);
        assert_eq!(merged.grid.cells[1].concept, 1);
        assert_eq!(merged.grid.cells[0].tokens(), 50);
        assert_eq!(merged.cell(0, 2).unwrap().name, "chart × vqa");
        assert!(merged.cell(1, 0).is_none());
        assert!(merged.joins.is_empty());
    }

    #[test]
    fn small_concepts_go_to_the_nearest_and_small_cells_to_the_largest() {
        let data = [
            labelled(&[(0, 0, 20), (0, 1, 3), (1, 1, 4), (2, 0, 10), (2, 1, 10)]),
            labelled(&[(1, 0, 2), (3, 0, 2), (2, 3, 1)]),
        ];
        let merged = merged(&data, 8);
        // The table's six samples go to charts, nearer than photos; then charts have seven to be read, which is too few.
        assert_eq!(
            sizes(&merged),
            [
                ("chart × vqa", 29),
                ("photo × vqa", 11),
                ("photo × ocr", 10),
                ("text only × vqa", 2)
            ]
        );
        let joins: Vec<(&str, &str, u64)> = merged
            .joins
            .iter()
            .map(|join| (join.from.as_str(), join.into.as_str(), join.samples))
            .collect();
        assert_eq!(
            joins,
            [
                ("table", "chart", 6),
                ("chart × ocr", "chart × vqa", 7),
                ("photo × other", "photo × vqa", 1),
            ]
        );
        assert_eq!(merged.cell(1, 1).unwrap().name, "chart × vqa");
        assert_eq!(merged.cell(2, 3).unwrap().name, "photo × vqa");
        assert_eq!(merged.grid.cells[0].datasets.len(), 2);
        assert_eq!(merged.grid.concepts, ["chart", "photo", "text only"]);
    }

    #[test]
    fn cells_whose_names_meet_are_numbered() {
        let data = [labelled(&[(0, 0, 5), (1, 1, 4)])];
        let names = ["a", "a × b"].map(str::to_owned);
        let concepts = Concepts {
            names: &names,
            centres: Vectors::new(&CENTRES[..4], 2),
        };
        let rules = [("1", "b × c"), ("2", "c")].map(|(name, task)| Rule {
            name: name.into(),
            task: task.into(),
        });
        let mut merged = merge(&data, concepts, &rules, 0);
        merged.grid.set_today(|_| 1.0);
        merged.grid.check().unwrap();
        assert_eq!(sizes(&merged), [("a × b × c", 5), ("a × b × c (2)", 4)]);
        assert_eq!(merged.cell(1, 1).unwrap().name, "a × b × c (2)");
    }

    #[test]
    fn no_sample_is_lost_however_few_there_are() {
        let data = [labelled(&[(0, 0, 1), (1, 1, 1), (2, 3, 1), (3, 1, 1)])];
        let merged = merged(&data, 1000);
        let total: u64 = merged.grid.cells.iter().map(Cell::samples).sum();
        assert_eq!(total, 4);
        assert_eq!(merged.grid.cells.len(), 2);
    }
}
