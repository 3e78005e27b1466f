//! The folder of a search: what was proposed, and what came of it.

mod error;
mod folder;
mod lock;
mod trial;

pub use error::StudyError;
pub use folder::Folder;
pub use lock::Lock;
pub use trial::{Outcome, Predicted, Trial};
