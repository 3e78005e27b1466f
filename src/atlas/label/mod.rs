//! The two axes: which concept a sample's pictures show, and which task its conversation sets.

pub mod kmeans;
pub mod names;
pub mod tasks;
