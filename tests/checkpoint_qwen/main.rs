//! Opening Qwen2-VL and Qwen2.5-VL checkpoints: every naming scheme, both ways to write the config, refused settings.
#![expect(clippy::float_cmp, reason = "numbers are read, not computed")]
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

#[path = "../support/checkpoints.rs"]
mod support;

mod reading;
mod refused;
mod tiny;
mod weights;
