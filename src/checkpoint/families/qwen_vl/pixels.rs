//! How many pixels pictures and frames are resized to, and how pixels become numbers.

use super::super::super::error::CheckpointError;
use super::super::super::fields::Fields;
use super::super::super::fingerprint::Content;
use super::super::Opening;
use super::super::preprocess::{Files, check_steps, triple};
use super::VisionConfig;

/// Bounds of the size and the normalisation of pictures or of frames. Resampling is bicubic and levels are divided by
/// 255 first.
#[derive(Clone, Debug, PartialEq)]
pub struct Pixels {
    /// The fewest pixels that a picture or frame is resized to.
    pub min_pixels: u64,
    /// The most.
    pub max_pixels: u64,
    /// Mean per channel, in 0..1.
    pub mean: [f32; 3],
    /// Standard deviation per channel, in 0..1.
    pub std: [f32; 3],
}

/// The defaults of transformers' `Qwen2VLImageProcessor`; mean and standard deviation are CLIP's.
const PICTURES: Pixels = Pixels {
    min_pixels: 56 * 56,
    max_pixels: 28 * 28 * 1280,
    mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
    std: [0.268_629_54, 0.261_302_6, 0.275_777_1],
};

/// The defaults of transformers' `Qwen2VLVideoProcessor`.
const FRAMES: Pixels = Pixels {
    min_pixels: 128 * 28 * 28,
    max_pixels: 768 * 28 * 28,
    ..PICTURES
};

/// The files that were read, by name, for the fingerprint.
type Inputs = Vec<(String, Content)>;

/// Reads the parts for pictures and for frames. Published checkpoints have only one file, for pictures, which then is
/// the video processor's too; so defaults of the latter mean something only for keys that no file sets.
pub(super) fn read(
    opening: &Opening<'_>,
    config: &Fields<'_>,
    vision: &VisionConfig,
) -> Result<([Pixels; 2], Inputs), CheckpointError> {
    let files = Files::open(opening)?;
    let image = files.image(config)?;
    let video = files.video()?.unwrap_or_else(|| image.clone());
    // It would bound a frame's pixels by the number of frames.
    video.must_be("cap_pixels_per_frame", false)?;
    let pixels = [
        part(&image, vision, &PICTURES)?,
        part(&video, vision, &FRAMES)?,
    ];
    Ok((pixels, files.into_inputs().collect()))
}

fn part(
    fields: &Fields<'_>,
    vision: &VisionConfig,
    default: &Pixels,
) -> Result<Pixels, CheckpointError> {
    check_steps(fields)?;
    fields.must_be("do_center_crop", false)?;
    for (key, default, wanted) in [
        ("patch_size", 14, vision.patch_size),
        ("merge_size", 2, vision.spatial_merge_size),
        ("temporal_patch_size", 2, vision.temporal_patch_size),
    ] {
        if fields.size(key, default)? != wanted {
            return Err(fields.refuse(key, &format!("{wanted}, as in vision_config")));
        }
    }
    let channels = |key: &str, default: [f32; 3]| match fields.get(key) {
        None => Ok(default),
        Some(_) => triple(fields, key),
    };
    let pixels = Pixels {
        min_pixels: bound(fields, "min_pixels", "shortest_edge", default.min_pixels)?,
        max_pixels: bound(fields, "max_pixels", "longest_edge", default.max_pixels)?,
        mean: channels("image_mean", default.mean)?,
        std: channels("image_std", default.std)?,
    };
    if pixels.std.iter().any(|std| *std <= 0.0) {
        return Err(fields.refuse("image_std", "three numbers above 0"));
    }
    if pixels.min_pixels > pixels.max_pixels {
        let supported = format!("at most max_pixels, {}", pixels.max_pixels);
        let size = fields.section("size")?;
        return Err(match (fields.get("min_pixels"), size) {
            (None, Some(size)) => size.refuse("shortest_edge", &supported),
            _ => fields.refuse("min_pixels", &supported),
        });
    }
    Ok(pixels)
}

/// A bound under its own name, or as transformers 5 writes it: as an edge of `size`, though it counts pixels.
fn bound(fields: &Fields<'_>, key: &str, edge: &str, default: u64) -> Result<u64, CheckpointError> {
    if fields.get(key).is_some() {
        return Ok(fields.size(key, 1)? as u64);
    }
    match fields.section("size")? {
        None => Ok(default),
        Some(size) if size.get(edge).is_none() => Err(size.refuse(
            edge,
            &format!("a number of pixels, or `{key}` beside `size`"),
        )),
        Some(size) => Ok(size.size(edge, 1)? as u64),
    }
}
