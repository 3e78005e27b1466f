//! The middle of a picture: LLaVA-1.5's preprocessing.

use super::resize::resize_part;
use super::{Resampling, Rgb, Size, Tiles};

/// One tile from the middle of a picture whose shorter edge is resized to the tile's; the longer edge is cut to whole
/// pixels. Reference: `CLIPImageProcessor` of transformers.
pub fn crop_tile(picture: &Rgb, tile: u32, resampling: impl Into<Resampling>) -> Tiles {
    let (width, height) = (u64::from(picture.width), u64::from(picture.height));
    let long = |long: u64, short: u64| (u64::from(tile) * long / short.max(1)) as u32;
    let size = if width <= height {
        Size::new(tile, long(height, width))
    } else {
        Size::new(long(width, height), tile)
    };
    let at = ((size.width - tile) / 2, (size.height - tile) / 2);
    let middle = resize_part(picture, size, at, Size::square(tile), resampling.into());
    Tiles::single(middle)
}

#[cfg(test)]
mod tests {
    use super::super::{Resampler, resize};
    use super::*;

    #[test]
    fn the_middle_is_kept() {
        let mut wide = Rgb::filled(Size::new(9, 2), [0; 3]);
        for (i, pixel) in wide.data.chunks_exact_mut(3).enumerate() {
            pixel.fill((i % 9) as u8);
        }
        let tile = crop_tile(&wide, 2, Resampler::Pillow);
        assert_eq!((tile.count, tile.size), (1, Size::square(2)));
        assert_eq!(tile.data, [3, 3, 3, 4, 4, 4, 3, 3, 3, 4, 4, 4]);
    }

    /// A part is what the whole has there, whichever axis is resampled first.
    #[test]
    fn the_rest_is_left_out_and_changes_nothing() {
        let mut picture = Rgb::filled(Size::new(13, 37), [0; 3]);
        for (i, level) in picture.data.iter_mut().enumerate() {
            *level = (i * 37 % 251) as u8;
        }
        let part = Size::new(6, 5);
        for to in [(26, 11), (13, 11), (26, 37), (13, 37), (7, 9), (40, 50)] {
            let to = Size::new(to.0, to.1);
            for resampler in [Resampler::Torchvision, Resampler::Pillow] {
                let whole = resize(&picture, to, resampler);
                let found = resize_part(&picture, to, (1, 4), part, resampler.into());
                for y in 0..5 {
                    let row = &whole.data[((y + 4) * to.width as usize + 1) * 3..][..18];
                    assert_eq!(&found.data[y * 18..][..18], row, "{to} {resampler:?} {y}");
                }
            }
        }
    }
}
