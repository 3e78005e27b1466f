//! Square tables of numbers as colours.

use super::{About, label, px, rect, text};
use crate::printable::printable;
use crate::report::html::markup::{Tag, tag};
use crate::report::width::columns as width_of;

/// Columns of a name beside the cells.
const NAME: usize = 20;
/// The width of a letter, with some room.
const LETTER: f64 = 7.4;
/// How far names over the columns lean, in degrees: over cells that are wide enough, and over others.
const SLANT: [f64; 2] = [40.0, 90.0];
/// The width of all cells together, as far as cells stay within [`CELL`].
const CELLS: f64 = 640.0;
const CELL: [f64; 2] = [14.0, 72.0];
/// Cells of this width have room for their numbers.
const ROOMY: f64 = 44.0;
/// Cells of this width have room for a short number.
const SNUG: f64 = 22.0;
/// Colours of a palette are numbered from 0 to this.
const STEPS: f64 = 10.0;

/// A cell.
pub(in super::super) struct Cell {
    /// Its colour.
    pub(in super::super) shade: Shade,
    /// What is written into a roomy cell, line by line; the first also into a snug one.
    pub(in super::super) lines: Vec<String>,
    /// What is said where a pointer rests.
    pub(in super::super) title: String,
}

/// A cell's colour.
#[derive(Clone, Copy)]
pub(in super::super) enum Shade {
    /// So far between the ends of the palette, 0 to 1.
    Between(f64),
    /// Hatched: there is nothing to measure.
    Absent,
    /// None: there is nothing to say.
    Blank,
}

/// The heat map of a table with the names of its rows and of its columns. `palette` is the letter of a palette of the
/// style sheet.
pub(in super::super) fn map(
    about: &About,
    [rows, columns]: [&[&str]; 2],
    palette: char,
    cell: impl Fn(usize, usize) -> Cell,
) -> Tag {
    let width = (CELLS / columns.len() as f64)
        .clamp(CELL[0], CELL[1])
        .floor();
    let height = if width >= ROOMY {
        44.0_f64.min(width)
    } else {
        width
    };
    let length = |names: &[&str]| {
        let widths = names
            .iter()
            .map(|name| width_of(&printable(name)).min(NAME));
        LETTER * widths.max().unwrap_or(0) as f64
    };
    let [beside, above] = [rows, columns].map(length);
    let slant = SLANT[usize::from(width < SNUG)];
    let (sine, cosine) = slant.to_radians().sin_cos();
    let (left, top) = (beside + 16.0, above * sine + 24.0);
    let [right, bottom] = [
        left + width * columns.len() as f64,
        top + height * rows.len() as f64,
    ];
    let hatch = format!("{}-hatch", about.id);
    let mut svg = about
        .fixed(right + above * cosine + 6.0, bottom + 6.0)
        .push(hatching(&hatch));
    for (i, name) in rows.iter().enumerate() {
        let y = top + height * (i as f64 + 0.5) + 4.0;
        svg = svg.push(label("name end", [px(left - 8.0), px(y)], name, NAME));
    }
    for (i, name) in columns.iter().enumerate() {
        let x = left + width * (i as f64 + 0.5);
        let turn = format!("rotate(-{slant} {} {})", px(x + 4.0), px(top - 8.0));
        let name = label("name", [px(x + 4.0), px(top - 8.0)], name, NAME);
        svg = svg.push(name.set("transform", turn));
    }
    for row in 0..rows.len() {
        for column in 0..columns.len() {
            let cell = cell(row, column);
            let [x, y] = [left + width * column as f64, top + height * row as f64];
            let place = [px(x), px(y), px(width), px(height)];
            let lines = match width {
                width if width >= ROOMY => &cell.lines[..],
                width if width >= SNUG => &cell.lines[..cell.lines.len().min(1)],
                _ => &[],
            };
            let middle = [x + width / 2.0, y + height / 2.0];
            svg = svg.push(
                cell.draw(palette, &hatch, place)
                    .extend(written(lines, middle)),
            );
        }
    }
    svg
}

impl Cell {
    fn draw(&self, palette: char, hatch: &str, place: [String; 4]) -> Tag {
        let group = match self.shade {
            Shade::Between(shade) => {
                let step = (STEPS * shade.clamp(0.0, 1.0)).round();
                tag("g")
                    .set("class", format!("{palette}{step}"))
                    .push(rect("cell", place))
            }
            Shade::Absent => {
                tag("g").push(rect("absent", place).set("fill", format!("url(#{hatch})")))
            }
            Shade::Blank => tag("g").push(rect("absent", place).set("fill", "none")),
        };
        group.push(tag("title").text(&self.title))
    }
}

fn written(lines: &[String], [x, y]: [f64; 2]) -> Vec<Tag> {
    let first = y + 4.0 - 7.0 * (lines.len().max(1) - 1) as f64;
    let line = |(i, line): (usize, &String)| {
        let class = if i == 0 { "middle" } else { "middle small" };
        text(class, [px(x), px(first + 14.0 * i as f64)], line)
    };
    lines.iter().enumerate().map(line).collect()
}

/// Slanted lines, the sign that there is nothing to measure.
fn hatching(id: &str) -> Tag {
    let pattern = tag("pattern")
        .set("id", id)
        .set("width", 6)
        .set("height", 6)
        .set("patternUnits", "userSpaceOnUse")
        .set("patternTransform", "rotate(45)")
        .push(super::line("hatch", [0, 0, 0, 6]));
    tag("defs").push(pattern)
}
