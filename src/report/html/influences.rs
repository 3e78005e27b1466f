//! What moves the weights.

use super::context::Context;
use super::markup::Tag;
use super::number::points;
use super::parts::{Section, note};
use super::table::{Cell, Column, Table};
use crate::report::compare::{Shift, influences, layers};

/// Rows before the rest is folded.
const FIRST: usize = 20;

pub(super) fn section(context: &Context) -> Result<Section, String> {
    let left_out = |reason: &str| Err(format!("What moves the weights: {reason}"));
    let Some(analysis) = context.analysis else {
        return left_out("the analysis was not made.");
    };
    let mixture = context.mixture;
    let lists = [
        (
            "Without one dataset",
            "Without",
            influences(mixture, &analysis.without_dataset),
        ),
        (
            "Without one modality",
            "Without",
            influences(mixture, &analysis.without_modality),
        ),
        (
            "With another layer",
            "Layer",
            layers(mixture, &analysis.layers),
        ),
    ];
    let tables: Vec<Tag> = lists
        .into_iter()
        .filter(|(_, _, shifts)| !shifts.is_empty())
        .flat_map(|(caption, title, shifts)| table(context, caption, title, &shifts))
        .collect();
    if tables.is_empty() {
        return left_out("there is nothing that could be left out.");
    }
    let noise = if context.intervals {
        " It is within noise where that domain’s new weight stays in its interval: other samples might have done as \
         much. The last column counts all domains that leave their intervals."
    } else {
        ""
    };
    let explanation = format!(
        "Each row is the mixture made anew with one thing left out or changed: the domain whose weight moves most, and by how \
         many percentage points.{noise}"
    );
    let mut body = vec![note(&explanation)];
    body.extend(tables);
    Ok(Section {
        id: "influences",
        title: "What moves the weights",
        body,
    })
}

fn table(context: &Context, caption: &str, title: &str, shifts: &[Shift]) -> Vec<Tag> {
    let words = |title: &str| Column::Words(title.to_owned());
    let number = |title: &str| Column::Number(title.to_owned());
    let mut columns = vec![words(title), words("Domain moved most"), number("Points")];
    if context.intervals {
        columns.extend([words("That is"), number("Domains beyond")]);
    }
    let table = Table {
        caption: caption.to_owned(),
        columns,
        rows: shifts.iter().map(|shift| row(context, shift)).collect(),
    };
    table.folded(FIRST)
}

fn row(context: &Context, shift: &Shift) -> Vec<Cell> {
    let mixture = context.mixture;
    let mut row = vec![Cell::Name(shift.name.to_owned())];
    let noise = if shift.in_use {
        row.extend([Cell::Words("in use".to_owned()), Cell::number(None)]);
        [Cell::Noise(None), Cell::number(None)]
    } else if let Some(found) = shift.largest {
        row.push(Cell::OtherName(mixture.domains[found.domain].name.clone()));
        row.push(Cell::Number(points(found.difference)));
        let beyond = format!("{} of {}", found.beyond, context.k());
        [Cell::Noise(found.noise), Cell::Number(beyond)]
    } else {
        row.push(Cell::Words("no weights can be found then".to_owned()));
        row.push(Cell::number(None));
        [Cell::Noise(None), Cell::number(None)]
    };
    if context.intervals {
        row.extend(noise);
    }
    row
}
