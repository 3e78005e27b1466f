//! Embeddings of a corpus's pictures, one vector of unit length for each sample: what concepts are clusters of.
//!
//! They are made as a run makes its hidden states, by [`crate::extract`] with a model of [`crate::vlm::embed`], and lie
//! in shards of their own. Here is what such an extraction is told, and what its shards come to.

mod gather;
mod work;

pub use gather::{Embedded, gather};
pub use work::{LAYERS, options, settings, work};
