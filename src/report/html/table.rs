//! Tables with a caption and headings that name their rows and columns.

use super::markup::{Tag, tag};
use super::name::name;
use super::number::MISSING;
use super::parts::{details, scroll};
use crate::report::compare::Noise;

/// A table's columns and rows.
pub(super) struct Table {
    /// What the table holds.
    pub(super) caption: String,
    /// The headings.
    pub(super) columns: Vec<Column>,
    /// As many cells as columns each.
    pub(super) rows: Vec<Vec<Cell>>,
}

/// The heading of a column.
#[derive(Clone)]
pub(super) enum Column {
    /// Of words: to the left.
    Words(String),
    /// Of numbers: to the right.
    Number(String),
    /// Of a domain's numbers, under its name.
    Domain(String),
}

/// One cell.
#[derive(Clone)]
pub(super) enum Cell {
    /// A name that others gave, which says what the row is about.
    Name(String),
    /// A name that others gave.
    OtherName(String),
    /// Our words.
    Words(String),
    /// A number as it is shown, which says what the row is about.
    Key(String),
    /// A number as it is shown.
    Number(String),
    /// Whether something is more than noise.
    Noise(Option<Noise>),
}

impl Cell {
    /// A number, or the sign that there is none.
    pub(super) fn number(value: Option<String>) -> Self {
        Self::Number(value.unwrap_or_else(|| MISSING.to_owned()))
    }

    fn element(self) -> Tag {
        let number = |tag: Tag, text: String| tag.set("class", "number").text(text);
        match self {
            Self::Name(text) => tag("th").set("scope", "row").push(name(&text)),
            Self::OtherName(text) => tag("td").push(name(&text)),
            Self::Words(text) => tag("td").text(text),
            Self::Key(text) => number(tag("th").set("scope", "row"), text),
            Self::Number(text) => number(tag("td"), text),
            Self::Noise(None) => tag("td").text(MISSING),
            Self::Noise(Some(Noise::Within)) => tag("td").push(chip("within", "within noise")),
            Self::Noise(Some(Noise::Beyond)) => tag("td").push(chip("beyond", "beyond noise")),
        }
    }
}

fn chip(class: &str, text: &str) -> Tag {
    tag("span").set("class", class).text(text)
}

impl Column {
    fn element(&self) -> Tag {
        let heading = tag("th").set("scope", "col");
        match self {
            Self::Words(title) => heading.text(title),
            Self::Number(title) => heading.set("class", "number").text(title),
            Self::Domain(title) => heading.set("class", "number").push(name(title)),
        }
    }
}

impl Table {
    /// The table.
    pub(super) fn element(self) -> Tag {
        let line = |cells: Vec<Cell>| tag("tr").extend(cells.into_iter().map(Cell::element));
        let head = tag("tr").extend(self.columns.iter().map(Column::element));
        let table = tag("table")
            .push(tag("caption").text(&self.caption))
            .push(tag("thead").push(head))
            .push(tag("tbody").extend(self.rows.into_iter().map(line)));
        scroll(&self.caption, table)
    }

    /// The first rows, and the rest under a line that unfolds them.
    pub(super) fn folded(mut self, first: usize) -> Vec<Tag> {
        if self.rows.len() <= first {
            return vec![self.element()];
        }
        let rest = Self {
            caption: format!("{}, continued", self.caption),
            columns: self.columns.clone(),
            rows: self.rows.split_off(first),
        };
        let summary = format!("The other {} rows", rest.rows.len());
        vec![self.element(), details(&summary, [rest.element()])]
    }
}
