//! Names that others gave: of bounded length, with the whole where a pointer rests on them.

use super::markup::{Tag, tag};
use crate::printable::printable;
use crate::report::width::{columns, cut};

/// The columns of a name in a table.
const TABLE: usize = 40;
/// A whole name is cut here, too: it stands in many places.
const WHOLE: usize = 2000;

/// At most so many columns of a name.
pub(super) fn short(name: &str, most: usize) -> String {
    cut(&printable(name), most)
}

/// All of a name, as far as anybody reads.
pub(super) fn whole(name: &str) -> String {
    short(name, WHOLE)
}

/// A name in running text or a table, kept apart from what is around it in its direction of writing.
pub(super) fn name(name: &str) -> Tag {
    let element = if columns(&printable(name)) > TABLE {
        tag("bdi").set("title", whole(name))
    } else {
        tag("bdi")
    };
    element.text(short(name, TABLE))
}
