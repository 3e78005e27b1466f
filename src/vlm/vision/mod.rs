//! Vision towers: pictures in, one feature vector per patch out.

mod normalise;
pub mod qwen_vl;
pub mod vit;
