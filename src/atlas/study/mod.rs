//! The folder of a search: what was proposed, and what came of it.

mod trial;

pub use trial::{Outcome, Predicted, Trial};
