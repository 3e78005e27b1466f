//! What holds for every size and for every broken file.

use image::ImageFormat;
use madmix::media::{AnyresPlan, Limits, Orientation, Resampler, Rgb, Size, decode, probe};
use proptest::prelude::*;

use super::{TILE, bytes_of, manifest, picture, pinpoints};

fn fixtures() -> Vec<Vec<u8>> {
    manifest()
        .decode
        .iter()
        .map(|row| bytes_of(&row.file))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Every plan fits: the resized picture and its padding fill the grid.
    #[test]
    fn plans_fill_their_grid(width in 1_u32..=5000, height in 1_u32..=5000) {
        let plan = AnyresPlan::new(Size::new(width, height), &pinpoints(), TILE).unwrap();
        let (resized, pad) = (plan.resized, plan.pad);
        prop_assert_eq!(pad.left + resized.width + pad.right, plan.best.width);
        prop_assert_eq!(pad.top + resized.height + pad.bottom, plan.best.height);
        prop_assert!(resized.width == plan.best.width || resized.height == plan.best.height);
        prop_assert!(pad.right - pad.left <= 1 && pad.bottom - pad.top <= 1);
        prop_assert_eq!(plan.count(), 1 + (plan.best.pixels() / u64::from(TILE * TILE)) as usize);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Of a white picture exactly the base tile and the resized pixels are not black.
    #[test]
    fn rendering_follows_the_plan(long in 1_u32..=5000, short in 1_u32..=40, turn: bool, pillow: bool) {
        let size = if turn { Size::new(short, long) } else { Size::new(long, short) };
        let resampler = if pillow { Resampler::Pillow } else { Resampler::Torchvision };
        let pinpoints: Vec<_> = pinpoints().iter().map(|(h, w)| (h / TILE * 28, w / TILE * 28)).collect();
        let plan = AnyresPlan::new(size, &pinpoints, 28).unwrap();
        let tiles = plan.render(&Rgb::filled(size, [255; 3]), resampler).unwrap();
        prop_assert_eq!(tiles.count, plan.count());
        prop_assert_eq!(tiles.data.len(), tiles.count * 28 * 28 * 3);
        let lit = tiles.data.iter().filter(|&&level| level > 250).count() as u64;
        prop_assert_eq!(lit, 3 * (28 * 28 + plan.resized.pixels()));
        prop_assert!(tiles.iter().next().unwrap().iter().all(|&level| level > 250));
        prop_assert!(tiles.iter().len() == tiles.count);
    }

    /// What a lossless format holds comes back.
    #[test]
    fn lossless_formats_round_trip(width in 1_u32..40, height in 1_u32..40, which in 0_usize..5) {
        let source = picture((width, height));
        let format = [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::WebP, ImageFormat::Pnm][which];
        let mut file = std::io::Cursor::new(Vec::new());
        image::RgbImage::from_raw(width, height, source.data.clone()).unwrap().write_to(&mut file, format).unwrap();
        let found = decode(file.get_ref(), Orientation::Apply, Limits::default()).unwrap();
        prop_assert_eq!(found, source);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// Broken files give errors, never panics, and what decodes has the size that was promised.
    #[test]
    fn broken_files_are_values(
        file in 0_usize..1000,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        cut in prop::option::of(any::<prop::sample::Index>()),
        header_only: bool,
    ) {
        thread_local!(static FILES: Vec<Vec<u8>> = fixtures());
        let mut bytes = FILES.with(|files| files[file % files.len()].clone());
        let reach = if header_only { bytes.len().min(64) } else { bytes.len() };
        for (at, value) in edits {
            bytes[at.index(reach)] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let limits = Limits { max_pixels: 1_000_000, max_bytes: 1 << 20 };
        let decoded = decode(&bytes, Orientation::Apply, limits);
        let probed = probe(&bytes, Orientation::Apply, limits);
        if let Ok(picture) = decoded {
            prop_assert_eq!(picture.data.len() as u64, picture.size().pixels() * 3);
            prop_assert_eq!(probed.unwrap(), picture.size());
        }
    }
}
