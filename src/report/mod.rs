//! What people read: tables for the terminal, and a page with figures.

mod align;
mod analysis_text;
mod compare;
mod comparison;
mod html;
mod labels;
mod plan;
mod table;
mod width;

pub(crate) use align::{align, shown};
pub use analysis_text::analysis_text;
pub use comparison::comparison_text;
pub(crate) use html::{Nearest, concepts_html};
pub use html::{atlas_html, html};
pub(crate) use labels::labels_text;
pub(crate) use plan::{PlanReport, plan_json, plan_text};
pub use table::mixture_table;
