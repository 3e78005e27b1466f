//! Vision towers: pictures in, one feature vector per patch out.

pub(super) mod encoder;
pub mod qwen_vl;
pub mod vit;
