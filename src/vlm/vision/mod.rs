//! Vision towers: pictures in, one feature vector per patch out.

pub mod vit;
