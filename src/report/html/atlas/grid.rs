//! The mixture over concepts and tasks, beside today's.

use crate::atlas::Cell;
use crate::atlas::analysis::Analysis;
use crate::report::html::markup::Tag;
use crate::report::html::number::{count, decimal, percent, points};
use crate::report::html::parts::{Section, details, figure, note, scroll};
use crate::report::html::svg::About;
use crate::report::html::svg::heat::{self, Shade, map};
use crate::report::html::table::{self, Column, Table};

pub(super) fn section(analysis: &Analysis) -> Section {
    let weights = &analysis.best.weights;
    let most = weights.iter().copied().fold(1e-9, f64::max);
    let share = drawn(
        analysis,
        "mixture-map",
        "Share of training samples in %",
        'q',
        |i, _| (weights[i] / most, percent(weights[i])),
    );
    let difference = |i: usize, cell: &Cell| weights[i] - cell.today;
    let widest = analysis.grid.cells.iter().enumerate();
    let widest = widest
        .map(|(i, cell)| difference(i, cell).abs())
        .fold(1e-9, f64::max);
    let against = drawn(
        analysis,
        "difference-map",
        "Against today’s mixture, in percentage points",
        'd',
        |i, cell| {
            let difference = difference(i, cell);
            (0.5 + 0.5 * difference / widest, points(difference))
        },
    );
    Section {
        id: "mixture",
        title: "The mixture",
        body: vec![
            note(
                "Rows are concepts, columns tasks. Hatched: there are no samples, or too few, so that they were joined to \
                 another cell.",
            ),
            share,
            against,
            details("The cells as a table", [cells(analysis)]),
        ],
    }
}

fn drawn(
    analysis: &Analysis,
    id: &str,
    title: &str,
    palette: char,
    value: impl Fn(usize, &Cell) -> (f64, String),
) -> Tag {
    let grid = &analysis.grid;
    let names = |names: &[String]| -> Vec<String> { names.to_vec() };
    let (concepts, tasks) = (names(&grid.concepts), names(&grid.tasks));
    let concepts: Vec<&str> = concepts.iter().map(String::as_str).collect();
    let tasks: Vec<&str> = tasks.iter().map(String::as_str).collect();
    let cell = |row: usize, column: usize| {
        let mut found = grid.cells.iter().enumerate();
        let found = found.find(|(_, cell)| (cell.concept, cell.task) == (row, column));
        let Some((i, cell)) = found else {
            return heat::Cell {
                shade: Shade::Absent,
                lines: Vec::new(),
                title: format!("{} × {}: no cell", concepts[row], tasks[column]),
            };
        };
        let (shade, text) = value(i, cell);
        heat::Cell {
            shade: Shade::Between(shade),
            title: format!("{}: {text}, {} samples", cell.name, count(cell.samples())),
            lines: vec![text],
        }
    };
    let about = About {
        id,
        title,
        description: "A cell for each concept and task; the numbers are in the table below.",
    };
    let drawing = map(&about, [&concepts, &tasks], palette, cell);
    figure(title, None, scroll(title, drawing))
}

fn cells(analysis: &Analysis) -> Tag {
    let number = |title: &str| Column::Number(title.to_owned());
    let row = |(cell, weight): (&Cell, &f64)| {
        let samples = cell.samples();
        let tokens = cell.tokens() as f64 / samples.max(1) as f64;
        vec![
            table::Cell::Name(cell.name.clone()),
            table::Cell::Number(percent(*weight)),
            table::Cell::Number(percent(cell.today)),
            table::Cell::Number(points(weight - cell.today)),
            table::Cell::Number(count(samples)),
            table::Cell::Number(decimal(tokens, 0)),
        ]
    };
    let cells = analysis.grid.cells.iter().zip(&analysis.best.weights);
    Table {
        caption: "Cells, by concept and task".to_owned(),
        columns: vec![
            Column::Words("Cell".to_owned()),
            number("Weight %"),
            number("Today %"),
            number("Difference"),
            number("Samples"),
            number("Tokens of a sample"),
        ],
        rows: cells.map(row).collect(),
    }
    .element()
}
