//! What the reference made of the same samples: `cases.json`, `pooled.safetensors`, `last_hidden.safetensors`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use madmix::config::{Protocol, TooLong};
use madmix::extract::Options;
use madmix::media::{Limits, Orientation, Resampler, Sampling, VideoLimits};
use madmix::vlm::{PixelBounds, ProcessorOptions};
use safetensors::SafeTensors;
use serde::Deserialize;
use serde_json::Value;

use crate::places::repository;

/// A folder of fixtures; written by `scripts/fixtures`.
#[derive(Deserialize)]
pub(crate) struct Reference {
    /// Entries of `hidden_states`: the language model's layers and one.
    pub(crate) hidden_states: usize,
    /// The id that stands at the positions of pictures in `input_ids`.
    #[serde(alias = "placeholder_id")]
    pub(crate) image_token_id: u32,
    /// Likewise of clips.
    #[serde(default)]
    pub(crate) video_token_id: Option<u32>,
    pub(crate) cases: Vec<Case>,
}

/// One sample.
#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// The sample as a row of a LLaVA JSON file.
    pub(crate) row: Value,
    pub(crate) pictures: Vec<PictureOf>,
    #[serde(default)]
    pub(crate) videos: Vec<VideoOf>,
    /// What is not as by default.
    #[serde(default)]
    pub(crate) settings: Settings,
    /// Positions of `image`, `video` and of `text.all`, `text.content` and `text.answer`.
    pub(crate) tokens: HashMap<String, u32>,
    pub(crate) input_ids: Vec<u32>,
}

/// One picture of a sample.
#[derive(Deserialize)]
pub(crate) struct PictureOf {
    pub(crate) file: String,
    pub(crate) tiles: usize,
    pub(crate) tokens: usize,
    /// By resampler the SHA-256 of the levels `[tiles, 3, side, side]`.
    pub(crate) levels: HashMap<String, String>,
}

/// One clip of a sample.
#[derive(Deserialize)]
pub(crate) struct VideoOf {
    /// The folder of its frames.
    pub(crate) folder: String,
    /// The frames taken of it.
    pub(crate) frames: Vec<u64>,
    pub(crate) tokens: usize,
    /// As for pictures.
    pub(crate) levels: HashMap<String, String>,
}

/// Settings of a case; by default every frame of a clip is taken.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) sampling: SamplingOf,
    pub(crate) folder_fps: Option<f64>,
    pub(crate) min_pixels: Option<u64>,
    pub(crate) max_pixels: Option<u64>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SamplingOf {
    #[default]
    Every,
    NumFrames(u32),
    Fps(f64),
}

impl Case {
    /// Positions of a key of `tokens`; 0 where the family has none.
    pub(crate) fn count(&self, key: &str) -> u32 {
        self.tokens.get(key).copied().unwrap_or(0)
    }
}

impl Settings {
    /// As the library takes them.
    pub(crate) fn options(
        &self,
        resampler: Resampler,
        orientation: Orientation,
        protocol: Protocol,
    ) -> Options {
        let bounds = PixelBounds {
            min_pixels: self.min_pixels,
            max_pixels: self.max_pixels,
        };
        let mut video = VideoLimits::default();
        video.folder_fps = self.folder_fps.unwrap_or(video.folder_fps);
        Options {
            processor: ProcessorOptions {
                resampler,
                pictures: bounds,
                frames: bounds,
            },
            orientation,
            limits: Limits::default(),
            sampling: match self.sampling {
                SamplingOf::Every => Sampling::Every,
                SamplingOf::NumFrames(n) => Sampling::NumFrames(n),
                SamplingOf::Fps(fps) => Sampling::Fps(fps),
            },
            max_frames: None,
            video,
            spans: true,
            protocol,
            max_tokens: None,
            too_long: TooLong::Fail,
        }
    }
}

/// f32 tensors by name: their width and their rows one after the other.
pub(crate) type Vectors = HashMap<String, (usize, Vec<f32>)>;

/// The folder of one family's fixtures.
pub(crate) fn folder(fixtures: &str) -> PathBuf {
    Path::new(repository())
        .join("tests/fixtures")
        .join(fixtures)
}

impl Reference {
    pub(crate) fn read(fixtures: &str) -> Self {
        let bytes = fs_err::read(folder(fixtures).join("cases.json")).unwrap();
        let read: Self = serde_json::from_slice(&bytes).unwrap();
        assert!(!read.cases.is_empty(), "{fixtures} has no cases");
        read
    }
}

/// Reads a file of f32 tensors of one or two dimensions.
pub(crate) fn vectors(fixtures: &str, file: &str) -> Vectors {
    let bytes = fs_err::read(folder(fixtures).join(file)).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let read = |(name, view): (String, safetensors::tensor::TensorView<'_>)| {
        let width = *view.shape().last().unwrap();
        (name, (width, crate::checkpoints::f32_values(&view)))
    };
    tensors.tensors().into_iter().map(read).collect()
}
