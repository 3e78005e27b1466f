//! Files of rows, for trainers that cannot choose rows themselves.
//!
//! [`subset()`] writes the rows that a dataset's filter keeps, [`mixture()`] the rows of a whole plan, drawn to its counts
//! and shuffled. Both write rows of the form that [`Layout`] says, made from what [`Dataset::read`] makes of them, so
//! every irregularity that is tolerated there is gone here. Rows stream from file to file; none is held for longer than
//! its batch. Media that lie inside a dataset's files are written out beside them.

mod layout;
mod media;
mod mixture;
mod reader;
mod spares;
mod subset;

pub use layout::{Layout, MediaPaths, VideoPlaceholder};
pub use mixture::{Drawn, mixture};
pub use subset::{Subset, subset};

#[cfg(doc)]
use crate::dataset::Dataset;
