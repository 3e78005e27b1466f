//! What can be wrong with a clip.

use super::super::{MediaError, Size};

/// What the text of a fault asks for that may not come again, such as a decoder that took too long: it says nothing of
/// the file.
pub const RETRY: &str = "run again with --retry-failed";
/// How the fault of a file reads that another build of the programs may understand.
pub const UNDECODABLE: &str = "cannot read it as a video";

/// A clip that cannot be used, and why. No text but that of a frame's own fault names a path.
#[derive(Debug, thiserror::Error)]
pub enum VideoError {
    /// `ffmpeg` or `ffprobe` cannot be started.
    #[error(
        "{program} cannot be started ({reason}): videos in files need ffmpeg and ffprobe on PATH; install them (e.g. \
         `apt-get install ffmpeg`), or store each video as a folder of frames, which needs neither"
    )]
    NoProgram {
        /// The program.
        program: &'static str,
        /// The system's words.
        reason: String,
    },
    /// The system has no room for another process.
    #[error("{program} cannot be started: {reason}")]
    NotStarted {
        /// The program.
        program: &'static str,
        /// The system's words.
        reason: String,
    },
    /// The programs do not make sense of the file.
    #[error("{program} {UNDECODABLE}: {reason}")]
    Undecodable {
        /// The program.
        program: &'static str,
        /// Its last words.
        reason: String,
    },
    /// A picture, a text or a playlist.
    #[error("not a video file, by its content: ffprobe takes it for \"{format}\"")]
    NotAVideo {
        /// The format's name in ffmpeg.
        format: String,
    },
    /// Sound alone, or sound with cover art.
    #[error("has no video stream, by its content \"{format}\"")]
    NoVideoStream {
        /// The format's name in ffmpeg.
        format: String,
    },
    /// An empty folder, or a video stream without a single frame.
    #[error(
        "has no frames (in a folder: pictures named .jpg, .jpeg, .png, .webp, .bmp, .gif, .tif or .tiff)"
    )]
    NoFrames,
    /// More frames than [`VideoLimits::max_frames_in_file`](super::VideoLimits::max_frames_in_file).
    #[error("has more frames than the limit of {limit}")]
    TooManyFrames {
        /// The limit.
        limit: u64,
    },
    /// Fewer frames can be decoded than the file has packets for.
    #[error(
        "lies about its length: {frames} frames by its packets, at most {decoded} can be decoded{reason}"
    )]
    FewerFrames {
        /// Frames that the file promises.
        frames: u64,
        /// No more than so many come.
        decoded: u64,
        /// Empty, or ": " and ffmpeg's last words.
        reason: String,
    },
    /// The programs took too long.
    #[error(
        "{program} gave nothing for {seconds} s; if the clip is sound, raise video.timeout_seconds and {RETRY}"
    )]
    Timeout {
        /// The program.
        program: &'static str,
        /// The limit.
        seconds: f64,
    },
    /// A frame of another size than the rest.
    #[error("{frame} is {found}, but the clip is {expected}: all frames need the same size")]
    FrameSize {
        /// Which frame.
        frame: String,
        /// The clip's size.
        expected: Size,
        /// The frame's.
        found: Size,
    },
    /// A frame in a folder that cannot be used.
    #[error("frame {name}: {source}")]
    Frame {
        /// The file's name.
        name: String,
        /// What is wrong with it.
        source: Box<MediaError>,
    },
    /// A name in a folder of frames that does not say where the frame belongs.
    #[error(
        "frame {name} has no number in its name (below 2^64), so its place in the clip is unknown"
    )]
    NoNumber {
        /// The file's name.
        name: String,
    },
    /// Two files for one place.
    #[error("frames {first} and {second} both have number {number}")]
    SameNumber {
        /// A file's name.
        first: String,
        /// The other's.
        second: String,
        /// The number.
        number: u64,
    },
    /// A gap in the numbers.
    #[error(
        "frame number {missing} is missing after {after}: elsewhere numbers are only {step} apart"
    )]
    Hole {
        /// The first number that is missing.
        missing: u64,
        /// The frame in front of it.
        after: String,
        /// The smallest distance between two numbers.
        step: u64,
    },
    /// More frames asked for than there are.
    #[error("has {frames} frames, but {asked} are to be sampled; ask for fewer")]
    TooShort {
        /// Frames in the clip.
        frames: u64,
        /// Frames to sample.
        asked: u64,
    },
    /// Sampling by seconds, but the file gives no frame rate.
    #[error(
        "has no frame rate, so nothing can be said about its seconds; store it as a folder of frames, or as a file that \
         has one"
    )]
    NoFrameRate,
    /// A rate or a number that no clip can be sampled with.
    #[error("cannot sample {what}")]
    BadSampling {
        /// What was asked for.
        what: String,
    },
    /// Frame numbers that are not ascending, or beyond the end.
    #[error("frame {index} was asked for after {before:?}, of {frames} frames in ascending order")]
    BadIndex {
        /// The frame.
        index: u64,
        /// The one asked for before it.
        before: Option<u64>,
        /// Frames in the clip.
        frames: u64,
    },
}

impl VideoError {
    /// A short stable name of the fault, to count by.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NoProgram { .. } => "no-ffmpeg",
            Self::NotStarted { .. } => "unreadable",
            Self::Undecodable { .. } => "corrupt",
            Self::NotAVideo { .. } => "unknown-format",
            Self::NoVideoStream { .. } => "no-video",
            Self::NoFrames => "empty",
            Self::TooManyFrames { .. } => "too-large",
            Self::FewerFrames { .. } => "truncated",
            Self::Timeout { .. } => "timeout",
            Self::FrameSize { .. } => "frame-size",
            Self::Frame { source, .. } => source.kind(),
            Self::NoNumber { .. } | Self::SameNumber { .. } | Self::Hole { .. } => "frame-order",
            Self::TooShort { .. } => "too-short",
            Self::NoFrameRate => "no-frame-rate",
            Self::BadSampling { .. } | Self::BadIndex { .. } => "config",
        }
    }

    /// The fault without paths.
    pub(in crate::media) fn problem(&self) -> String {
        match self {
            Self::Frame { name, source } => format!("frame {name}: {}", source.problem()),
            fault => fault.to_string(),
        }
    }
}
