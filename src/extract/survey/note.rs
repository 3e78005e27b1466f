//! Something that occurs in rows: how often, and where first.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::dataset::{Dataset, Irregularity};
use crate::media::Oddity;
use crate::store::Failure;

/// A row to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Example {
    /// The row in the dataset, from 0.
    pub row: u64,
    /// Its id.
    pub id: String,
    /// What is meant of it: a picture's name, or what a failure says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// The row at an index.
pub(super) fn row_at(dataset: &dyn Dataset, index: u64) -> Example {
    let (row, id) = match dataset.read(index) {
        Ok(sample) => (sample.row, sample.id),
        Err(error) => (error.row, error.id),
    };
    Example::new(row, &id, None)
}

impl Example {
    /// With the start of an id, and of a name, that may be long.
    pub(super) fn new(row: u64, id: &str, detail: Option<&str>) -> Self {
        let start = |text: &str| Failure::new(row, text, "").id;
        Self {
            row,
            id: start(id),
            detail: detail.map(start),
        }
    }
}

/// Something that was noted, how often, and where first.
#[derive(Clone, Debug, Serialize)]
pub struct Noted {
    /// A short stable name; of a failure its reason, without numbers and quotations.
    pub kind: String,
    /// What it means, for people.
    pub text: String,
    /// What is counted.
    pub of: Unit,
    /// How often it occurs.
    pub count: u64,
    /// The first of them.
    pub first: Example,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Rows.
    Rows,
    /// Pictures of rows.
    Pictures,
}

/// What is odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Odd {
    Row(Irregularity),
    Picture(Oddity),
}

impl Odd {
    pub(super) fn unit(self) -> Unit {
        match self {
            Self::Row(_) => Unit::Rows,
            Self::Picture(_) => Unit::Pictures,
        }
    }

    /// The name that it is serialised under.
    pub(super) fn kind(self) -> String {
        match serde_json::to_value(self) {
            Ok(Value::String(name)) => name,
            _ => self.to_string(),
        }
    }
}

impl Serialize for Odd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Row(odd) => odd.serialize(serializer),
            Self::Picture(odd) => odd.serialize(serializer),
        }
    }
}

impl fmt::Display for Odd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row(odd) => odd.fmt(f),
            Self::Picture(odd) => odd.fmt(f),
        }
    }
}

/// A count and its first occurrence, whichever order they come in.
#[derive(Debug, Default)]
pub(super) struct Note {
    pub(super) count: u64,
    /// With the index in the dataset.
    first: Option<(u64, Example)>,
}

impl Note {
    /// Counts once; `example` is asked for only if this is the first so far.
    pub(super) fn add(&mut self, index: u64, example: impl FnOnce() -> Example) {
        self.count += 1;
        if self.first.as_ref().is_none_or(|(first, _)| index < *first) {
            self.first = Some((index, example()));
        }
    }

    pub(super) fn append(&mut self, other: Self) {
        self.count += other.count;
        let index = |note: &Option<(u64, Example)>| note.as_ref().map_or(u64::MAX, |first| first.0);
        if index(&other.first) < index(&self.first) {
            self.first = other.first;
        }
    }

    /// Where it occurs first, by index.
    pub(super) fn place(&self) -> u64 {
        self.first.as_ref().map_or(u64::MAX, |(index, _)| *index)
    }

    pub(super) fn first(&self) -> Option<&Example> {
        self.first.as_ref().map(|(_, example)| example)
    }

    /// In the words of its kind.
    pub(super) fn noted(&self, kind: String, text: String, of: Unit) -> Option<Noted> {
        Some(Noted {
            kind,
            text,
            of,
            count: self.count,
            first: self.first()?.clone(),
        })
    }
}

/// The most frequent first, then the earlier in the order of their kinds.
pub(super) fn ranked(mut noted: Vec<Noted>) -> Vec<Noted> {
    noted.sort_by_key(|noted| std::cmp::Reverse(noted.count));
    noted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(row: u64) -> Example {
        Example {
            row,
            id: format!("id{row}"),
            detail: None,
        }
    }

    #[test]
    fn the_first_is_the_first_row_whatever_the_order() {
        let of = |rows: &[u64]| {
            let mut note = Note::default();
            rows.iter().for_each(|&row| note.add(row, || example(row)));
            note
        };
        for (one, other) in [([5, 3], [4, 9]), ([9, 4], [3, 5])] {
            let mut note = of(&one);
            note.append(of(&other));
            note.append(Note::default());
            assert_eq!((note.count, note.first()), (4, Some(&example(3))));
        }
    }

    #[test]
    fn kinds_have_stable_names() {
        assert_eq!(Odd::Row(Irregularity::NoId).kind(), "no-id");
        assert_eq!(Odd::Picture(Oddity::OtherFormat).kind(), "other-format");
        assert_eq!(Odd::Picture(Oddity::Strip).unit(), Unit::Pictures);
    }
}
