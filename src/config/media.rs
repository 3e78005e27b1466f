//! The sections `[media]` and `[video]`: how pictures and clips are read and resized.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::media::{Limits, Sampling, VideoLimits};
use crate::vlm::PixelBounds;

/// The section `[media]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Media {
    /// Qwen-VL: pictures of fewer pixels are enlarged; the checkpoint's own if not said.
    pub min_pixels: Option<u64>,
    /// Qwen-VL: pictures of more pixels are shrunk; the checkpoint's own if not said.
    pub max_pixels: Option<u64>,
    /// Picture files of more pixels are failures.
    pub file_max_pixels: u64,
    /// Picture files of more bytes are failures.
    pub file_max_bytes: u64,
}

/// The section `[video]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Video {
    /// Which frames are taken.
    pub sampling: SamplingName,
    /// Frames of a clip, for `sampling = "num_frames"`.
    pub num_frames: Option<u32>,
    /// Frames of a second, for `sampling = "fps"`; 2 if not said.
    pub fps: Option<f64>,
    /// Clips of more frames than that, after sampling, are thinned evenly.
    pub max_frames: Option<u32>,
    /// Frames of a second of a clip that is a folder of pictures, which no file says.
    pub folder_fps: f64,
    /// Qwen-VL: frames of fewer pixels are enlarged; the checkpoint's own if not said.
    pub min_pixels: Option<u64>,
    /// Qwen-VL: frames of more pixels are shrunk; the checkpoint's own if not said.
    pub max_pixels: Option<u64>,
    /// Video files of more bytes are failures.
    pub file_max_bytes: u64,
    /// How long ffprobe and ffmpeg may go on without giving anything.
    pub timeout_seconds: u64,
}

/// Which frames of a clip are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SamplingName {
    /// As the family is trained: `llava_next` for the LLaVA line, `fps` for Qwen-VL.
    #[default]
    Auto,
    /// Every frame.
    Every,
    /// So many, spread evenly.
    NumFrames,
    /// So many a second.
    Fps,
    /// One a second up to 32, then 32 spread evenly; of a folder 10.
    LlavaNext,
}

impl Default for Media {
    fn default() -> Self {
        let Limits {
            max_pixels,
            max_bytes,
        } = Limits::default();
        Self {
            min_pixels: None,
            max_pixels: None,
            file_max_pixels: max_pixels,
            file_max_bytes: max_bytes,
        }
    }
}

impl Default for Video {
    fn default() -> Self {
        let limits = VideoLimits::default();
        Self {
            sampling: SamplingName::default(),
            num_frames: None,
            fps: None,
            max_frames: None,
            folder_fps: limits.folder_fps,
            min_pixels: None,
            max_pixels: None,
            file_max_bytes: limits.max_bytes,
            timeout_seconds: limits.timeout.as_secs(),
        }
    }
}

impl Media {
    pub(super) fn check(&self) -> Result<(), String> {
        check_bounds("media", self.min_pixels, self.max_pixels)
    }

    /// How large a picture file may be.
    pub fn limits(&self) -> Limits {
        Limits {
            max_pixels: self.file_max_pixels,
            max_bytes: self.file_max_bytes,
        }
    }

    /// What pictures are resized to.
    pub fn bounds(&self) -> PixelBounds {
        PixelBounds {
            min_pixels: self.min_pixels,
            max_pixels: self.max_pixels,
        }
    }
}

impl Video {
    pub(super) fn check(&self) -> Result<(), String> {
        check_bounds("video", self.min_pixels, self.max_pixels)?;
        let positive = |rate: f64| rate.is_finite() && rate > 0.0;
        if !positive(self.folder_fps) {
            return Err(format!(
                "video.folder_fps = {} is no number above 0",
                self.folder_fps
            ));
        }
        if let Some(fps) = self.fps.filter(|fps| !positive(*fps)) {
            return Err(format!("video.fps = {fps} is no number above 0"));
        }
        for (key, count) in [
            ("num_frames", self.num_frames),
            ("max_frames", self.max_frames),
        ] {
            if count == Some(0) {
                return Err(format!("video.{key} must be at least 1"));
            }
        }
        if self.timeout_seconds == 0 {
            return Err("video.timeout_seconds must be at least 1".into());
        }
        match (self.sampling, self.num_frames, self.fps) {
            (SamplingName::NumFrames, None, _) => {
                Err("video.sampling = \"num_frames\" needs video.num_frames".into())
            }
            (SamplingName::NumFrames, _, None) | (SamplingName::Fps, None, _) | (_, None, None) => {
                Ok(())
            }
            (_, Some(_), _) => Err(
                "video.num_frames has a meaning only with video.sampling = \"num_frames\"".into(),
            ),
            (_, _, Some(_)) => {
                Err("video.fps has a meaning only with video.sampling = \"fps\"".into())
            }
        }
    }

    /// The frames to take, where a family is trained on `auto`.
    pub fn sampling(&self, auto: Sampling) -> Sampling {
        match self.sampling {
            SamplingName::Auto => auto,
            SamplingName::Every => Sampling::Every,
            SamplingName::NumFrames => Sampling::NumFrames(self.num_frames.unwrap_or(1)),
            SamplingName::Fps => self.fps.map_or(Sampling::QWEN_VL, Sampling::Fps),
            SamplingName::LlavaNext => Sampling::LlavaNext,
        }
    }

    /// How large a clip may be and how long it may take; a frame may have as many pixels as a picture file.
    pub fn limits(&self, frame: Limits) -> VideoLimits {
        VideoLimits {
            max_bytes: self.file_max_bytes,
            max_pixels: frame.max_pixels,
            timeout: Duration::from_secs(self.timeout_seconds),
            folder_fps: self.folder_fps,
            ..VideoLimits::default()
        }
    }

    /// What frames are resized to.
    pub fn bounds(&self) -> PixelBounds {
        PixelBounds {
            min_pixels: self.min_pixels,
            max_pixels: self.max_pixels,
        }
    }
}

fn check_bounds(section: &str, min: Option<u64>, max: Option<u64>) -> Result<(), String> {
    match (min, max) {
        (_, Some(0)) => Err(format!("{section}.max_pixels must be at least 1")),
        (Some(min), Some(max)) if min > max => Err(format!(
            "{section}.min_pixels = {min} is more than {section}.max_pixels = {max}"
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn video(text: &str) -> Result<Video, String> {
        let video: Video = toml::from_str(text).map_err(|error| error.to_string())?;
        video.check().map(|()| video)
    }

    #[test]
    fn what_is_said_about_sampling_must_fit_together() {
        let taken = |text: &str| video(text).unwrap().sampling(Sampling::LlavaNext);
        assert_eq!(taken(""), Sampling::LlavaNext);
        assert_eq!(taken("sampling = \"every\""), Sampling::Every);
        assert_eq!(taken("sampling = \"fps\""), Sampling::Fps(2.0));
        assert_eq!(taken("sampling = \"fps\"\nfps = 0.5"), Sampling::Fps(0.5));
        let eight = "sampling = \"num_frames\"\nnum_frames = 8";
        assert_eq!(taken(eight), Sampling::NumFrames(8));
        for (text, says) in [
            ("sampling = \"num_frames\"", "needs video.num_frames"),
            (
                "num_frames = 8",
                "only with video.sampling = \"num_frames\"",
            ),
            (
                "sampling = \"every\"\nfps = 1.0",
                "only with video.sampling = \"fps\"",
            ),
            (
                "sampling = \"fps\"\nfps = 0.0",
                "video.fps = 0 is no number above 0",
            ),
            (
                "folder_fps = -1.0",
                "video.folder_fps = -1 is no number above 0",
            ),
            ("max_frames = 0", "video.max_frames must be at least 1"),
            ("timeout_seconds = 0", "video.timeout_seconds"),
            (
                "min_pixels = 5\nmax_pixels = 4",
                "video.min_pixels = 5 is more than",
            ),
        ] {
            let error = video(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
