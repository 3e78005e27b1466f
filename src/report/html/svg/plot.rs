//! Points, lines and bands over even axes.

use super::axis::Scale;
use super::{About, line, px, text};
use crate::report::html::markup::{Tag, tag};

const LEFT: f64 = 64.0;
const TOP: f64 = 26.0;
/// Below the axes.
const FOOT: f64 = 44.0;

/// What is drawn, one upon the other.
pub(in super::super) enum Series {
    /// Points, with what is said where a pointer rests, and from where to where each may be.
    Dots {
        /// The class of each and its place.
        dots: Vec<Dot>,
    },
    /// A line through places.
    Line {
        /// Its class.
        class: &'static str,
        /// Its places.
        points: Vec<(f64, f64)>,
    },
    /// What is between two values at each x.
    Band {
        /// Its class.
        class: &'static str,
        /// x, low and high.
        points: Vec<(f64, f64, f64)>,
    },
}

/// A point.
pub(in super::super) struct Dot {
    pub(in super::super) class: &'static str,
    pub(in super::super) x: f64,
    pub(in super::super) y: f64,
    pub(in super::super) whisker: Option<(f64, f64)>,
    pub(in super::super) title: String,
}

/// The size of the part with the axes, their titles, and what is drawn.
pub(in super::super) struct Plot<'a> {
    pub(in super::super) width: f64,
    pub(in super::super) height: f64,
    pub(in super::super) x_title: &'a str,
    pub(in super::super) y_title: &'a str,
    /// Whether both axes have the same values, with a dashed line where they are equal.
    pub(in super::super) diagonal: bool,
    pub(in super::super) series: Vec<Series>,
}

impl Series {
    fn places(&self) -> Vec<(f64, f64)> {
        match self {
            Self::Dots { dots } => dots
                .iter()
                .flat_map(|dot| {
                    let (low, high) = dot.whisker.unwrap_or((dot.y, dot.y));
                    [(dot.x, dot.y), (dot.x, low), (dot.x, high)]
                })
                .collect(),
            Self::Line { points, .. } => points.clone(),
            Self::Band { points, .. } => points
                .iter()
                .flat_map(|&(x, low, high)| [(x, low), (x, high)])
                .collect(),
        }
    }
}

impl Plot<'_> {
    /// The drawing; `number` writes the numbers of the axes.
    pub(in super::super) fn draw(self, about: &About, number: [&dyn Fn(f64) -> String; 2]) -> Tag {
        let places: Vec<(f64, f64)> = self.series.iter().flat_map(Series::places).collect();
        let xs = places.iter().map(|place| place.0);
        let ys = places.iter().map(|place| place.1);
        let [x, y] = if self.diagonal {
            [Scale::tight(xs.chain(ys)); 2]
        } else {
            [Scale::tight(xs), Scale::tight(ys)]
        };
        let frame = Frame {
            x,
            y,
            width: self.width,
            height: self.height,
        };
        let svg = about.fixed(LEFT + self.width + 16.0, TOP + self.height + FOOT);
        let mut svg = svg.extend(frame.axes(&self, number));
        if self.diagonal {
            let [bottom, right] = [TOP + self.height, LEFT + self.width];
            svg = svg.push(line("mark", [px(LEFT), px(bottom), px(right), px(TOP)]));
        }
        svg.extend(self.series.iter().map(|series| frame.series(series)))
    }
}

struct Frame {
    x: Scale,
    y: Scale,
    width: f64,
    height: f64,
}

impl Frame {
    fn place(&self, x: f64, y: f64) -> [String; 2] {
        [
            px(LEFT + self.width * self.x.at(x)),
            px(TOP + self.height * (1.0 - self.y.at(y))),
        ]
    }

    fn axes(&self, plot: &Plot, [x_number, y_number]: [&dyn Fn(f64) -> String; 2]) -> Vec<Tag> {
        let [right, bottom] = [px(LEFT + self.width), px(TOP + self.height)];
        let (left, top) = (px(LEFT), px(TOP));
        let mut axes = Vec::new();
        for tick in self.x.ticks((self.width / 70.0) as usize) {
            let [x, _] = self.place(tick, 0.0);
            axes.push(line("grid", [&x, &top, &x, &bottom]));
            let under = px(TOP + self.height + 17.0);
            axes.push(text("tick middle", [x, under], x_number(tick)));
        }
        for tick in self.y.ticks((self.height / 40.0) as usize) {
            let y = TOP + self.height * (1.0 - self.y.at(tick));
            axes.push(line("grid", [&left, &px(y), &right, &px(y)]));
            let beside = [px(LEFT - 6.0), px(y + 4.0)];
            axes.push(text("tick end", beside, y_number(tick)));
        }
        let middle = px(LEFT + self.width / 2.0);
        let below = px(TOP + self.height + 37.0);
        axes.push(text("axis-title middle", [middle, below], plot.x_title));
        axes.push(text("axis-title", [px(4.0), px(TOP - 10.0)], plot.y_title));
        axes
    }

    fn series(&self, series: &Series) -> Tag {
        let group = tag("g");
        let list = |points: &mut dyn Iterator<Item = (f64, f64)>| {
            let finite = points.filter(|(x, y)| x.is_finite() && y.is_finite());
            let places: Vec<String> = finite.map(|(x, y)| self.place(x, y).join(",")).collect();
            places.join(" ")
        };
        match series {
            Series::Dots { dots } => group.extend(dots.iter().map(|dot| self.dot(dot))),
            Series::Line { class, points } => group.set("class", class).push(
                tag("polyline")
                    .set("class", "stroke")
                    .set("points", list(&mut points.iter().copied())),
            ),
            Series::Band { class, points } => {
                let lows = points.iter().map(|&(x, low, _)| (x, low));
                let highs = points.iter().rev().map(|&(x, _, high)| (x, high));
                group.set("class", class).push(
                    tag("polygon")
                        .set("class", "between")
                        .set("points", list(&mut lows.chain(highs))),
                )
            }
        }
    }

    fn dot(&self, dot: &Dot) -> Tag {
        let [x, y] = self.place(dot.x, dot.y);
        let mut group = tag("g").set("class", dot.class);
        if let Some((low, high)) = dot.whisker {
            let [[_, low], [_, high]] = [low, high].map(|end| self.place(dot.x, end));
            group = group.push(line("reach", [&x, &low, &x, &high]));
        }
        let circle = tag("circle").set("cx", x).set("cy", y).set("r", 3.5);
        group.push(circle.push(tag("title").text(&dot.title)))
    }
}
