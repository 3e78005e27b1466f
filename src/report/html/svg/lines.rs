//! Lines over a logarithmic axis, each with its name at its right end.

use super::axis::Scale;
use super::labels::spread;
use super::{About, label, line, px, text};
use crate::report::html::markup::{Tag, tag};
use crate::report::html::number::decimal;

const WIDTH: f64 = 880.0;
const LEFT: f64 = 46.0;
/// Where lines end and their labels begin.
const RIGHT: f64 = 610.0;
const TOP: f64 = 26.0;
/// The least height of the part with the lines.
const HEIGHT: f64 = 320.0;
/// From label to label.
const GAP: f64 = 16.0;
/// Where the first label may stand, below what is above all of them.
const FIRST: f64 = 14.0;
/// Columns of a name in a label.
const NAME: usize = 24;
/// Colours and dashes that tell lines apart; each combination stands for one.
const COLOURS: usize = 8;
const DASHES: usize = 5;

/// A line.
pub(in super::super) struct Line<'a> {
    /// The name at its end.
    pub(in super::super) name: &'a str,
    /// What is said after the name.
    pub(in super::super) value: String,
    /// A value per x.
    pub(in super::super) values: Vec<f64>,
    /// From where to where the value at the mark may be.
    pub(in super::super) whisker: Option<(f64, f64)>,
}

/// What is along the axes.
pub(in super::super) struct Axes<'a> {
    /// The x of every line's values, above 0.
    pub(in super::super) xs: &'a [f64],
    /// The x that is in use, and what it is called.
    pub(in super::super) mark: Option<(f64, String)>,
    /// Under the x axis.
    pub(in super::super) x_title: &'a str,
    /// Above the y axis.
    pub(in super::super) y_title: &'a str,
    /// Above the labels.
    pub(in super::super) labels_title: String,
}

/// The chart; nothing where no x is above 0. `number` writes the numbers of the x axis.
pub(in super::super) fn chart(
    about: &About,
    axes: &Axes,
    lines: &[Line],
    number: impl Fn(f64) -> String,
) -> Option<Tag> {
    let marked = axes.mark.iter().map(|(x, _)| *x);
    let x = Scale::logarithmic(axes.xs.iter().copied().chain(marked))?;
    let whiskers = lines.iter().filter_map(|line| line.whisker);
    let values = lines.iter().flat_map(|line| line.values.iter().copied());
    let y = Scale::linear(values.chain(whiskers.flat_map(|(low, high)| [low, high])));
    let height = HEIGHT.max(GAP * lines.len() as f64 + FIRST);
    let frame = Frame { x, y, height };
    let mut svg = about.fixed(WIDTH, TOP + height + 44.0);
    svg = svg.extend(frame.grid(axes, number));
    if let Some((at, name)) = &axes.mark {
        let at = frame.x(*at);
        let bottom = TOP + height;
        svg = svg
            .push(line("mark", [px(at), px(TOP), px(at), px(bottom)]))
            .push(text("tick middle strong", [px(at), px(TOP - 8.0)], name));
    }
    let ends: Vec<f64> = lines
        .iter()
        .map(|line| frame.y(line.values.last().copied().unwrap_or(0.0)))
        .collect();
    let places = spread(&ends, GAP, TOP + FIRST, TOP + height);
    for (i, series) in lines.iter().enumerate() {
        svg = svg.push(frame.series(series, i, axes, places[i]));
    }
    Some(svg)
}

struct Frame {
    x: Scale,
    y: Scale,
    height: f64,
}

impl Frame {
    fn x(&self, x: f64) -> f64 {
        LEFT + (RIGHT - LEFT) * self.x.at(x)
    }

    fn y(&self, y: f64) -> f64 {
        TOP + self.height * (1.0 - self.y.at(y))
    }

    fn grid(&self, axes: &Axes, number: impl Fn(f64) -> String) -> Vec<Tag> {
        let bottom = TOP + self.height;
        let mut grid = Vec::new();
        let ticks = self.y.ticks(6);
        let decimals = usize::from(ticks.iter().any(|tick| tick.fract().abs() > 1e-6));
        for tick in ticks {
            let y = self.y(tick);
            grid.push(line("grid", [px(LEFT), px(y), px(RIGHT), px(y)]));
            grid.push(text(
                "tick end",
                [px(LEFT - 6.0), px(y + 4.0)],
                decimal(tick, decimals),
            ));
        }
        for tick in self.x.ticks(8) {
            let x = self.x(tick);
            grid.push(line("grid", [px(x), px(TOP), px(x), px(bottom)]));
            grid.push(text(
                "tick middle",
                [px(x), px(bottom + 17.0)],
                number(tick),
            ));
        }
        let middle = f64::midpoint(LEFT, RIGHT);
        grid.push(text(
            "axis-title middle",
            [px(middle), px(bottom + 37.0)],
            axes.x_title,
        ));
        let above = |x: f64| [px(x), px(TOP - 8.0)];
        grid.push(text("axis-title", above(4.0), axes.y_title));
        grid.push(text("axis-title", above(RIGHT + 48.0), &axes.labels_title));
        grid
    }

    fn series(&self, series: &Line, i: usize, axes: &Axes, place: f64) -> Tag {
        let points = axes.xs.iter().zip(&series.values);
        let points = points.filter(|(x, y)| **x > 0.0 && y.is_finite());
        let points: Vec<(f64, f64)> = points.map(|(x, y)| (self.x(*x), self.y(*y))).collect();
        let list: Vec<String> = points
            .iter()
            .map(|(x, y)| format!("{},{}", px(*x), px(*y)))
            .collect();
        let name = series.name;
        let class = format!("series c{} s{}", i % COLOURS, i / COLOURS % DASHES);
        let mut group = tag("g").set("class", class);
        group = group.push(
            tag("polyline")
                .set("class", "stroke")
                .set("points", list.join(" ")),
        );
        if let (Some((low, high)), Some((x, _))) = (series.whisker, &axes.mark) {
            // Beside each other, as far as there is room.
            let x = self.x(*x) + 5.0 * ((i % COLOURS) as f64 - 3.5);
            let (low, high) = (self.y(low), self.y(high));
            group = group.push(line("band", [px(x), px(low), px(x), px(high)]));
        }
        if let Some((x, y)) = points.last() {
            let [x, y, elbow, end] = [*x, *y, RIGHT + 18.0, RIGHT + 42.0].map(px);
            let level = px(place - 4.0);
            // The way to the label, and what the line looks like.
            group = group
                .push(line("leader", [&x, &y, &elbow, &level]))
                .push(line("stroke", [&elbow, &level, &end, &level]));
        }
        let value = RIGHT + 88.0;
        group
            .push(text("value end", [px(value), px(place)], &series.value))
            .push(label("name", [px(value + 8.0), px(place)], name, NAME))
    }
}
