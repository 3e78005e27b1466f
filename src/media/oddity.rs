//! What is odd about a picture that is read all the same.

use std::fmt;

use image::ImageFormat;
use serde::Serialize;

use super::Size;

/// Sides that differ by more make a strip: resized to a tile, nothing is left of it.
const STRIP: u32 = 50;
/// Fewer pixels a side are less than a patch of the towers that are read here.
const TINY: u32 = 14;

/// An oddity that a picture's header tells. Counted by `madmix plan`; it changes nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Oddity {
    /// The name ends as another format's do.
    OtherFormat,
    /// A GIF, APNG or WebP of several frames.
    Animated,
    /// CMYK or YCCK.
    Inks,
    /// More than 8 bits a channel.
    Deep,
    /// An alpha channel or a transparent colour.
    Transparent,
    /// Its metadata ask for a turn or a flip.
    Turned,
    /// One side is over 50 times the other.
    Strip,
    /// A side under 14 pixels.
    Tiny,
    /// Over ten times the pixels of the median picture of its dataset. No header tells this: whoever has seen all does.
    Large,
}

impl Oddity {
    /// What a size tells.
    pub(super) fn of_size(size: Size) -> impl Iterator<Item = Self> {
        let (short, long) = (size.width.min(size.height), size.width.max(size.height));
        let strip = long > short.saturating_mul(STRIP);
        let found = [(strip, Self::Strip), (short < TINY, Self::Tiny)];
        found
            .into_iter()
            .filter_map(|(is, oddity)| is.then_some(oddity))
    }

    /// Whether a name ends as those of another format do. Names without an ending, or with one that is no picture's, say
    /// nothing.
    pub(super) fn is_misnamed(name: &str, format: ImageFormat) -> bool {
        let file = name.rsplit('/').next().unwrap_or(name);
        let Some((_, ending)) = file.rsplit_once('.') else {
            return false;
        };
        let said = match ending.to_ascii_lowercase().as_str() {
            "jpg" | "jpeg" | "jpe" | "jfif" => ImageFormat::Jpeg,
            "png" | "apng" => ImageFormat::Png,
            "webp" => ImageFormat::WebP,
            "bmp" | "dib" => ImageFormat::Bmp,
            "gif" => ImageFormat::Gif,
            "tif" | "tiff" => ImageFormat::Tiff,
            "pbm" | "pgm" | "ppm" | "pnm" | "pam" => ImageFormat::Pnm,
            _ => return false,
        };
        said != format
    }
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherFormat => "named as another format; the bytes decide",
            Self::Animated => "animated; the first frame is taken",
            Self::Inks => "CMYK or YCCK; converted to RGB",
            Self::Deep => "more than 8 bits a channel; reduced to 8",
            Self::Transparent => "transparent; the colours behind are shown, as Pillow does",
            Self::Turned => "metadata ask for a turn; see model.exif",
            Self::Strip => "a strip: one side is over 50 times the other",
            Self::Tiny => "a side under 14 pixels",
            Self::Large => "over 10 times the pixels of the dataset's median picture",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_of_other_formats() {
        for (name, misnamed) in [
            ("a/b.jpg", true),
            ("b.PNG", true),
            ("b.gif", false),
            ("b.GIF", false),
            ("b", false),
            ("a.jpg/b", false),
            ("b.jpg.bin", false),
        ] {
            assert_eq!(
                Oddity::is_misnamed(name, ImageFormat::Gif),
                misnamed,
                "{name}"
            );
        }
    }

    #[test]
    fn sizes() {
        let of = |width, height| Oddity::of_size(Size::new(width, height)).collect::<Vec<_>>();
        assert_eq!(of(700, 14), []);
        assert_eq!(of(14, 701), [Oddity::Strip]);
        assert_eq!(of(13, 13), [Oddity::Tiny]);
        assert_eq!(of(u32::MAX, 1), [Oddity::Strip, Oddity::Tiny]);
    }
}
