//! The main table: a row per domain.

use super::context::{Context, heaviest};
use super::number::{count, decimal, interval as ends, percent, points};
use super::parts::{Section, details, note};
use super::table::{Cell, Column, Table};
use crate::modality::Modality;
use crate::report::compare::{interval, noise};
use crate::report::table::scored;

/// Rows of the main table; where there are more domains, it shows the heaviest, and the whole is to be unfolded.
const ROWS: usize = 100;
/// Rows that are shown then.
const HEAVIEST: usize = 40;

pub(super) fn section(context: &Context) -> Section {
    let k = context.k();
    let all: Vec<usize> = (0..k).collect();
    let caption = "Weights of the domains, in the order of the config";
    let mut body = if k <= ROWS {
        vec![table(context, caption, &all)]
    } else {
        let first = format!("The {HEAVIEST} heaviest of {} domains", count(k as u64));
        let heaviest = &heaviest(context.mixture)[..HEAVIEST];
        vec![
            table(context, &first, heaviest),
            details(
                "All domains, in the order of the config",
                [table(context, caption, &all)],
            ),
        ]
    };
    if context.human.is_none() {
        body.push(note(
            "There is nothing to compare with: not every domain has a human share.",
        ));
    } else if context.intervals {
        body.push(note(
            "Beyond noise: today’s share lies outside the interval of the weight, so that other samples of the same \
             datasets would hardly have given it.",
        ));
    }
    Section {
        id: "weights-table",
        title: "Weights",
        body,
    }
}

fn table(context: &Context, caption: &str, domains: &[usize]) -> super::markup::Tag {
    let modalities = scored(context.mixture);
    let number = |title: &str| Column::Number(title.to_owned());
    let mut columns = vec![Column::Words("Domain".to_owned()), number("Weight %")];
    if context.intervals {
        columns.push(number(&context.interval_name));
    }
    if context.human.is_some() {
        columns.extend([number("Human %"), number("Difference")]);
        if context.intervals {
            columns.push(Column::Words("Difference is".to_owned()));
        }
    }
    if context.uniform.is_some() {
        columns.push(number("Uniform %"));
    }
    if modalities.is_empty() {
        columns.push(Column::Words("Has".to_owned()));
    }
    columns.push(number("Rows"));
    columns.extend(
        modalities
            .iter()
            .map(|m| Column::Number(format!("{} score", capital(*m)))),
    );
    Table {
        caption: caption.to_owned(),
        columns,
        rows: domains
            .iter()
            .map(|&i| row(context, i, &modalities))
            .collect(),
    }
    .element()
}

fn row(context: &Context, index: usize, modalities: &[Modality]) -> Vec<Cell> {
    let domain = &context.mixture.domains[index];
    let mut row = vec![
        Cell::Name(domain.name.clone()),
        Cell::Number(percent(domain.weight)),
    ];
    if context.intervals {
        row.push(Cell::number(interval(domain).map(ends)));
    }
    if let Some(human) = context.human {
        row.push(Cell::Number(percent(human[index])));
        row.push(Cell::Number(points(domain.weight - human[index])));
        if context.intervals {
            row.push(Cell::Noise(noise(domain, human[index])));
        }
    }
    if let Some(uniform) = context.uniform {
        row.push(Cell::Number(percent(uniform[index])));
    }
    if modalities.is_empty() {
        let names: Vec<&str> = domain.modalities.iter().map(|m| m.name()).collect();
        row.push(Cell::Words(names.join(", ")));
    }
    row.push(Cell::Number(count(domain.size)));
    let score = |modality| domain.scores.get(modality).map(|score| decimal(*score, 4));
    row.extend(
        modalities
            .iter()
            .map(|modality| Cell::number(score(modality))),
    );
    row
}

/// The modality at the start of a heading.
pub(super) fn capital(modality: Modality) -> &'static str {
    match modality {
        Modality::Text => "Text",
        Modality::Image => "Image",
        Modality::Video => "Video",
    }
}
