//! What the header of a picture says.

use image::ImageDecoder;
use image::metadata::Orientation as Turn;

use super::Size;

/// A picture's header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    /// The size as stored.
    pub(super) size: Size,
    /// The turn that the metadata ask for.
    pub(super) turn: Turn,
    /// Whether the channels are inks (CMYK, YCCK).
    pub(super) inks: bool,
    /// Whether a channel has more than 8 bits.
    pub(super) deep: bool,
    /// Whether there is an alpha channel or a transparent colour.
    pub(super) transparent: bool,
}

impl Header {
    /// A header of plain colours.
    pub(super) fn new(size: Size, turn: Turn) -> Self {
        Self {
            size,
            turn,
            inks: false,
            deep: false,
            transparent: false,
        }
    }

    /// The same with the colours that a decoder has found.
    pub(super) fn coloured(self, decoder: &impl ImageDecoder) -> Self {
        let stored = decoder.original_color_type();
        let channels = u16::from(stored.channel_count().max(1));
        Self {
            inks: matches!(
                stored,
                image::ExtendedColorType::Cmyk8 | image::ExtendedColorType::Cmyk16
            ),
            deep: stored.bits_per_pixel() > 8 * channels,
            transparent: decoder.color_type().has_alpha(),
            ..self
        }
    }
}
