//! The weights as bars.

use super::context::Context;
use super::number::{decimal, interval as ends, percent};
use super::parts::{self, Section, figure, legend, note};
use super::svg::bars::{Row, Sign, chart};
use crate::report::compare::interval;

pub(super) fn section(context: &Context) -> Section {
    let rows: Vec<Row> = context
        .drawn()
        .map(|(i, domain)| row(context, i, domain))
        .collect();
    let mut signs = vec![(parts::Sign::Box("bar"), "weight")];
    if context.intervals {
        signs.push((parts::Sign::Whisker, context.interval_name.as_str()));
    }
    if context.human.is_some() {
        signs.push((parts::Sign::Diamond, "human: today’s share"));
    }
    if context.uniform.is_some() {
        signs.push((parts::Sign::Stroke, "uniform: equal shares"));
    }
    let drawing = chart("weight", &rows, "share in %", |tick| {
        decimal(100.0 * tick, places(tick))
    });
    let mut body = vec![figure(
        "Share of training samples",
        Some(legend(signs)),
        drawing,
    )];
    body.extend(context.of_all().as_deref().map(note));
    Section {
        id: "weights",
        title: "Weights as bars",
        body,
    }
}

/// Decimals of a tick: none where it is whole.
fn places(tick: f64) -> usize {
    let percent = 100.0 * tick;
    (0..4)
        .find(|&n| {
            let shifted = percent * 10_f64.powi(n);
            (shifted - shifted.round()).abs() < 1e-6
        })
        .unwrap_or(4) as usize
}

fn row<'a>(context: &Context, index: usize, domain: &'a crate::mix::MixtureDomain) -> Row<'a> {
    let weight = format!("{}\u{a0}%", percent(domain.weight));
    let mut value = weight.clone();
    let mut said = vec![format!("weight {weight}")];
    let mut signs = Vec::new();
    if let Some(uniform) = context.uniform {
        said.push(format!("uniform {}\u{a0}%", percent(uniform[index])));
        signs.push(Sign::Stroke(uniform[index]));
    }
    if let Some(found @ (low, high)) = interval(domain) {
        said.push(format!("{} {}", context.interval_name, ends(found)));
        value = format!("{weight} ({})", ends(found));
        signs.push(Sign::Whisker(low, high));
    }
    if let Some(human) = context.human {
        said.push(format!("human {}\u{a0}%", percent(human[index])));
        signs.push(Sign::Diamond(human[index]));
    }
    Row {
        name: &domain.name,
        value,
        description: said.join(", "),
        bars: vec![("bar", domain.weight)],
        signs,
    }
}
