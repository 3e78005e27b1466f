//! How pixels become numbers: the preprocessor's config of transformers, in all the files where it may be.

use super::super::error::CheckpointError;
use super::super::fields::{Fields, JsonFile};
use super::super::fingerprint::Content;
use super::Opening;
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

/// Reads one part for a tower whose input is `size` pixels square.
pub(super) fn read(fields: &Fields<'_>, size: usize) -> Result<Pixels, CheckpointError> {
    check_steps(fields)?;
    if let Some(section) = fields.section("size")? {
        for key in ["height", "width"] {
            if section.usize(key)? != Some(size) {
                return Err(section.refuse(key, &format!("{size}, the vision tower's image_size")));
            }
        }
    } else if size != 384 {
        return Err(fields.refuse(
            "size",
            &format!("height and width {size}, the vision tower's image_size"),
        ));
    }
    let (mean, std) = (triple(fields, "image_mean")?, triple(fields, "image_std")?);
    if std.iter().any(|std| *std <= 0.0) {
        return Err(fields.refuse("image_std", "three numbers above 0"));
    }
    Ok(Pixels {
        size: size as u32,
        mean,
        std,
    })
}

/// Refuses a part that leaves out a step, adds one or does one otherwise.
pub(super) fn check_steps(fields: &Fields<'_>) -> Result<(), CheckpointError> {
    for key in ["do_resize", "do_rescale", "do_normalize", "do_convert_rgb"] {
        fields.must_be(key, true)?;
    }
    fields.must_be("do_center_crop", false)?;
    if fields
        .usize("resample")?
        .is_some_and(|resample| resample != 3)
    {
        return Err(fields.refuse("resample", "3 (bicubic)"));
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
pub(super) fn same(video: &Fields<'_>, image: &Pixels) -> Result<(), CheckpointError> {
    let pixels = read(video, image.size as usize)?;
    for (key, found, wanted) in [
        ("image_mean", pixels.mean, image.mean),
        ("image_std", pixels.std, image.std),
    ] {
        if found != wanted {
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
        .ok_or_else(|| fields.refuse(key, "three numbers"))
}
