//! Eigenvalues on a logarithmic axis, above what a ridge lets through of each.

use super::axis::Scale;
use super::{About, line, px, rect, text};
use crate::mix::SpectrumLine;
use crate::report::html::markup::{Tag, tag};
use crate::report::html::number::significant;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 745.0;
/// The tops and bottoms of both parts.
const VALUES: [f64; 2] = [26.0, 206.0];
const FILTERS: [f64; 2] = [250.0, 330.0];

/// The chart; nothing where no eigenvalue is above 0.
pub(in super::super) fn chart(
    about: &About,
    lines: &[SpectrumLine],
    lambda: Option<&(f64, String)>,
    number: impl Fn(f64) -> String,
) -> Option<Tag> {
    let ridge = lambda.iter().map(|(lambda, _)| *lambda);
    let eigenvalues = || lines.iter().map(|line| line.eigenvalue);
    Scale::logarithmic(eigenvalues())?;
    let scale = Scale::logarithmic(eigenvalues().chain(ridge))?;
    let [top, bottom] = VALUES;
    let y = |value: f64| bottom - (bottom - top) * scale.at(value);
    let step = (RIGHT - LEFT) / lines.len() as f64;
    let x = |i: usize| LEFT + step * (i as f64 + 0.5);
    let mut svg = about.fixed(WIDTH, FILTERS[1] + 44.0);
    svg = svg.push(text(
        "axis-title",
        [px(4.0), px(top - 10.0)],
        "eigenvalue σ",
    ));
    for tick in scale.ticks(6) {
        svg = svg
            .push(line(
                "grid",
                [px(LEFT), px(y(tick)), px(RIGHT), px(y(tick))],
            ))
            .push(text(
                "tick end",
                [px(LEFT - 6.0), px(y(tick) + 4.0)],
                number(tick),
            ));
    }
    if let Some((lambda, name)) = lambda {
        let at = y(*lambda);
        svg = svg
            .push(line("mark", [px(LEFT), px(at), px(RIGHT), px(at)]))
            .push(text("tick end strong", [px(RIGHT), px(at - 5.0)], name));
    }
    svg = svg.extend(filter_axis());
    let width = (step * 0.3).clamp(2.0, 16.0);
    let every = lines.len().div_ceil(20);
    for (i, found) in lines.iter().enumerate() {
        let dot = tag("circle")
            .set(
                "class",
                if found.eigenvalue > 0.0 {
                    "dot"
                } else {
                    "dot none"
                },
            )
            .set("cx", px(x(i)))
            .set("cy", px(y(found.eigenvalue)))
            .set("r", 4)
            .push(tag("title").text(format!("σ = {}", significant(found.eigenvalue))));
        svg = svg
            .push(dot)
            .push(bar("filter", x(i) - width, width, found.filter))
            .push(bar("delta", x(i), width, found.delta));
        if i.is_multiple_of(every) {
            let place = [px(x(i)), px(FILTERS[1] + 17.0)];
            svg = svg.push(text("tick middle", place, i + 1));
        }
    }
    let middle = [px(f64::midpoint(LEFT, RIGHT)), px(FILTERS[1] + 37.0)];
    Some(svg.push(text(
        "axis-title middle",
        middle,
        "direction, by eigenvalue",
    )))
}

fn filter_axis() -> Vec<Tag> {
    let [top, bottom] = FILTERS;
    let mut axis = vec![text("axis-title", [px(4.0), px(top - 12.0)], "share")];
    for (share, name) in [(0.0, "0"), (0.5, "0.5"), (1.0, "1")] {
        let y = bottom - (bottom - top) * share;
        axis.push(line("grid", [px(LEFT), px(y), px(RIGHT), px(y)]));
        axis.push(text("tick end", [px(LEFT - 6.0), px(y + 4.0)], name));
    }
    axis
}

fn bar(class: &str, x: f64, width: f64, share: f64) -> Tag {
    let [top, bottom] = FILTERS;
    let height = (bottom - top) * share.clamp(0.0, 1.0);
    rect(class, [px(x), px(bottom - height), px(width), px(height)])
}
