//! Turning a picture upright as its EXIF data say.

use image::metadata::Orientation as Turn;
use image::{DynamicImage, RgbImage};

use super::{Rgb, Size};

/// Whether a picture is turned as its EXIF data say.
///
/// Transformers turns pictures, LLaVA's training code does not, so this belongs to the checkpoint's layout. A TIFF is
/// turned either way, because Pillow does so on loading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Orientation {
    /// All eight values, as `PIL.ImageOps.exif_transpose`.
    #[default]
    Apply,
    /// The pixels as they are stored.
    Ignore,
}

/// The turn that metadata ask for: the EXIF tag, or else XMP's copy of it, as Pillow looks them up.
///
/// `exif` starts with the TIFF header, with or without `Exif\0\0` in front.
pub(super) fn turn(exif: Option<&[u8]>, xmp: Option<&[u8]>) -> Turn {
    let tag = |exif: &[u8]| Turn::from_exif_chunk(exif.strip_prefix(EXIF_PREFIX).unwrap_or(exif));
    exif.and_then(tag)
        .or_else(|| xmp.and_then(xmp_orientation))
        .unwrap_or(Turn::NoTransforms)
}

/// What an EXIF block begins with in a JPEG.
pub(super) const EXIF_PREFIX: &[u8] = b"Exif\0\0";

/// `tiff:Orientation="6"` or `<tiff:Orientation>6`.
fn xmp_orientation(xmp: &[u8]) -> Option<Turn> {
    const NAME: &[u8] = b"tiff:Orientation";
    let after = xmp
        .windows(NAME.len())
        .enumerate()
        .filter(|(_, w)| *w == NAME);
    after
        .map(|(at, _)| &xmp[at + NAME.len()..])
        .find_map(|rest| {
            rest.strip_prefix(b"=\"")
                .or_else(|| rest.strip_prefix(b">"))
        })
        .and_then(|rest| rest.first())
        .filter(|digit| digit.is_ascii_digit())
        .and_then(|digit| Turn::from_exif(digit - b'0'))
}

/// The size after the turn.
pub(super) fn turned_size(size: Size, turn: Turn) -> Size {
    match turn {
        Turn::Rotate90 | Turn::Rotate270 | Turn::Rotate90FlipH | Turn::Rotate270FlipH => {
            size.transposed()
        }
        Turn::NoTransforms | Turn::Rotate180 | Turn::FlipHorizontal | Turn::FlipVertical => size,
    }
}

/// The picture after the turn.
pub(super) fn turned(picture: Rgb, turn: Turn) -> Rgb {
    if turn == Turn::NoTransforms {
        return picture;
    }
    let Rgb {
        width,
        height,
        data,
    } = picture;
    let image = RgbImage::from_raw(width, height, data).expect("a picture has 3 levels a pixel");
    let mut image = DynamicImage::ImageRgb8(image);
    image.apply_orientation(turn);
    let (width, height) = (image.width(), image.height());
    Rgb {
        width,
        height,
        data: image.into_rgb8().into_raw(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xmp_speaks_when_exif_is_silent() {
        let attribute = br#"<rdf:Description tiff:Orientation="6" />"#;
        let element = b"<tiff:Orientation>8</tiff:Orientation>";
        assert_eq!(turn(None, Some(attribute)), Turn::Rotate90);
        assert_eq!(turn(Some(b"II*\0"), Some(element)), Turn::Rotate270);
        assert_eq!(
            turn(None, Some(b"tiff:Orientation=\"9\"")),
            Turn::NoTransforms
        );
        assert_eq!(turn(None, Some(b"tiff:Orientation=\"")), Turn::NoTransforms);
    }

    #[test]
    fn exif_comes_before_xmp() {
        // Little endian, one entry: orientation, SHORT, one value, 3.
        let exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x03\0\0\0\0\0\0\0";
        assert_eq!(
            turn(Some(exif), Some(b"tiff:Orientation=\"6\"")),
            Turn::Rotate180
        );
        assert_eq!(
            turn(Some(&exif[EXIF_PREFIX.len()..]), None),
            Turn::Rotate180
        );
    }
}
