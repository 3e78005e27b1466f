//! What an extraction of embeddings is told: how pictures are read, which samples there are, what its shards hang on.

use std::sync::Arc;

use candle_core::DType;
use serde::Serialize;

use crate::config::{BatchTokens, Concepts, Config, Protocol, ResamplerName, TooLong};
use crate::dataset::Dataset;
use crate::extract::{DatasetWork, Options};
use crate::media::{Orientation, Sampling};
use crate::store::{Settings, ShardKey};
use crate::vlm::embed::Source;
use crate::vlm::{Layer, PixelBounds, ProcessorOptions};

/// Raised whenever the same settings come to mean other vectors.
const REVISION: u32 = 1;

/// The name of the vectors in the shards. Embeddings have no layers.
pub const LAYERS: &[Layer] = &[Layer::Last];

/// The most pixels of a picture for a tower that takes any number, and as many as others see: what a picture is of shows
/// at this size, and fine print does not.
const MAX_PIXELS: u64 = 448 * 448;

/// How pictures and clips are read: as the config says for a run, but `frames` frames of a clip, spread evenly, and for
/// towers that take pictures of any size at most 448² pixels.
pub fn options(config: &Config, orientation: Orientation, frames: u32) -> Options {
    let (media, video) = (&config.media, &config.video);
    let capped = |bounds: PixelBounds| PixelBounds {
        min_pixels: bounds.min_pixels.map(|min| min.min(MAX_PIXELS)),
        max_pixels: Some(bounds.max_pixels.unwrap_or(MAX_PIXELS).min(MAX_PIXELS)),
    };
    let limits = media.limits();
    Options {
        processor: ProcessorOptions {
            resampler: config.model.resampler.into(),
            pictures: capped(media.bounds()),
            frames: capped(video.bounds()),
        },
        orientation,
        limits,
        // Qwen-VL's rounding to pairs would leave none of one, so that one is taken of two.
        sampling: Sampling::NumFrames(frames.max(2)),
        max_frames: Some(frames),
        video: video.limits(limits),
        spans: false,
        protocol: Protocol::Separate,
        max_tokens: None,
        too_long: TooLong::Shrink,
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    revision: u32,
    embedding: &'a str,
    frames: u32,
    dtype: &'a str,
    resampler: ResamplerName,
    exif: &'a str,
    batch_tokens: BatchTokens,
    /// Of towers that take pictures of any size.
    pixels: Option<[PixelBounds; 2]>,
    file_max_pixels: u64,
    file_max_bytes: u64,
    video_folder_fps: f64,
    video_file_max_bytes: u64,
}

/// What goes into the fingerprint of the shards, beside the checkpoint and the samples.
pub fn settings(config: &Config, source: &Source, dtype: DType, options: &Options) -> Settings {
    let concepts = config.atlas.as_ref().map(|atlas| &atlas.concepts);
    let bounds = [options.processor.pictures, options.processor.frames];
    Settings::new(&Shown {
        revision: REVISION,
        embedding: match source {
            Source::Embedding(_) => "pair",
            Source::Tower(_) => "tower",
        },
        frames: concepts.map_or_else(|| Concepts::default().frames, |concepts| concepts.frames),
        dtype: dtype.as_str(),
        resampler: config.model.resampler,
        exif: match options.orientation {
            Orientation::Apply => "apply",
            Orientation::Ignore => "ignore",
        },
        batch_tokens: config.extract.batch_tokens,
        pixels: source.takes_any_size().then_some(bounds),
        file_max_pixels: config.media.file_max_pixels,
        file_max_bytes: config.media.file_max_bytes,
        video_folder_fps: config.video.folder_fps,
        video_file_max_bytes: config.video.file_max_bytes,
    })
    .expect("settings are plain values")
}

/// The samples of a dataset that have pictures or clips, by their indices into it, as work: in that order, 64 to a shard.
/// The shards hang on which samples they are.
pub fn work(
    name: &str,
    dataset: Arc<dyn Dataset>,
    indices: &[u64],
    checkpoint: &str,
    settings: &Settings,
) -> DatasetWork {
    let mut samples = blake3::Hasher::new();
    samples.update(dataset.fingerprint().as_bytes());
    for index in indices {
        samples.update(&index.to_le_bytes());
    }
    DatasetWork {
        name: name.to_owned(),
        key: Arc::new(ShardKey {
            checkpoint: checkpoint.to_owned(),
            settings: settings.clone(),
            dataset: samples.finalize().to_hex().to_string(),
        }),
        dataset,
        order: indices.into(),
    }
}
