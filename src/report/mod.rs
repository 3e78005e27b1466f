//! What people read: tables for the terminal.

mod table;

pub use table::mixture_table;
pub(crate) use table::{align, shown};
