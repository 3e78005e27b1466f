//! What the ridge lets through.

use super::context::{Context, FIGURE};
use super::lambda::tick;
use super::number::{count, decimal, parameter, significant};
use super::parts::{Section, Sign, details, figure, legend, note, scroll};
use super::svg::About;
use super::svg::spectrum::chart;
use super::table::{Cell, Column, Table};
use crate::mix::SpectrumLine;

pub(super) fn section(context: &Context) -> Result<Section, String> {
    let left_out = |reason: &str| Err(format!("Spectrum: {reason}"));
    let Some(analysis) = context.analysis else {
        return left_out("the analysis was not made.");
    };
    let all = &analysis.spectrum;
    let lines = &all[..all.len().min(FIGURE)];
    let about = About {
        id: "spectrum-lines",
        title: "Spectrum of the coupled kernel",
        description: "A dot per direction at its eigenvalue; below, how much of it the scores keep, and its share of δ.",
    };
    let used = context.mixture.lambda;
    let ridge = used.map(|lambda| (lambda, format!("λ = {}", parameter(lambda))));
    let Some(drawing) = chart(&about, lines, ridge.as_ref(), tick) else {
        let method = &context.mixture.method;
        return left_out(&format!(
            "the method {method} has no λ, or the kernel is 0."
        ));
    };
    let signs = legend([
        (Sign::Box("filter"), "σ / (σ + λ): what the scores keep"),
        (Sign::Box("delta"), "share of |δ|²"),
    ]);
    let mut body = vec![
        note(
            "The directions of the coupled kernel. Those with an eigenvalue σ far above λ enter the scores whole, those far \
             below hardly at all.",
        ),
        figure(
            "Eigenvalues, and what is kept of them",
            Some(signs),
            scroll("Spectrum", drawing),
        ),
    ];
    if lines.len() < all.len() {
        let all = count(all.len() as u64);
        body.push(note(&format!("These are the {FIGURE} largest of {all}.")));
    }
    body.push(details("The spectrum as a table", [table(lines).element()]));
    Ok(Section {
        id: "spectrum",
        title: "Spectrum",
        body,
    })
}

fn table(lines: &[SpectrumLine]) -> Table {
    let number = |title: &str| Column::Number(title.to_owned());
    let row = |(i, line): (usize, &SpectrumLine)| {
        vec![
            Cell::Key((i + 1).to_string()),
            Cell::Number(significant(line.eigenvalue)),
            Cell::Number(decimal(line.filter, 4)),
            Cell::Number(decimal(line.delta, 4)),
        ]
    };
    Table {
        caption: "Spectrum of the coupled kernel".to_owned(),
        columns: vec![
            number("Direction"),
            number("σ"),
            number("σ / (σ + λ)"),
            number("Share of |δ|²"),
        ],
        rows: lines.iter().enumerate().map(row).collect(),
    }
}
