//! The two axes: which concept a sample's pictures show, and which task its conversation sets.

mod file;
mod gathered;
pub mod kmeans;
mod merge;
pub mod names;
mod summary;
pub mod tasks;

/// Whether a sign is of a script that is written without spaces, and so counts as a word.
pub(crate) fn is_unspaced(c: char) -> bool {
    let of_script =
        matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}');
    of_script && c.is_alphanumeric()
}

pub use file::{Meaning, WriteError, labels_path, read, write};
pub use gathered::{Ids, Label, Labelled};
pub use merge::{Concepts, Join, Merged, cell_name, merge};
pub use summary::{CellSummary, Concept, Findings, NamedBy, RuleHits, Stable, Summary};
