//! What can be wrong with a picture or a clip.

use std::io;
use std::path::PathBuf;

use super::{Size, VideoError};
use crate::blob::{self, Blob};

/// A picture that cannot be used, and why. A caller counts it and goes on.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// The file cannot be opened or read. The text names the path.
    #[error(transparent)]
    File(io::Error),
    /// A fault in the picture that a file holds.
    #[error("{path}: {source}", path = .path.display())]
    In {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<MediaError>,
    },
    /// A folder, a pipe or a device where a file was expected.
    #[error("not a regular file")]
    NotAFile,
    /// No bytes at all.
    #[error("the file is empty")]
    Empty,
    /// The bytes are of no format that is read here. A file's name plays no part.
    #[error(
        "not a JPEG, PNG, WebP, BMP, GIF, TIFF or PNM picture: it begins with \"{begins}\"; \
         convert it, or take it out of the data"
    )]
    UnknownFormat {
        /// The first bytes, escaped.
        begins: String,
    },
    /// A file over [`Limits::max_bytes`](super::Limits::max_bytes).
    #[error("{bytes} bytes are over the limit of {limit}")]
    TooManyBytes {
        /// Bytes of the file.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// A picture over [`Limits::max_pixels`](super::Limits::max_pixels).
    #[error("{size} is {pixels} pixels, over the limit of {limit}", pixels = .size.pixels())]
    TooManyPixels {
        /// The picture's size, from its header.
        size: Size,
        /// The limit.
        limit: u64,
    },
    /// A picture with a side over 65,535 pixels.
    #[error("{size} has a side over the limit of {limit} pixels")]
    TooLong {
        /// The picture's size, from its header.
        size: Size,
        /// The limit.
        limit: u32,
    },
    /// The file ends before the picture does.
    #[error("truncated {format}: the file ends before the picture does")]
    Truncated {
        /// The format.
        format: &'static str,
    },
    /// The codec gave up.
    #[error("corrupt {format}: {reason}")]
    Corrupt {
        /// The format.
        format: &'static str,
        /// The codec's words.
        reason: String,
    },
    /// A valid picture of a kind that is not read here.
    #[error("{format} of a kind that is not read here ({what}); convert it to PNG or JPEG")]
    Unsupported {
        /// The format.
        format: &'static str,
        /// What stands in the way.
        what: String,
    },
    /// A picture without pixels.
    #[error("{0} holds no pixels")]
    NoPixels(Size),
    /// The pixels are of another size than the plan was made for.
    #[error("the picture is {found}, but was planned as {planned}: it changed on disk meanwhile")]
    SizeChanged {
        /// The size that the plan was made for.
        planned: Size,
        /// The size of the pixels.
        found: Size,
    },
    /// A video for a checkpoint of a family that knows none.
    #[error("it holds a video, and the checkpoint's family knows only pictures")]
    NoVideo,
    /// A fault of a clip as a whole.
    #[error(transparent)]
    Video(#[from] VideoError),
    /// No resolution to choose from.
    #[error("image_grid_pinpoints is empty: anyres needs at least one (height, width)")]
    NoPinpoints,
    /// A resolution that does not divide into tiles.
    #[error("pinpoint (height {height}, width {width}) is no multiple of the tile size {tile}")]
    BadPinpoint {
        /// Height of the pinpoint.
        height: u32,
        /// Width of the pinpoint.
        width: u32,
        /// Side of a tile.
        tile: u32,
    },
    /// A strip that the checkpoint's family refuses.
    #[error(
        "{size} has a side over {limit} times the other, which the checkpoint's family refuses; crop it"
    )]
    TooNarrow {
        /// The picture's size.
        size: Size,
        /// The most that the sides may differ by, as a factor.
        limit: u32,
    },
}

impl MediaError {
    /// A short stable name of the fault, to count by.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::File(_) | Self::NotAFile => "unreadable",
            Self::In { source, .. } => source.kind(),
            Self::Empty => "empty",
            Self::UnknownFormat { .. } => "unknown-format",
            Self::TooManyBytes { .. } | Self::TooManyPixels { .. } | Self::TooLong { .. } => {
                "too-large"
            }
            Self::Truncated { .. } => "truncated",
            Self::Corrupt { .. } | Self::NoPixels(_) => "corrupt",
            Self::Unsupported { .. } | Self::NoVideo | Self::TooNarrow { .. } => "unsupported",
            Self::SizeChanged { .. } => "changed",
            Self::Video(fault) => fault.kind(),
            Self::NoPinpoints | Self::BadPinpoint { .. } => "config",
        }
    }

    /// Whether the fault is this machine's rather than the file's: sound files would have it too.
    pub fn is_of_machine(&self) -> bool {
        match self {
            Self::In { source, .. } | Self::Video(VideoError::Frame { source, .. }) => {
                source.is_of_machine()
            }
            Self::File(error) => blob::is_of_machine(error),
            Self::Video(fault) => matches!(
                fault,
                VideoError::NoProgram { .. } | VideoError::NotStarted { .. }
            ),
            _ => false,
        }
    }

    /// The fault without the file's path, so that it reads the same on every machine.
    pub fn problem(&self) -> String {
        match self {
            Self::File(error) if error.kind() == io::ErrorKind::NotFound => {
                "there is no such file".into()
            }
            Self::File(error) => format!("{}; {}", error.kind(), super::video::RETRY),
            Self::In { source, .. } => source.problem(),
            Self::Video(fault) => fault.problem(),
            fault => fault.to_string(),
        }
    }

    /// The same fault with the file's name; an I/O error has it already, and what is no file by itself has none.
    pub(super) fn within(self, blob: &Blob) -> Self {
        match (self, blob.path()) {
            (fault @ (Self::File(_) | Self::In { .. }), _) | (fault, None) => fault,
            (source, Some(path)) => Self::In {
                path: path.to_owned(),
                source: Box::new(source),
            },
        }
    }
}
