//! Opening Qwen2-VL and Qwen2.5-VL checkpoints: every naming scheme, both ways to write the config, refused settings.

mod reading;
mod refused;
mod tiny;
mod weights;
