//! Where the pages of a column lie.

use std::ops::Range;

/// The pages of a column, in their order.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) dictionary: Option<Range<u64>>,
    pub(super) pages: Box<[Place]>,
    /// What is wrong with the page after the last, if there should be one.
    pub(super) broken: Option<String>,
}

/// Where a page of values lies.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) at: Range<u64>,
    /// Rows in it, where it is known that it starts with one and ends with one.
    pub(super) rows: Option<usize>,
}
