//! The settings that a shard's bytes depend on.

use serde::Serialize;

use crate::config::{BatchTokens, Config, Protocol, ResamplerName, TooLong};
use crate::media::{Orientation, Sampling};
use crate::store::Settings;
use crate::vlm::{Layer, MropeRule, PixelBounds, TextScope};

/// Raised whenever the same settings come to mean other vectors.
const REVISION: u32 = 4;

#[derive(Serialize)]
struct Shown<'a> {
    revision: u32,
    seed: u64,
    layers: &'a [Layer],
    protocol: Protocol,
    text_scope: TextScope,
    dtype: &'a str,
    resampler: ResamplerName,
    exif: &'a str,
    batch_tokens: BatchTokens,
    max_tokens: Option<usize>,
    too_long: TooLong,
    pictures: PixelBounds,
    file_max_pixels: u64,
    file_max_bytes: u64,
    video: Video,
    mrope: MropeRule,
}

#[derive(Serialize)]
struct Video {
    sampling: String,
    max_frames: Option<u32>,
    folder_fps: f64,
    frames: PixelBounds,
    file_max_bytes: u64,
}

/// What of a config goes into the fingerprint of its shards. How many samples are taken does not: more
/// samples are more shards.
///
/// `batch_tokens` is what the config says, `"auto"` or a number, and not the number that was chosen from a device's
/// memory. How samples are packed changes the order of additions and nothing else, so shards of different budgets are
/// the same up to rounding, as those of different devices are, which the fingerprint does not name either. What follows:
/// - With `"auto"`, runs on different cards share their shards, whatever memory these have. Cards of one model choose
///   the same power of two, and make the same bytes.
/// - On the CPU `"auto"` is always 8192, and the bytes are the same on any machine of the same kind.
/// - On CUDA, bytes that are to be the same on cards of different memory ask for a number that fits into all of them.
///   How many patches go through the vision tower together still follows the memory, and may change last bits.
pub fn settings(
    config: &Config,
    dtype: candle_core::DType,
    orientation: Orientation,
    sampling: Sampling,
) -> Settings {
    let (extract, media, video) = (&config.extract, &config.media, &config.video);
    Settings::new(&Shown {
        revision: REVISION,
        seed: extract.seed,
        layers: &extract.layers,
        protocol: extract.protocol,
        text_scope: extract.text_scope,
        dtype: dtype.as_str(),
        resampler: config.model.resampler,
        exif: match orientation {
            Orientation::Apply => "apply",
            Orientation::Ignore => "ignore",
        },
        batch_tokens: extract.batch_tokens,
        max_tokens: extract.max_tokens,
        too_long: extract.too_long,
        pictures: media.bounds(),
        file_max_pixels: media.file_max_pixels,
        file_max_bytes: media.file_max_bytes,
        // How long a decoder may take is not among them: a sound clip has the same vectors whatever it is, and one
        // that took too long is told to be tried again.
        video: Video {
            sampling: format!("{sampling:?}"),
            max_frames: video.max_frames,
            folder_fps: video.folder_fps,
            frames: video.bounds(),
            file_max_bytes: video.file_max_bytes,
        },
        mrope: config.model.mrope,
    })
    .expect("settings are plain values")
}
