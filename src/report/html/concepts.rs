//! The concepts with the pictures that are nearest to their centres, as one page.

use super::markup::{Tag, tag};
use super::number::{count, counted, decimal, percent};
use super::page::{Head, document};
use super::parts::{Section, note, paragraph, scroll};
use super::table::{Cell, Column, Table};
use crate::atlas::label::{NamedBy, Summary};

/// A sample on the contact sheet.
#[derive(Clone, Debug)]
pub(crate) struct Nearest {
    /// Its dataset.
    pub(crate) dataset: String,
    /// Its id.
    pub(crate) id: String,
    /// The product with the centre.
    pub(crate) similarity: f32,
    /// The picture as a data URI; `None` where it cannot be shown.
    pub(crate) picture: Option<String>,
}

/// The page of a summary, with the nearest samples of each of its concepts, by name.
pub(crate) fn concepts_html(summary: &Summary, nearest: &[(String, Vec<Nearest>)]) -> String {
    let mut body = vec![table(summary)];
    body.push(note(match summary.named_by {
        NamedBy::Words => {
            "Concepts are named by the words whose vectors are nearest to their centres."
        }
        NamedBy::Conversations => {
            "Concepts are named by the words that their conversations have and others have not."
        }
    }));
    let mut sections = vec![Section {
        id: "cells",
        title: "Cells",
        body,
    }];
    let sheets = nearest.iter().flat_map(|(concept, samples)| {
        let concepts = summary.concepts.iter();
        let samples_of = concepts
            .filter(|one| one.name == *concept)
            .map(|one| one.samples);
        sheet(concept, samples_of.sum(), samples)
    });
    sections.push(Section {
        id: "concepts",
        title: "The nearest pictures of each concept",
        body: sheets.collect(),
    });
    let samples = counted(summary.samples, "sample", "samples");
    let cells = counted(summary.cells.len() as u64, "cell", "cells");
    let header = paragraph(&format!(
        "{samples} of {} positions in the model, in {cells}.",
        count(summary.tokens)
    ));
    let head = Head {
        title: "Concepts and tasks – madmix".to_owned(),
        heading: "Concepts and tasks".to_owned(),
        summary: vec![header],
        madmix: env!("CARGO_PKG_VERSION").to_owned(),
    };
    document(head, sections).to_string()
}

fn table(summary: &Summary) -> Tag {
    let number = |title: &str| Column::Number(title.to_owned());
    let mut columns = vec![
        Column::Words("Cell".to_owned()),
        number("Samples"),
        number("Tokens"),
        number("Today %"),
    ];
    if summary.budget.is_some() {
        columns.extend([number("Epochs today"), number("Epochs uniform")]);
    }
    let row = |cell: &crate::atlas::label::CellSummary| {
        let mut cells = vec![
            Cell::Name(cell.name.clone()),
            Cell::Number(count(cell.samples)),
            Cell::Number(count(cell.tokens)),
            Cell::Number(percent(cell.today)),
        ];
        let epochs = [cell.epochs_today, cell.epochs_uniform];
        cells.extend(
            epochs
                .into_iter()
                .flatten()
                .map(|e| Cell::Number(decimal(e, 2))),
        );
        cells
    };
    Table {
        caption: "Cells of concept × task, small ones joined to others".to_owned(),
        columns,
        rows: summary.cells.iter().map(row).collect(),
    }
    .element()
}

fn sheet(concept: &str, samples: u64, nearest: &[Nearest]) -> Vec<Tag> {
    let heading = tag("h3").text(concept);
    let size = note(&counted(samples, "sample", "samples"));
    let picture = |sample: &Nearest| {
        let label = format!(
            "{}, {}: {}",
            sample.dataset,
            sample.id,
            decimal(f64::from(sample.similarity), 3)
        );
        sample.picture.as_ref().map(|uri| {
            tag("img")
                .set("src", uri)
                .set("alt", &label)
                .set("title", &label)
                .set("class", "thumbnail")
        })
    };
    let row = tag("div")
        .set("class", "contact-sheet")
        .extend(nearest.iter().filter_map(picture));
    vec![heading, size, scroll(concept, row)]
}
