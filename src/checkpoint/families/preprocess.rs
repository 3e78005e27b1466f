//! How pixels become numbers: the preprocessor's config of transformers, in all the files where it may be.

use super::super::error::CheckpointError;
use super::super::fields::{Fields, JsonFile};
use super::super::fingerprint::Content;
use super::{Opening, Tower};
use crate::media::Filter;
use serde_json::Value;

/// Size and normalisation of one tile or frame. Resampling is bicubic and levels are divided by 255 first.
#[derive(Clone, Debug, PartialEq)]
pub struct Pixels {
    /// Edge of the square in pixels.
    pub size: u32,
    /// Mean per channel, in 0..1.
    pub mean: [f32; 3],
    /// Standard deviation per channel, in 0..1.
    pub std: [f32; 3],
}

impl Pixels {
    /// SigLIP's own: levels to -1..1.
    pub(super) fn siglip(size: u32) -> Self {
        Self {
            size,
            mean: [0.5; 3],
            std: [0.5; 3],
        }
    }
}

/// The preprocessor's files of a transformers checkpoint.
///
/// transformers 5 nests both parts in `processor_config.json`, which then wins; older ones have a file per part.
pub(super) struct Files {
    nested: Option<JsonFile>,
    image: Option<JsonFile>,
    video: Option<JsonFile>,
}

impl Files {
    pub(super) fn open(opening: &Opening<'_>) -> Result<Self, CheckpointError> {
        Ok(Self {
            nested: opening.json("processor_config.json")?,
            image: opening.json("preprocessor_config.json")?,
            video: opening.json("video_preprocessor_config.json")?,
        })
    }

    fn part<'a>(
        &'a self,
        key: &str,
        file: Option<&'a JsonFile>,
    ) -> Result<Option<Fields<'a>>, CheckpointError> {
        if let Some(nested) = &self.nested
            && let Some(section) = nested.fields().section(key)?
        {
            return Ok(Some(section));
        }
        Ok(file.map(JsonFile::fields))
    }

    /// The image part; it has to be there, since the class defaults are not what checkpoints are trained with.
    pub(super) fn image(&self, config: &Fields<'_>) -> Result<Fields<'_>, CheckpointError> {
        self.part("image_processor", self.image.as_ref())?.ok_or_else(|| CheckpointError::Setting {
            path: config.path.with_file_name("preprocessor_config.json"),
            key: "image_mean".into(),
            found: "absent with its file".into(),
            supported: "a preprocessor_config.json, or a processor_config.json with image_processor in it".into(),
        })
    }

    /// The video part; without one the image part serves.
    pub(super) fn video(&self) -> Result<Option<Fields<'_>>, CheckpointError> {
        self.part("video_processor", self.video.as_ref())
    }

    /// The files for the fingerprint.
    pub(super) fn into_inputs(self) -> impl Iterator<Item = (String, Content)> {
        let name = |file: &JsonFile| {
            file.path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned()
        };
        let files = [self.nested, self.image, self.video].into_iter().flatten();
        files.map(move |file| (name(&file), Content::File(file.path)))
    }
}

/// How a processor gives a picture of any shape the tower's square.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Resized to the square, whatever its ratio.
    Squash,
    /// The shorter edge is resized and the middle cut out.
    Crop,
}

/// Reads one part for a tower whose input is `size` pixels square.
pub(super) fn read(
    fields: &Fields<'_>,
    tower: Tower,
    size: usize,
) -> Result<(Pixels, Fit), CheckpointError> {
    check_steps(fields)?;
    let (pixels, fit, _) = read_filtered(fields, tower, size)?;
    Ok((pixels, fit))
}

/// As [`read`], where pictures may be resampled by either filter.
pub(super) fn read_filtered(
    fields: &Fields<'_>,
    tower: Tower,
    size: usize,
) -> Result<(Pixels, Fit, Filter), CheckpointError> {
    check_levels(fields)?;
    let filter = match fields.usize("resample")? {
        None | Some(3) => Filter::Cubic,
        Some(2) => Filter::Triangle,
        Some(_) => return Err(fields.refuse("resample", "3 (bicubic), 2 (bilinear)")),
    };
    let (mean, std) = (triple(fields, "image_mean")?, triple(fields, "image_std")?);
    if std.iter().any(|std| *std <= 0.0) {
        return Err(fields.refuse("image_std", "three numbers above 0"));
    }
    let pixels = Pixels {
        size: size as u32,
        mean,
        std,
    };
    Ok((pixels, fit(fields, tower, size)?, filter))
}

/// What `size`, `do_center_crop` and `crop_size` say. All sizes there have to be the tower's.
fn fit(fields: &Fields<'_>, tower: Tower, size: usize) -> Result<Fit, CheckpointError> {
    let clip = tower == Tower::Clip;
    let by_edge = match fields.get("size") {
        Some(Value::Object(edges)) => edges.get("shortest_edge").is_some_and(Value::is_number),
        // Without words, a size is of what CLIP's processor and SigLIP's resize to.
        _ => clip,
    };
    // Where the file says none, as the processors of CLIP and of LLaVA-OneVision have it.
    let default = if clip { 224 } else { 384 };
    let square = ["height", "width"];
    let edges = if by_edge {
        &["shortest_edge"][..]
    } else {
        &square
    };
    check_edges(fields, "size", edges, size, default)?;
    let crops = fields.bool("do_center_crop")?.unwrap_or(clip);
    if crops {
        check_edges(fields, "crop_size", &square, size, default)?;
    }
    match (by_edge, crops) {
        (true, true) => Ok(Fit::Crop),
        // A crop of a picture's own size leaves all of it.
        (false, _) => Ok(Fit::Squash),
        (true, false) => Err(fields.refuse(
            "do_center_crop",
            "true, since size.shortest_edge alone leaves pictures longer than the tower's square",
        )),
    }
}

/// Refuses a size other than the tower's: one number, as older files have it, or an object with `edges`.
fn check_edges(
    fields: &Fields<'_>,
    key: &str,
    edges: &[&str],
    size: usize,
    default: usize,
) -> Result<(), CheckpointError> {
    let right = format!("{size}, the vision tower's image_size");
    if fields.get(key).is_none_or(Value::is_number) {
        let found = fields.usize(key)?.unwrap_or(default);
        return if found == size {
            Ok(())
        } else {
            Err(fields.refuse(key, &format!("{} {right}", edges.join(" and "))))
        };
    }
    let section = fields.section_or_empty(key)?;
    let wrong = |edge: &&&str| section.get(edge).and_then(Value::as_u64) != Some(size as u64);
    match edges.iter().find(wrong) {
        Some(edge) => Err(section.refuse(edge, &right)),
        None => Ok(()),
    }
}

/// Refuses a part that leaves out a step that all have, or does it otherwise.
pub(super) fn check_steps(fields: &Fields<'_>) -> Result<(), CheckpointError> {
    if fields
        .usize("resample")?
        .is_some_and(|resample| resample != 3)
    {
        return Err(fields.refuse("resample", "3 (bicubic)"));
    }
    check_levels(fields)
}

/// The steps of [`check_steps`] but for how a picture is resampled.
fn check_levels(fields: &Fields<'_>) -> Result<(), CheckpointError> {
    for key in ["do_resize", "do_rescale", "do_normalize", "do_convert_rgb"] {
        fields.must_be(key, true)?;
    }
    if fields
        .f64("rescale_factor")?
        .is_some_and(|factor| (factor * 255.0 - 1.0).abs() > 1e-6)
    {
        return Err(fields.refuse("rescale_factor", "1/255"));
    }
    Ok(())
}

/// Refuses a video part that treats frames otherwise than the picture part treats tiles.
pub(super) fn same(
    video: &Fields<'_>,
    tower: Tower,
    image: &Pixels,
) -> Result<(), CheckpointError> {
    let (pixels, fit) = read(video, tower, image.size as usize)?;
    if fit == Fit::Crop {
        return Err(video.refuse("do_center_crop", "false"));
    }
    for (key, found, wanted) in [
        ("image_mean", pixels.mean, image.mean),
        ("image_std", pixels.std, image.std),
    ] {
        if found.map(f32::to_bits) != wanted.map(f32::to_bits) {
            return Err(video.refuse(key, &format!("that of pictures, {wanted:?}")));
        }
    }
    Ok(())
}

/// The three numbers of `key`, one a channel.
pub(super) fn triple(fields: &Fields<'_>, key: &str) -> Result<[f32; 3], CheckpointError> {
    let numbers = |values: &Vec<Value>| {
        values
            .iter()
            .map(|v| v.as_f64().map(|v| v as f32))
            .collect()
    };
    fields
        .get(key)
        .and_then(Value::as_array)
        .and_then(numbers)
        .and_then(|numbers: Vec<f32>| numbers.try_into().ok())
        .filter(|numbers: &[f32; 3]| numbers.iter().all(|number| number.is_finite()))
        .ok_or_else(|| fields.refuse(key, "three numbers"))
}
