//! Clips: from a video file, or a folder of frames, to the frames that a checkpoint's training would have taken.
//!
//! Files are left to `ffprobe` and `ffmpeg` on `PATH`: no decoder in Rust reads what the programs read, and frames have
//! to be theirs, since trainers decode with the same libraries. A folder of frames needs no program.
//!
//! [`Clip::probe`] says how long and large a clip is, so that a batch can be planned; [`Sampling::indices`] chooses
//! frames; [`Clip::read`] decodes them one by one. A clip is as long as what is there of it: of a file that was cut off
//! the rest counts, if it can be read at all.

mod clip;
mod error;
mod ffmpeg;
mod ffprobe;
mod folder;
mod process;
mod sampling;
mod select;
mod words;

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

pub use clip::Clip;
pub use error::{RETRY, UNDECODABLE, VideoError};
pub(super) use folder::all as frame_names;
pub use sampling::{FrameRounding, Sampling};

use super::Limits;

/// What a clip is stored as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClipKind {
    /// A video file.
    File,
    /// A folder with a picture for every frame.
    Folder,
}

/// How large a clip may be, and how long it may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VideoLimits {
    /// Bytes of a video file. 8 GiB by default.
    pub max_bytes: u64,
    /// Pixels of a frame. By default that of [`Limits`].
    pub max_pixels: u64,
    /// Frames in a file or a folder, whether they are taken or not. 1,000,000 by default.
    pub max_frames_in_file: u64,
    /// How long ffprobe and ffmpeg may go on without giving anything: a clip that takes longer to its next frame hangs.
    /// Two minutes by default. (A limit on all of a clip would be one on its length.)
    pub timeout: Duration,
    /// The rate of a folder's frames, which no file says: frames a second. 2 by default.
    pub folder_fps: f64,
}

impl Default for VideoLimits {
    fn default() -> Self {
        Self {
            max_bytes: 8 << 30,
            max_pixels: Limits::default().max_pixels,
            max_frames_in_file: 1_000_000,
            timeout: Duration::from_mins(2),
            folder_fps: 2.0,
        }
    }
}

/// The programs, looked up on `PATH`. Tests put others in their place.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Programs {
    /// `ffmpeg`.
    pub ffmpeg: OsString,
    /// `ffprobe`.
    pub ffprobe: OsString,
}

impl Default for Programs {
    fn default() -> Self {
        Self {
            ffmpeg: "ffmpeg".into(),
            ffprobe: "ffprobe".into(),
        }
    }
}

/// The formats of ffmpeg that are read: those that hold a film in one file. Its others are pictures, texts, devices and
/// above all lists of other files (`concat`, `hls`, `dash`, `sdp`, `imf`), which a clip must not make it open. Sound is
/// read for the sake of the message.
const FORMATS: &[&str] = &[
    "mov",
    "mp4",
    "m4a",
    "3gp",
    "3g2",
    "mj2",
    "matroska",
    "webm",
    "avi",
    "mpegts",
    "mpegtsraw",
    "mpeg",
    "mpegvideo",
    "flv",
    "live_flv",
    "kux",
    "asf",
    "asf_o",
    "ogg",
    "gif",
    "apng",
    "mxf",
    "nut",
    "ivf",
    "obu",
    "av1",
    "h261",
    "h263",
    "h264",
    "hevc",
    "vvc",
    "m4v",
    "mjpeg",
    "vc1",
    "vc1test",
    "cavsvideo",
    "avs2",
    "avs3",
    "dirac",
    "dv",
    "rm",
    "wtv",
    "yuv4mpegpipe",
    "aac",
    "flac",
    "mp3",
    "wav",
];

/// The arguments that name the input: a file on this machine, whatever its name looks like, and none that names others.
fn input(path: &Path) -> [OsString; 6] {
    let mut url = OsString::from("file:");
    url.push(path);
    [
        "-protocol_whitelist".into(),
        "file".into(),
        "-format_whitelist".into(),
        FORMATS.join(",").into(),
        "-i".into(),
        url,
    ]
}
