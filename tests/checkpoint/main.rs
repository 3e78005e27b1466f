//! Opening checkpoints: layouts, naming schemes, defaults of configs, and everything that is refused.
#![expect(clippy::float_cmp, reason = "numbers are read, not computed")]
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod errors;
mod llava;
mod qwen;
mod reading;
#[path = "../support/checkpoints.rs"]
mod support;
mod weights;
