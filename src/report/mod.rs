//! What people read: tables for the terminal.

mod table;

pub(crate) use table::align;
pub use table::mixture_table;
