//! Telling formats apart. A file's name plays no part: GIFs called `.jpg` are common.

use image::ImageFormat;

use super::MediaError;

/// A format that is read here.
#[derive(Clone, Copy)]
pub(super) struct Format {
    pub(super) kind: ImageFormat,
    pub(super) name: &'static str,
}

/// What a file that begins so is called, without the dot.
pub fn file_ending(head: &[u8]) -> Option<&'static str> {
    let kind = image::guess_format(head).ok()?;
    kind.extensions_str().first().copied()
}

impl Format {
    const ALL: [Self; 7] = [
        Self {
            kind: ImageFormat::Jpeg,
            name: "JPEG",
        },
        Self {
            kind: ImageFormat::Png,
            name: "PNG",
        },
        Self {
            kind: ImageFormat::WebP,
            name: "WebP",
        },
        Self {
            kind: ImageFormat::Bmp,
            name: "BMP",
        },
        Self {
            kind: ImageFormat::Gif,
            name: "GIF",
        },
        Self {
            kind: ImageFormat::Tiff,
            name: "TIFF",
        },
        Self {
            kind: ImageFormat::Pnm,
            name: "PNM",
        },
    ];

    /// By the first bytes.
    pub(super) fn of(bytes: &[u8]) -> Result<Self, MediaError> {
        if bytes.is_empty() {
            return Err(MediaError::Empty);
        }
        let guess = image::guess_format(bytes).ok();
        Self::ALL
            .into_iter()
            .find(|format| guess == Some(format.kind))
            .ok_or_else(|| {
                let begins = bytes[..bytes.len().min(16)].escape_ascii().to_string();
                MediaError::UnknownFormat { begins }
            })
    }
}
