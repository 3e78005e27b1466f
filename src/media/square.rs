//! The pictures that get a single tile: frames of a clip, and each picture of a sample that has several.

use super::resize::{Padded, resize_padded};
use super::{Resampler, Resampling, Rgb, Size, Tiles, resize};

/// The colour that squares are filled up with: the normalisation mean as levels, `int(mean * 255)`. 0.5 gives 127.
pub fn fill_levels(mean: [f64; 3]) -> [u8; 3] {
    mean.map(|mean| (mean * 255.0) as u8)
}

/// One tile of a picture that is padded to a square first: LLaVA-OneVision's samples with two or more pictures. The
/// picture sits in the middle; the odd pixel of padding goes right or below.
pub fn square_tile(picture: &Rgb, fill: [u8; 3], tile: u32, resampler: Resampler) -> Tiles {
    let side = picture.width.max(picture.height);
    let (left, top) = ((side - picture.width) / 2, (side - picture.height) / 2);
    let square = Padded {
        picture,
        side,
        left,
        top,
        fill,
    };
    Tiles::single(resize_padded(&square, tile, resampler))
}

/// One tile of a picture whose ratio is not kept: frames of a clip, and the base tile of anyres.
pub fn squash_tile(picture: &Rgb, tile: u32, resampling: impl Into<Resampling>) -> Tiles {
    Tiles::single(resize(picture, Size::square(tile), resampling).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As if the square were made first, whichever side is padded.
    #[test]
    fn a_padded_picture_is_resized_as_its_square() {
        let fill = [127, 3, 250];
        for (width, height) in [(9, 4), (4, 9), (1, 30), (31, 2), (8, 8), (5, 12)] {
            let mut picture = Rgb::filled(Size::new(width, height), [0; 3]);
            for (i, level) in picture.data.iter_mut().enumerate() {
                *level = (i * 53 % 256) as u8;
            }
            let side = width.max(height);
            let mut square = Rgb::filled(Size::square(side), fill);
            square.paste(&picture, (side - width) / 2, (side - height) / 2);
            for tile in [3, 8, 12, 20] {
                for resampler in [Resampler::Torchvision, Resampler::Pillow] {
                    let found = square_tile(&picture, fill, tile, resampler);
                    let expected = squash_tile(&square, tile, resampler);
                    assert_eq!(found, expected, "{width}x{height} {tile} {resampler:?}");
                }
            }
        }
    }

    #[test]
    fn fill_is_cut_not_rounded() {
        assert_eq!(fill_levels([0.5; 3]), [127; 3]);
        assert_eq!(
            fill_levels([0.481_454_66, 0.457_827_5, 0.408_210_73]),
            [122, 116, 104]
        );
    }
}
