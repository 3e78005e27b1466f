//! The levels of every tile that goes into a vision tower.

use std::collections::HashSet;
use std::fmt::Write;

use madmix::media::Tiles;
use madmix::vlm::Visual;
use sha2::{Digest, Sha256};

use crate::agreement::assert_none;
use crate::families;
use crate::family::by_kind;

/// SHA-256 of the levels in the reference's order, `[tiles, 3, side, side]`.
fn digest(tiles: &Tiles) -> String {
    let mut hash = Sha256::new();
    for tile in tiles.iter() {
        for channel in 0..3 {
            let levels: Vec<u8> = tile.iter().skip(channel).step_by(3).copied().collect();
            hash.update(levels);
        }
    }
    hash.finalize()
        .iter()
        .fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        })
}

#[test]
fn tiles_and_frames_have_the_levels_of_the_reference() {
    let mut faults = Vec::new();
    for opened in families() {
        let family = opened.family;
        for &(resampler, name) in family.resamplers {
            let digests = |visuals: Vec<&Visual>| -> Vec<String> {
                visuals.iter().map(|visual| digest(&visual.tiles)).collect()
            };
            let found = opened.prepared(resampler, |_, input| {
                let (pictures, clips) = by_kind(&input);
                (digests(pictures), digests(clips))
            });
            for ((case, _, same_pixels), (pictures, clips)) in opened.cases().zip(found) {
                let expected = case.pictures.iter().map(|picture| &picture.levels[name]);
                // A case that is listed as resampled otherwise has to be so, or the list is out of date.
                if expected.eq(&pictures) != same_pixels {
                    faults.push(format!("{}, {resampler:?}: {}", family.name, case.name));
                }
                for (clip, found) in case.videos.iter().zip(&clips) {
                    if clip.levels.get(name).is_some_and(|levels| levels != found) {
                        let folder = &clip.folder;
                        faults.push(format!("{}, {resampler:?}: {folder}", family.name));
                    }
                }
                assert_eq!(clips.len(), case.videos.len(), "{}", case.name);
            }
        }
    }
    assert_none(&faults);
}

/// Fixtures of different families that were made of the same picture with the same resampler agree, so the few cases
/// that one family's reference resampled in another order are still compared: with another family's.
#[test]
fn pixels_that_one_reference_lacks_are_those_of_another() {
    let mut known: HashSet<(&str, &str)> = HashSet::new();
    for opened in families() {
        for picture in opened
            .reference
            .cases
            .iter()
            .flat_map(|case| &case.pictures)
        {
            let digest = picture.levels.get("pillow");
            known.extend(digest.map(|digest| (picture.file.as_str(), digest.as_str())));
        }
    }
    for opened in families() {
        for (case, input, same_pixels) in opened.cases() {
            if same_pixels {
                continue;
            }
            for (picture, found) in case.pictures.iter().zip(&input.visuals) {
                let digest = digest(&found.tiles);
                let known = known.contains(&(picture.file.as_str(), digest.as_str()));
                assert!(known, "{}", case.name);
            }
        }
    }
}
