//! Rows of horizontal bars under one axis: name, bar, value. On a narrow screen the bar goes below the other two.

use super::axis::Scale;
use super::{About, line, rect, share, text};
use crate::report::html::markup::{Tag, tag};
use crate::report::html::name::{short, whole};

/// The height of a bar's drawing.
const HEIGHT: f64 = 30.0;
/// The ends of a bar.
const BAR: [f64; 2] = [8.0, 14.0];
/// What is left free at either end of the axis, for signs that stand there.
const MARGIN: f64 = 0.012;
/// Columns of a name.
const NAME: usize = 60;

/// A row of the chart.
pub(in super::super) struct Row<'a> {
    /// The name at its left.
    pub(in super::super) name: &'a str,
    /// The value at its right.
    pub(in super::super) value: String,
    /// The same in words, for those who cannot see it.
    pub(in super::super) description: String,
    /// Bars beside each other, left and right of 0: class and length.
    pub(in super::super) bars: Vec<(&'static str, f64)>,
    /// Signs upon the bars.
    pub(in super::super) signs: Vec<Sign>,
}

/// A sign upon a row's bars.
pub(in super::super) enum Sign {
    /// From where to where the value may be.
    Whisker(f64, f64),
    /// A diamond.
    Diamond(f64),
    /// An upright stroke.
    Stroke(f64),
    /// A heavier upright stroke.
    Total(f64),
}

/// The chart; `number` writes the numbers of its axis, called `unit`.
pub(in super::super) fn chart(
    id: &str,
    rows: &[Row],
    unit: &str,
    number: impl Fn(f64) -> String,
) -> Tag {
    let scale = Scale::linear(rows.iter().flat_map(Row::reach));
    let ticks = scale.ticks(5);
    let at = |value: f64| MARGIN + (1.0 - 2.0 * MARGIN) * scale.at(value);
    let chart = tag("div").set("class", "tracks");
    let rows = rows.iter().enumerate().map(|(i, row)| {
        tag("div")
            .set("class", "track")
            .push(
                tag("bdi")
                    .set("class", "track-name")
                    .set("title", whole(row.name))
                    .text(short(row.name, NAME)),
            )
            .push(row.draw(&format!("{id}-{i}"), &ticks, at))
            .push(tag("span").set("class", "track-value").text(&row.value))
    });
    let axis = ticks.iter().map(|tick| {
        text(
            "tick middle",
            [share(at(*tick)), "14".to_owned()],
            number(*tick),
        )
    });
    let axis = tag("svg")
        .set("class", "fluid")
        .set("width", "100%")
        .set("height", 20)
        .set("aria-hidden", "true")
        .extend(axis);
    let axis = tag("div")
        .set("class", "track axis")
        .push(tag("span").set("class", "track-name").text(unit))
        .push(axis);
    chart.extend(rows).push(axis)
}

impl Row<'_> {
    /// All values that have to be on the axis.
    fn reach(&self) -> Vec<f64> {
        let sum = |sign: f64| {
            let lengths = self.bars.iter().map(|(_, length)| length * sign);
            sign * lengths.filter(|length| *length > 0.0).sum::<f64>()
        };
        let mut values = vec![sum(1.0), sum(-1.0)];
        for sign in &self.signs {
            match *sign {
                Sign::Whisker(low, high) => values.extend([low, high]),
                Sign::Diamond(at) | Sign::Stroke(at) | Sign::Total(at) => values.push(at),
            }
        }
        values
    }

    fn draw(&self, id: &str, ticks: &[f64], at: impl Fn(f64) -> f64) -> Tag {
        let place = |value: f64| share(at(value));
        let upright = |class: &str, value: f64, y1: f64, y2: f64| {
            line(
                class,
                [place(value), y1.to_string(), place(value), y2.to_string()],
            )
        };
        let about = About {
            id,
            title: &short(self.name, NAME),
            description: &self.description,
        };
        let mut svg = about.fluid(HEIGHT);
        for tick in ticks {
            let class = if *tick == 0.0 { "zero" } else { "grid" };
            svg = svg.push(upright(class, *tick, 0.0, HEIGHT));
        }
        let [y, height] = BAR.map(|y| y.to_string());
        let mut ends = [0.0, 0.0];
        for (class, length) in self.bars.iter().filter(|(_, length)| length.is_finite()) {
            let end = &mut ends[usize::from(*length < 0.0)];
            let (from, to) = (at(*end), at(*end + length));
            *end += length;
            let (x, width) = (share(from.min(to)), share((to - from).abs()));
            svg = svg.push(rect(class, [&x, &y, &width, &height]));
        }
        let middle = (HEIGHT / 2.0).to_string();
        for sign in &self.signs {
            svg = match *sign {
                Sign::Whisker(low, high) => svg.extend([
                    line(
                        "whisker",
                        [place(low), middle.clone(), place(high), middle.clone()],
                    ),
                    upright("whisker", low, 11.0, 19.0),
                    upright("whisker", high, 11.0, 19.0),
                ]),
                Sign::Stroke(value) => svg.push(upright("uniform", value, 3.0, 27.0)),
                Sign::Total(value) => svg.push(upright("total", value, 5.0, 25.0)),
                Sign::Diamond(value) => svg.push(diamond(place(value))),
            };
        }
        svg
    }
}

/// Paths know no percent, so it stands in a drawing of its own that does.
fn diamond(x: String) -> Tag {
    let path = tag("path")
        .set("class", "human")
        .set("d", "M0 -5L5 0L0 5L-5 0Z");
    tag("svg")
        .set("class", "sign")
        .set("x", x)
        .set("y", HEIGHT / 2.0)
        .push(path)
}
