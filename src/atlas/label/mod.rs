//! The two axes: which concept a sample's pictures show, and which task its conversation sets.

mod file;
mod gathered;
pub mod kmeans;
mod merge;
pub mod names;
mod summary;
pub mod tasks;

pub use file::{Meaning, WriteError, labels_path, write};
pub use gathered::{Ids, Label, Labelled};
pub use merge::{Concepts, Join, Merged, cell_name, merge};
pub use summary::{CellSummary, Concept, Findings, NamedBy, RuleHits, Stable, Summary};
