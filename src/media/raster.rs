//! Every pixel layout a codec may give, to 8-bit RGB, by the rules of Pillow's `convert("RGB")`.

use image::DynamicImage;

use super::Rgb;

/// Decoded levels as RGB; `None` for floating-point samples.
///
/// Gray is repeated. Alpha is dropped and the colour underneath kept. 16-bit colour keeps its high byte.
/// `clip_gray` says that 16-bit gray is cut off at 255 (Pillow's modes `I;16` and `I`) instead.
pub(super) fn rgb(image: DynamicImage, clip_gray: bool) -> Option<Rgb> {
    let (width, height) = (image.width(), image.height());
    let gray16 = |level: u16| {
        if clip_gray {
            level.min(255) as u8
        } else {
            high_byte(level)
        }
    };
    let data = match image {
        DynamicImage::ImageLuma8(image) => repeated(&image),
        DynamicImage::ImageLumaA8(image) => image.pixels().flat_map(|p| [p[0]; 3]).collect(),
        DynamicImage::ImageRgb8(image) => image.into_raw(),
        DynamicImage::ImageRgba8(image) => {
            image.pixels().flat_map(|p| [p[0], p[1], p[2]]).collect()
        }
        DynamicImage::ImageLuma16(image) => {
            image.pixels().flat_map(|p| [gray16(p[0]); 3]).collect()
        }
        DynamicImage::ImageLumaA16(image) => {
            image.pixels().flat_map(|p| [gray16(p[0]); 3]).collect()
        }
        DynamicImage::ImageRgb16(image) => image.iter().map(|&level| high_byte(level)).collect(),
        DynamicImage::ImageRgba16(image) => image
            .pixels()
            .flat_map(|p| [p[0], p[1], p[2]].map(high_byte))
            .collect(),
        _ => return None,
    };
    Some(Rgb {
        width,
        height,
        data,
    })
}

fn high_byte(level: u16) -> u8 {
    (level >> 8) as u8
}

/// Gray as RGB.
pub(super) fn repeated(gray: &[u8]) -> Vec<u8> {
    gray.iter().flat_map(|&level| [level; 3]).collect()
}

/// CMYK that is stored inverted, as Adobe does it and Pillow takes every JPEG for, to RGB without a colour profile.
pub(super) fn inverted_cmyk(levels: &[u8]) -> Vec<u8> {
    let rgb = |p: &[u8]| {
        let light = u32::from(p[3]);
        [p[0], p[1], p[2]].map(|stored| {
            let ink = u32::from(255 - stored);
            // ink * light / 255, rounded, in the integer form that Pillow uses.
            let product = ink * light + 128;
            let taken = ((product >> 8) + product) >> 8;
            light.saturating_sub(taken) as u8
        })
    };
    levels.chunks_exact(4).flat_map(rgb).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cmyk_corners() {
        // No ink at all; full black; full cyan.
        assert_eq!(inverted_cmyk(&[255, 255, 255, 255]), [255, 255, 255]);
        assert_eq!(inverted_cmyk(&[255, 255, 255, 0]), [0, 0, 0]);
        assert_eq!(inverted_cmyk(&[0, 255, 255, 255]), [0, 255, 255]);
    }

    #[test]
    fn gray_16_bit_is_clipped_and_colour_is_shifted() {
        let gray = image::ImageBuffer::from_raw(2, 1, vec![300_u16, 200]).unwrap();
        let colour = image::ImageBuffer::from_raw(1, 1, vec![0x01FF_u16, 0xFFFF, 0x8000]).unwrap();
        let rgb8 = |image, clip| rgb(image, clip).unwrap().data;
        assert_eq!(
            rgb8(DynamicImage::ImageLuma16(gray), true),
            [255, 255, 255, 200, 200, 200]
        );
        assert_eq!(rgb8(DynamicImage::ImageRgb16(colour), true), [1, 255, 128]);
    }
}
