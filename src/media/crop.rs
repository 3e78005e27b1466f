//! The middle of a picture: LLaVA-1.5's preprocessing.

use super::{Limits, MediaError, Resampler, Rgb, Size, Tiles, resize};

/// The size that a picture has when its shorter edge is the tile's; the longer edge is cut to whole pixels.
///
/// # Errors
/// The picture has no pixels, or is so thin that it would be larger than any picture that is read.
pub fn crop_size(size: Size, tile: u32) -> Result<Size, MediaError> {
    let (short, long) = (size.width.min(size.height), size.width.max(size.height));
    if short == 0 {
        return Err(MediaError::NoPixels(size));
    }
    let tile = u64::from(tile);
    let long = tile * u64::from(long) / u64::from(short);
    let limit = Limits::default().max_pixels;
    if tile * long > limit {
        return Err(MediaError::TooThin {
            size,
            side: tile as u32,
            limit,
        });
    }
    Ok(if size.width <= size.height {
        Size::new(tile as u32, long as u32)
    } else {
        Size::new(long as u32, tile as u32)
    })
}

/// One tile from the middle of a picture whose shorter edge is resized to the tile's. Reference: `CLIPImageProcessor` of
/// transformers.
///
/// # Errors
/// Those of [`crop_size`].
pub fn crop_tile(picture: &Rgb, tile: u32, resampler: Resampler) -> Result<Tiles, MediaError> {
    let size = crop_size(picture.size(), tile)?;
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
    Ok(Tiles::single(middle))
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
        let tile = crop_tile(&wide, 2, Resampler::Pillow).unwrap();
        assert_eq!((tile.count, tile.size), (1, Size::square(2)));
        assert_eq!(tile.data, [3, 3, 3, 4, 4, 4, 3, 3, 3, 4, 4, 4]);
    }

    #[test]
    fn a_thread_is_refused_before_it_fills_the_memory() {
        assert_eq!(
            crop_size(Size::new(48, 64), 336).unwrap(),
            Size::new(336, 448)
        );
        let thread = Size::new(1, 100_000);
        let error = crop_size(thread, 336).unwrap_err();
        assert!(
            error.to_string().starts_with("1x100000 is too long"),
            "{error}"
        );
        assert!(crop_size(Size::new(0, 5), 336).is_err());
    }
}
