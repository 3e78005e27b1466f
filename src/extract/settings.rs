//! The settings that a shard's bytes depend on.

use serde::Serialize;

use crate::config::{Config, ResamplerName};
use crate::media::Orientation;
use crate::store::Settings;
use crate::vlm::{Layer, TextScope};

/// Raised whenever the same settings come to mean other vectors.
const REVISION: u32 = 1;

#[derive(Serialize)]
struct Shown<'a> {
    revision: u32,
    seed: u64,
    layers: &'a [Layer],
    text_scope: TextScope,
    dtype: &'a str,
    resampler: ResamplerName,
    exif: &'a str,
    batch_tokens: usize,
    max_pixels: u64,
    max_bytes: u64,
}

/// What of a config goes into the fingerprint of its shards. How many samples are taken does not: more
/// samples are more shards.
pub fn settings(config: &Config, dtype: candle_core::DType, orientation: Orientation) -> Settings {
    let extract = &config.extract;
    Settings::new(&Shown {
        revision: REVISION,
        seed: extract.seed,
        layers: &extract.layers,
        text_scope: extract.text_scope,
        dtype: dtype.as_str(),
        resampler: config.model.resampler,
        exif: match orientation {
            Orientation::Apply => "apply",
            Orientation::Ignore => "ignore",
        },
        batch_tokens: extract.batch_tokens,
        max_pixels: extract.max_pixels,
        max_bytes: extract.max_bytes,
    })
    .expect("settings are plain values")
}
