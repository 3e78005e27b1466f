//! MixAtlas (arXiv 2604.14198): a corpus on two axes, and a search over its mixtures that knows what it does not know.
//!
//! Every sample has an image *concept* and a *task*; the samples that share both are a *cell* ([`Grid`]). A mixture of
//! cells is tried on a small proxy model, a surrogate learns from the trials what mixtures do, and says which to try next.
//!
//! ```text
//! label ─▶ Grid ─▶ space ─▶ study ⇄ search ⇄ surrogate
//!                             ▲
//!                           proxy
//! ```
//!
//! The paper leaves its kernel, acquisition constants and initial design open: those here are our choices.

pub mod analysis;
pub mod cells;
pub mod chance;
pub mod embed;
mod grid;
pub mod label;
pub mod lock;
mod mixture;
pub mod proxy;
pub mod replay;
pub mod runner;
pub mod search;
pub mod space;
pub mod study;
pub mod surrogate;
#[cfg(test)]
mod testing;
mod trial;

pub(crate) use grid::epochs;
pub use grid::{Cell, CellDataset, Grid, GridError, StoredGrid};
pub use mixture::mixture;
pub use trial::{Outcome, Predicted, Trial};
