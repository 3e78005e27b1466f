//! How a row is written.

use serde::Serialize;

use super::media::MediaFiles;
use crate::dataset::{IMAGE_PLACEHOLDER, MediaKind, Role, Sample, Turn, VIDEO_PLACEHOLDER};
use crate::export::ExportError;

/// How rows are written: as LLaVA has them, where its descendants agree, and else as the reader at hand needs it.
///
/// ```json
/// {"id": "1", "image": "a.jpg", "conversations": [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "A cat."}]}
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// What media paths start from.
    pub paths: MediaPaths,
    /// Whether a picture or video that is alone stands in a list, too. Readers that give a column one type need it;
    /// LLaVA 1.5 cannot read it.
    pub lists: bool,
    /// What stands in the text for a video.
    pub video: VideoPlaceholder,
    /// Whether each row tells its dataset's name, under the key `dataset`.
    pub named: bool,
}

/// What the media paths of written rows start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaPaths {
    /// The dataset's media root: the paths stay as they are. Absolute all the same for what was no file by itself.
    MediaRoot,
    /// Nothing: they are absolute.
    Absolute,
}

/// What stands for a video in the text of written rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VideoPlaceholder {
    /// `<video>`, as nearly every trainer has it.
    Video,
    /// `<image>`, as LLaVA-NeXT has it. A row that has pictures as well keeps `<video>`: it could not be told which is
    /// which.
    Image,
}

#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<Paths>,
    #[serde(skip_serializing_if = "Option::is_none")]
    video: Option<Paths>,
    conversations: Vec<Said>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dataset: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Paths {
    One(String),
    Several(Vec<String>),
}

#[derive(Serialize)]
struct Said {
    from: &'static str,
    value: String,
}

impl Layout {
    /// The sample as one line of JSON, without its end; media that are no files by themselves go to `files`.
    pub(super) fn line(
        self,
        sample: Sample,
        dataset: &str,
        files: &MediaFiles,
    ) -> Result<String, ExportError> {
        let image = self.media(&sample, MediaKind::Image, files)?;
        let video = self.media(&sample, MediaKind::Video, files)?;
        let as_image = self.video == VideoPlaceholder::Image && image.is_none();
        let row = Row {
            id: &sample.id,
            conversations: sample
                .turns
                .into_iter()
                .map(|t| said(t, as_image))
                .collect(),
            image,
            video,
            dataset: self.named.then_some(dataset),
        };
        Ok(serde_json::to_string(&row).expect("strings and lists of them are JSON"))
    }

    /// The paths of the media of one kind, `None` where there are none.
    fn media(
        self,
        sample: &Sample,
        kind: MediaKind,
        files: &MediaFiles,
    ) -> Result<Option<Paths>, ExportError> {
        let mut paths = (0..)
            .zip(&sample.media)
            .filter(|(_, media)| media.kind == kind)
            .map(|(place, media)| files.path(sample.row, place, media, self.paths))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(match paths.len() {
            0 => None,
            1 if !self.lists => paths.pop().map(Paths::One),
            _ => Some(Paths::Several(paths)),
        })
    }
}

fn said(turn: Turn, video_as_image: bool) -> Said {
    Said {
        from: match turn.role {
            Role::System => "system",
            Role::User => "human",
            Role::Assistant => "gpt",
        },
        value: if video_as_image {
            turn.text.replace(VIDEO_PLACEHOLDER, IMAGE_PLACEHOLDER)
        } else {
            turn.text
        },
    }
}
