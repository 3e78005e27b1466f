//! What is odd about each of the fixtures, by its header.

use madmix::blob::Blob;
use madmix::media::Oddity::{self, Animated, Deep, Inks, OtherFormat, Transparent, Turned};
use madmix::media::{Limits, Orientation, inspect, probe_file};

use crate::fixture;

/// All fixtures that are odd but for their size.
const ODD: &[(&str, &[Oddity])] = &[
    ("gif_animated.gif", &[Animated]),
    ("gif_bytes.jpg", &[OtherFormat]),
    ("gif_small_frame_transparent.gif", &[Transparent]),
    ("gif_transparent.gif", &[Transparent]),
    ("jpeg_cmyk.jpg", &[Inks]),
    ("jpeg_cmyk_progressive.jpg", &[Inks]),
    ("jpeg_exif_2.jpg", &[Turned]),
    ("jpeg_exif_3.jpg", &[Turned]),
    ("jpeg_exif_4.jpg", &[Turned]),
    ("jpeg_exif_5.jpg", &[Turned]),
    ("jpeg_exif_6.jpg", &[Turned]),
    ("jpeg_exif_7.jpg", &[Turned]),
    ("jpeg_exif_8.jpg", &[Turned]),
    ("jpeg_xmp_6.jpg", &[Turned]),
    ("jpeg_ycck.jpg", &[Inks]),
    ("png_animated.png", &[Animated]),
    ("png_exif_6.png", &[Turned]),
    ("png_gray16.png", &[Deep]),
    ("png_gray16_transparent.png", &[Deep, Transparent]),
    ("png_la.png", &[Transparent]),
    ("png_la16.png", &[Deep, Transparent]),
    ("png_palette_alpha.png", &[Transparent]),
    ("png_palette_one_transparent.png", &[Transparent]),
    ("png_rgb16.png", &[Deep]),
    ("png_rgb_transparent.png", &[Transparent]),
    ("png_rgba.png", &[Transparent]),
    ("png_rgba16.png", &[Deep, Transparent]),
    ("pnm_gray16.pgm", &[Deep]),
    ("tiff_cmyk.tif", &[Inks]),
    ("tiff_exif_6.tif", &[Turned]),
    ("tiff_gray16.tif", &[Deep]),
    ("tiff_rgba.tif", &[Transparent]),
    ("webp_animated.webp", &[Animated]),
    ("webp_exif_6.webp", &[Turned]),
    ("webp_lossless_alpha.webp", &[Transparent]),
    ("webp_lossy_alpha.webp", &[Transparent]),
];

#[test]
fn every_fixture_is_as_odd_as_it_should_be() {
    let mut wrong = Vec::new();
    for entry in fs_err::read_dir(fixture("")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let blob = Blob::at(&path);
        let (apply, limits) = (Orientation::Apply, Limits::default());
        let Ok(size) = probe_file(&blob, apply, limits) else {
            assert!(inspect(&blob, name, apply, limits).is_err());
            continue;
        };
        let found = inspect(&blob, name, apply, limits).unwrap();
        assert_eq!(found.size, size, "{name}");
        assert!(found.mark.is_some(), "{name}");
        let of_size = [Oddity::Strip, Oddity::Tiny];
        let told: Vec<Oddity> = found
            .oddities
            .into_iter()
            .filter(|oddity| !of_size.contains(oddity))
            .collect();
        let expected = ODD.iter().find(|(odd, _)| *odd == name);
        if told != expected.map_or(&[][..], |(_, oddities)| oddities) {
            wrong.push(format!("{name}: {told:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
