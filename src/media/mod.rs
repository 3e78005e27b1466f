//! Pictures and clips: from the bytes of a file to the 8-bit tiles that a vision tower is fed.
//!
//! A weight that `madmix` finds is only as good as the pixels behind it, and the checkpoint was trained on the pixels
//! of Pillow or torchvision. So this module holds itself to equality with them: decoded levels ([`load`], [`decode()`]),
//! resampled levels ([`resize()`]) and tiles ([`AnyresPlan`], [`square_tile`], [`squash_tile`]). What is needed to plan
//! a batch comes from a file's header alone ([`probe_file`]), what is odd about it too ([`inspect`]), and whether a file is still
//! the same from its bytes ([`picture_digest`], [`clip_digest`]). Frames of clips ([`video`]) are pictures like any other.
//!
//! Nothing here knows of tensors, datasets or models, and no picture, however broken, ends a run: every fault is a
//! [`MediaError`].

mod anyres;
mod crop;
mod decode;
mod digest;
mod error;
mod exif;
mod format;
mod gif;
mod guard;
mod header;
mod jpeg;
mod mark;
mod oddity;
mod picture;
mod probe;
mod raster;
mod resize;
mod square;
mod tiles;
pub mod video;

pub use anyres::{AnyresPlan, Padding, best_resolution};
pub use crop::crop_tile;
pub use decode::{decode, load};
pub use digest::{Digest, clip_digest, picture_digest};
pub use error::MediaError;
pub use exif::Orientation;
pub use format::file_ending;
pub use mark::Mark;
pub use oddity::Oddity;
pub use picture::{Limits, Rgb, Size};
pub use probe::{Inspected, inspect, probe, probe_file};
pub use resize::{Filter, Resampler, Resampling, resize};
pub use square::{fill_levels, square_tile, squash_tile};
pub use tiles::Tiles;
pub use video::{Clip, ClipKind, FrameRounding, Sampling, VideoError, VideoLimits};
