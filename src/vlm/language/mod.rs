//! Language models: embeddings in, the hidden states that were asked for out. Prefill only, so there
//! is no cache of keys and values and no head.

pub mod decoder;
