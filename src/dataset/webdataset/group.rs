//! The members of a sample: those with one key, one after another.

use super::name::{self, Class};
use super::walk::{Member, Stop, Walk};
use crate::blob::Reader;
use crate::dataset::natural;

/// A member with what its name says.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) member: Member,
    /// What follows the key and the dot, in lower case.
    pub(super) ending: String,
    pub(super) class: Class,
}

/// The members of a sample that are read.
#[derive(Debug)]
pub(super) struct Group {
    /// The sample's key.
    pub(super) key: String,
    /// At least one, in the archive's order.
    pub(super) parts: Vec<Part>,
}

impl Group {
    /// Where its first header starts.
    pub(super) fn place(&self) -> u64 {
        self.parts[0].member.header
    }

    /// Its members of a class, `x.img2.jpg` before `x.img10.jpg`.
    pub(super) fn of(&self, class: Class) -> Vec<&Part> {
        let mut found: Vec<_> = self
            .parts
            .iter()
            .filter(|part| part.class == class)
            .collect();
        found.sort_by(|a, b| natural::compare(&a.ending, &b.ending));
        found
    }

    /// The one member of a class that counts: that of the plain ending if there are several (`x.json` and `x.meta.json`).
    pub(super) fn main(&self, class: Class) -> Option<&Part> {
        self.of(class)
            .into_iter()
            .min_by_key(|part| part.ending.contains('.'))
    }

    /// Reads the group that starts at a header; `None` when there is none.
    pub(super) fn read(file: &Reader, start: u64) -> std::io::Result<Option<Self>> {
        let mut walk = Walk::new(file, start);
        let mut grouping = Grouping::default();
        loop {
            match walk.next() {
                Ok(Some(member)) => {
                    let whole = grouping.add(member);
                    if whole.is_some() {
                        return Ok(whole);
                    }
                }
                Err(Stop::Io(error)) => return Err(error),
                // What the archive lacks here was found when it was opened.
                Ok(None) | Err(Stop::Broken(_)) => return Ok(grouping.finish()),
            }
        }
    }
}

/// Puts members together.
#[derive(Debug, Default)]
pub(super) struct Grouping {
    key: String,
    parts: Vec<Part>,
}

impl Grouping {
    /// Takes the next member and gives the group before it, if it ends that.
    pub(super) fn add(&mut self, member: Member) -> Option<Group> {
        let (key, ending) = name::split(&member.name)?;
        let mut whole = None;
        if key != self.key {
            whole = self.finish();
            key.clone_into(&mut self.key);
        }
        let ending = ending.to_lowercase();
        let class = Class::of(&ending);
        if class != Class::Other {
            self.parts.push(Part {
                member,
                ending,
                class,
            });
        }
        whole
    }

    /// Whether a member of that name would belong to the group so far.
    pub(super) fn goes_on_with(&self, name: &str) -> bool {
        name::split(name).is_some_and(|(key, _)| key == self.key)
    }

    /// Whether the group so far has the same endings as one that is whole; without one to compare, whether it has a text.
    pub(super) fn has_endings_of(&self, whole: Option<&Group>) -> bool {
        let endings = |parts: &[Part]| {
            parts
                .iter()
                .map(|part| part.ending.clone())
                .collect::<Vec<_>>()
        };
        match whole {
            Some(whole) => endings(&whole.parts) == endings(&self.parts),
            None => self
                .parts
                .iter()
                .any(|part| matches!(part.class, Class::Json | Class::Caption)),
        }
    }

    /// The group so far.
    pub(super) fn finish(&mut self) -> Option<Group> {
        let (key, parts) = (
            std::mem::take(&mut self.key),
            std::mem::take(&mut self.parts),
        );
        (!parts.is_empty()).then_some(Group { key, parts })
    }
}
