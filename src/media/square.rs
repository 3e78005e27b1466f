//! The pictures that get a single tile: frames of a clip, and each picture of a sample that has several.

use super::{Resampler, Rgb, Size, Tiles, resize};

/// The fill of [`pad_to_square`]: the normalisation mean as levels, `int(mean * 255)`. 0.5 gives 127.
pub fn fill_levels(mean: [f64; 3]) -> [u8; 3] {
    mean.map(|mean| (mean * 255.0) as u8)
}

/// Pads the shorter side so that the picture sits in the middle of a square; the odd pixel goes right or below.
pub fn pad_to_square(picture: &Rgb, fill: [u8; 3]) -> Rgb {
    let side = picture.width.max(picture.height);
    let mut square = Rgb::filled(Size::square(side), fill);
    let (left, top) = ((side - picture.width) / 2, (side - picture.height) / 2);
    square.paste(picture, left, top);
    square
}

/// One tile of a picture that is padded to a square first: LLaVA-OneVision's samples with two or more pictures.
pub fn square_tile(picture: &Rgb, fill: [u8; 3], tile: u32, resampler: Resampler) -> Tiles {
    squash_tile(&pad_to_square(picture, fill), tile, resampler)
}

/// One tile of a picture whose ratio is not kept: frames of a clip, and the base tile of anyres.
pub fn squash_tile(picture: &Rgb, tile: u32, resampler: Resampler) -> Tiles {
    Tiles::single(resize(picture, Size::square(tile), resampler).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_odd_row_goes_below() {
        let wide = Rgb::filled(Size::new(4, 1), [9; 3]);
        let square = pad_to_square(&wide, [1, 2, 3]);
        assert_eq!(square.size(), Size::square(4));
        assert_eq!(square.data[12..24], [9; 12]);
        assert!(
            [&square.data[..12], &square.data[24..]]
                .concat()
                .chunks(3)
                .all(|p| p == [1, 2, 3])
        );
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
