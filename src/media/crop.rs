//! The middle of a picture: LLaVA-1.5's preprocessing.

use super::{Resampler, Rgb, Size, Tiles, resize};

/// One tile from the middle of a picture whose shorter edge is resized to the tile's; the longer edge is cut to whole
/// pixels. Reference: `CLIPImageProcessor` of transformers.
pub fn crop_tile(picture: &Rgb, tile: u32, resampler: Resampler) -> Tiles {
    let (width, height) = (u64::from(picture.width), u64::from(picture.height));
    let long = |long: u64, short: u64| (u64::from(tile) * long / short.max(1)) as u32;
    let size = if width <= height {
        Size::new(tile, long(height, width))
    } else {
        Size::new(long(width, height), tile)
    };
    let resized = resize(picture, size, resampler);
    let (left, top) = ((size.width - tile) / 2, (size.height - tile) / 2);
    let mut middle = Rgb::filled(Size::square(tile), [0; 3]);
    let len = middle.stride();
    let rows = resized
        .data
        .chunks_exact(resized.stride())
        .skip(top as usize);
    for (to, from) in middle.data.chunks_exact_mut(len).zip(rows) {
        to.copy_from_slice(&from[left as usize * 3..][..len]);
    }
    Tiles::single(middle)
}

#[cfg(test)]
mod tests {
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
}
