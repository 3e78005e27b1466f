//! What people read: tables for the terminal.

mod comparison;
mod table;

pub use comparison::comparison_text;
pub use table::mixture_table;
pub(crate) use table::{align, shown};
