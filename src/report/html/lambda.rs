//! The weights for other λ.

use super::context::Context;
use super::number::{decimal, parameter, percent};
use super::parts::{Section, Sign, details, figure, legend, note, scroll};
use super::svg::About;
use super::svg::lines::{Axes, Line, chart};
use super::table::{Cell, Column, Table};
use crate::mix::{LambdaPoint, MadMix};
use crate::report::compare::interval;

/// Domains that are columns of the table, and have their intervals drawn.
const COLUMNS: usize = 12;

pub(super) fn section(context: &Context) -> Result<Section, String> {
    let left_out = |reason: &str| Err(format!("Weights for other λ: {reason}"));
    let Some(analysis) = context.analysis else {
        return left_out("the analysis was not made.");
    };
    let k = context.k();
    let points = analysis
        .lambda_path
        .iter()
        .filter(|point| point.weights.len() == k);
    let points: Vec<&LambdaPoint> = points.collect();
    let Some(drawing) = draw(context, &points) else {
        let method = &context.mixture.method;
        return left_out(&format!("the method {method} has no λ, or none was tried."));
    };
    let mut signs = vec![(Sign::Dashes, "the λ in use")];
    if context.intervals && context.shown.len() <= COLUMNS {
        signs.push((
            Sign::Box("c0 swatch"),
            "thick strokes beside it: the intervals there",
        ));
    }
    let drawing = scroll("Weights for other λ", drawing);
    let mixture = context.mixture;
    let equal = if mixture.method == MadMix::NAME && mixture.settings.hold.is_empty() {
        "; with λ without end all weights are equal"
    } else {
        ""
    };
    let explanation = format!(
        "With a small λ every direction counts in which the domains differ, with a large one only the strongest{equal}. \
         Where the lines stay within the intervals, the choice of λ matters less than the draw of samples."
    );
    let mut body = vec![
        note(&explanation),
        figure("Weights along λ", Some(legend(signs)), drawing),
    ];
    body.extend(context.of_all().as_deref().map(note));
    if k <= COLUMNS {
        body.push(details(
            "The weights along λ as a table",
            [table(context, &points).element()],
        ));
    }
    Ok(Section {
        id: "lambda",
        title: "Weights for other λ",
        body,
    })
}

fn draw(context: &Context, points: &[&LambdaPoint]) -> Option<super::markup::Tag> {
    let percents = |i: usize| {
        points
            .iter()
            .map(|point| 100.0 * point.weights[i])
            .collect()
    };
    let last = points.last()?;
    // Of more, the intervals would hide the lines.
    let few = context.shown.len() <= COLUMNS;
    let lines: Vec<Line> = context
        .drawn()
        .map(|(i, domain)| Line {
            name: &domain.name,
            value: percent(last.weights[i]),
            values: percents(i),
            whisker: interval(domain)
                .filter(|_| few)
                .map(|(low, high)| (100.0 * low, 100.0 * high)),
        })
        .collect();
    let xs: Vec<f64> = points.iter().map(|point| point.lambda).collect();
    let used = context.mixture.lambda;
    let axes = Axes {
        xs: &xs,
        mark: used.map(|lambda| (lambda, format!("λ = {} in use", parameter(lambda)))),
        x_title: "λ",
        y_title: "weight in %",
        labels_title: format!("weight in % with λ = {}", tick(last.lambda)),
    };
    let about = About {
        id: "lambda-path",
        title: "Weights for other λ",
        description: "A line per domain: its weight in percent for each λ, named at its right end with the weight there.",
    };
    chart(&about, &axes, &lines, tick)
}

/// A λ on an axis or in a table, without what a logarithm left behind.
pub(super) fn tick(lambda: f64) -> String {
    let rounded = format!("{lambda:.3e}").parse().unwrap_or(lambda);
    parameter(rounded)
}

fn table(context: &Context, points: &[&LambdaPoint]) -> Table {
    let mut columns = vec![Column::Number("λ".to_owned())];
    let domains = &context.mixture.domains;
    columns.extend(
        domains
            .iter()
            .map(|domain| Column::Domain(domain.name.clone())),
    );
    let row = |point: &&LambdaPoint| {
        let mut row = vec![Cell::Key(tick(point.lambda))];
        row.extend(
            point
                .weights
                .iter()
                .map(|weight| Cell::Number(decimal(100.0 * weight, 2))),
        );
        row
    };
    Table {
        caption: "Weights in % along λ".to_owned(),
        columns,
        rows: points.iter().map(row).collect(),
    }
}
