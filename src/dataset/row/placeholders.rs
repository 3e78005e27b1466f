//! Brings the placeholders of a row's text and the media it names together.
//!
//! | the row names | the user's turns hold | so |
//! |---|---|---|
//! | images | as many `<image>` | they belong together, in order |
//! | videos | as many `<video>` or `<image>` (LLaVA-NeXT's way) | likewise; the text then says `<video>` |
//! | both | as many `<image>` as images, `<video>` as videos | likewise |
//! | images or videos | no placeholder | they are put before the first user turn, each on a line of its own |
//! | anything | anything else | failure: nobody knows which goes where |
//!
//! A placeholder in a turn of the assistant or the system is a failure too.

use crate::dataset::{
    IMAGE_PLACEHOLDER, Irregularity, MediaKind, Role, SampleProblem, Turn, VIDEO_PLACEHOLDER,
};

/// Checks the turns' placeholders, mends them as above, and returns the media in their order.
pub(super) fn settle<T>(
    turns: &mut [Turn],
    images: Vec<T>,
    videos: Vec<T>,
    irregularities: &mut Vec<Irregularity>,
) -> Result<Vec<(MediaKind, T)>, SampleProblem> {
    let (mut n_image, mut n_video) = (0, 0);
    for (i, turn) in turns.iter().enumerate() {
        let image = turn.text.matches(IMAGE_PLACEHOLDER).count();
        let video = turn.text.matches(VIDEO_PLACEHOLDER).count();
        if image + video > 0 && turn.role != Role::User {
            let (role, count) = (turn.role.as_str(), image + video);
            return Err(SampleProblem::PlaceholderRole {
                turn: i,
                role,
                count,
            });
        }
        n_image += image;
        n_video += video;
    }
    let mismatch = SampleProblem::Placeholders {
        images: images.len(),
        videos: videos.len(),
        image_placeholders: n_image,
        video_placeholders: n_video,
    };
    let both = !images.is_empty() && !videos.is_empty();

    if n_image + n_video == 0 && images.len() + videos.len() > 0 {
        if both {
            return Err(mismatch);
        }
        let kind = if videos.is_empty() {
            MediaKind::Image
        } else {
            MediaKind::Video
        };
        let media = images.len() + videos.len();
        let Some(turn) = turns.iter_mut().find(|turn| turn.role == Role::User) else {
            return Err(SampleProblem::NoUserTurn { media });
        };
        irregularities.push(Irregularity::PlaceholderMissing);
        turn.text
            .insert_str(0, &format!("{}\n", kind.placeholder()).repeat(media));
    } else if images.is_empty() && n_image + n_video == videos.len() {
        if n_image > 0 {
            irregularities.push(Irregularity::ImageForVideo);
        }
        for turn in turns
            .iter_mut()
            .filter(|turn| turn.text.contains(IMAGE_PLACEHOLDER))
        {
            turn.text = turn.text.replace(IMAGE_PLACEHOLDER, VIDEO_PLACEHOLDER);
        }
    } else if n_image != images.len() || n_video != videos.len() {
        return Err(mismatch);
    }
    Ok(in_order(turns, images, videos))
}

/// The media in the order of the placeholders, of which there are as many of each kind.
fn in_order<T>(turns: &[Turn], images: Vec<T>, videos: Vec<T>) -> Vec<(MediaKind, T)> {
    let (mut images, mut videos) = (images.into_iter(), videos.into_iter());
    let mut media = Vec::new();
    for turn in turns {
        // Both placeholders start with `<`, so its places in the text give their order.
        for (at, _) in turn.text.match_indices('<') {
            let text = &turn.text[at..];
            if text.starts_with(IMAGE_PLACEHOLDER) {
                media.extend(images.next().map(|found| (MediaKind::Image, found)));
            } else if text.starts_with(VIDEO_PLACEHOLDER) {
                media.extend(videos.next().map(|found| (MediaKind::Video, found)));
            }
        }
    }
    media
}
