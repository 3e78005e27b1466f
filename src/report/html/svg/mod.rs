//! Drawings. They know numbers, names and classes of the style sheet; what they show, and why, is their callers'.
//!
//! A *fluid* drawing is as wide as its place, with positions in percent, so that its text keeps its size on a phone; a
//! *fixed* one has its own width, and its place scrolls.

pub(super) mod axis;
pub(super) mod bars;
pub(super) mod heat;
pub(super) mod labels;
pub(super) mod lines;
pub(super) mod plot;
pub(super) mod spectrum;

use std::fmt::Display;

use super::markup::{Tag, tag};
use super::name::{short, whole};

/// What a drawing is, for those who cannot see it.
pub(super) struct About<'a> {
    /// Unique on the page.
    pub(super) id: &'a str,
    /// What is drawn.
    pub(super) title: &'a str,
    /// What can be seen.
    pub(super) description: &'a str,
}

impl About<'_> {
    fn describe(&self, svg: Tag) -> Tag {
        let (title, description) = (format!("{}-title", self.id), format!("{}-desc", self.id));
        svg.set("role", "img")
            .set("aria-labelledby", format!("{title} {description}"))
            .push(tag("title").set("id", &title).text(self.title))
            .push(tag("desc").set("id", &description).text(self.description))
    }

    fn fixed(&self, width: f64, height: f64) -> Tag {
        let svg = tag("svg")
            .set("class", "fixed")
            .set("viewBox", format!("0 0 {} {}", px(width), px(height)))
            .set("width", px(width))
            .set("height", px(height));
        self.describe(svg)
    }

    fn fluid(&self, height: f64) -> Tag {
        let svg = tag("svg")
            .set("class", "fluid")
            .set("width", "100%")
            .set("height", px(height));
        self.describe(svg)
    }
}

/// A coordinate in pixels, to a tenth.
fn px(x: f64) -> String {
    let rounded = (10.0 * x).round() / 10.0;
    // Not a number has no place; -0 is 0.
    if rounded.is_finite() {
        (rounded + 0.0).to_string()
    } else {
        "0".to_owned()
    }
}

/// A coordinate as a share of the width, to a hundredth of a percent.
fn share(x: f64) -> String {
    let rounded = (1e4 * x).round() / 100.0;
    let rounded = if rounded.is_finite() {
        rounded + 0.0
    } else {
        0.0
    };
    format!("{rounded}%")
}

fn line(class: &str, [x1, y1, x2, y2]: [impl Display; 4]) -> Tag {
    tag("line")
        .set("class", class)
        .set("x1", x1)
        .set("y1", y1)
        .set("x2", x2)
        .set("y2", y2)
}

fn rect(class: &str, [x, y, width, height]: [impl Display; 4]) -> Tag {
    tag("rect")
        .set("class", class)
        .set("x", x)
        .set("y", y)
        .set("width", width)
        .set("height", height)
}

fn text(class: &str, [x, y]: [impl Display; 2], text: impl Display) -> Tag {
    tag("text")
        .set("class", class)
        .set("x", x)
        .set("y", y)
        .text(text)
}

/// A name of at most so many columns, with the whole under the pointer.
fn label(class: &str, place: [String; 2], name: &str, most: usize) -> Tag {
    let shown = short(name, most);
    let whole = whole(name);
    let label = text(class, place, &shown);
    if shown == whole {
        label
    } else {
        label.push(tag("title").text(whole))
    }
}
