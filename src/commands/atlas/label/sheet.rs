//! The contact sheet: the samples that are nearest to each centre, as small pictures.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder};
use rayon::prelude::*;

use super::read::Opened;
use crate::atlas::label::Labelled;
use crate::extract::Preparer;
use crate::media::{Resampler, Rgb, Size, resize};
use crate::report::Nearest;

/// Samples of each concept.
const SAMPLES: usize = 12;
/// The longer side of a picture on the sheet.
const SIDE: u32 = 96;
/// Of JPEG.
const QUALITY: u8 = 80;

/// The nearest samples of each concept that has a centre.
pub(super) fn nearest(
    opened: &[Opened],
    labelled: &[Labelled],
    concepts: &[String],
    clusters: usize,
    preparer: &Preparer,
) -> Vec<(String, Vec<Nearest>)> {
    let one = |concept: usize| {
        let mut found: Vec<(f32, usize, usize)> = Vec::new();
        for (number, labels) in labelled.iter().enumerate() {
            for (place, of) in labels.concept.iter().enumerate() {
                if *of as usize == concept {
                    found.push((labels.similarity[place], number, place));
                }
            }
            // Stable: of equal ones the first rows stay.
            found.sort_by(|a, b| b.0.total_cmp(&a.0));
            found.truncate(SAMPLES);
        }
        let samples = found.into_par_iter().map(|(similarity, number, place)| {
            let label = labelled[number].get(place);
            Nearest {
                dataset: labelled[number].dataset.clone(),
                id: label.id.to_owned(),
                similarity,
                picture: picture(&opened[number], label.index, preparer),
            }
        });
        (concepts[concept].clone(), samples.collect())
    };
    (0..clusters).into_par_iter().map(one).collect()
}

/// The first picture of a sample, or the first frame of its clip, as a data URI; `None` where it cannot be read any more.
fn picture(opened: &Opened, index: u64, preparer: &Preparer) -> Option<String> {
    let sample = opened.dataset.read(index).ok()?;
    let picture = preparer.picture(sample.media.first()?).ok()?;
    let Rgb {
        width,
        height,
        data,
    } = &*resize(&picture, fitted(picture.size()), Resampler::Pillow);
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY)
        .write_image(data, *width, *height, ExtendedColorType::Rgb8)
        .ok()?;
    let encoded = BASE64_STANDARD.encode(jpeg);
    Some(format!("data:image/jpeg;base64,{encoded}"))
}

/// The size of a picture on the sheet; a small one stays as it is.
fn fitted(size: Size) -> Size {
    let longer = size.width.max(size.height).max(SIDE);
    let scaled = |side: u32| {
        let side = u64::from(side) * u64::from(SIDE) / u64::from(longer);
        (side as u32).max(1)
    };
    Size::new(scaled(size.width), scaled(size.height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_keep_their_shape() {
        assert_eq!(fitted(Size::new(960, 480)), Size::new(96, 48));
        assert_eq!(fitted(Size::new(20, 10)), Size::new(20, 10));
        assert_eq!(fitted(Size::new(1, 5000)), Size::new(1, 96));
    }
}
