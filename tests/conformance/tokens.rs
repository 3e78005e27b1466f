//! Token ids, what each stands for, and how many a picture takes.

use madmix::blob::Blob;
use madmix::config::Protocol;
use madmix::dataset::MediaKind;
use madmix::media::{Clip, probe_file};
use madmix::prompt::Place;
use madmix::vlm::{Extent, Input, processor};

use crate::agreement::assert_none;
use crate::families;
use crate::family::{Opened, by_kind};
use crate::reference::{Case, folder};

#[test]
fn token_ids_are_the_references() {
    let mut faults = Vec::new();
    for opened in families() {
        let image = opened.reference.image_token_id;
        let video = opened.reference.video_token_id.unwrap_or(image);
        for (case, input, _) in opened.cases() {
            let places = input.tokens.ids.iter().zip(&input.tokens.places);
            // What stands at the positions of pictures and clips is a placeholder's id or none at all.
            let found: Vec<u32> = places
                .map(|(id, place)| match place {
                    Place::Image => image,
                    Place::Video => video,
                    _ => *id,
                })
                .collect();
            if found != case.input_ids {
                faults.push(difference(opened.family.name, case, &found));
            }
        }
    }
    assert_none(&faults);
}

fn difference(family: &str, case: &Case, found: &[u32]) -> String {
    let same = found
        .iter()
        .zip(&case.input_ids)
        .take_while(|(a, b)| a == b);
    let at = same.count();
    let next = |ids: &[u32]| ids[at..].iter().take(8).copied().collect::<Vec<_>>();
    format!(
        "{family}, {}: {} ids for {}, from {at} on {:?} for {:?}",
        case.name,
        found.len(),
        case.input_ids.len(),
        next(found),
        next(&case.input_ids)
    )
}

#[test]
fn every_token_is_told_for_what_it_is() {
    let mut faults = Vec::new();
    for opened in families() {
        for (case, input, _) in opened.cases() {
            for (key, among) in [
                ("image", &[Place::Image][..]),
                ("video", &[Place::Video]),
                (
                    "text.all",
                    &[Place::Template, Place::Content, Place::Answer],
                ),
                ("text.content", &[Place::Content, Place::Answer]),
                ("text.answer", &[Place::Answer]),
            ] {
                let places = input.tokens.places.iter();
                let found = places.filter(|place| among.contains(place)).count() as u32;
                if found != case.count(key) {
                    let (name, expected) = (&case.name, case.count(key));
                    faults.push(format!("{name}: {found} {key} tokens for {expected}"));
                }
            }
        }
    }
    assert_none(&faults);
}

/// A batch is planned from sizes alone: they have to say what the forward pass then meets.
#[test]
fn sizes_alone_give_the_tokens_and_tiles_of_the_reference() {
    let mut faults = Vec::new();
    for opened in families() {
        for (sample, (case, input, _)) in opened.cases().enumerate() {
            let planned = planned(opened, case);
            let of_pictures = case.pictures.iter().map(|p| (Some(p.tiles), p.tokens));
            let of_clips = case.videos.iter().map(|v| (None, v.tokens));
            let expected: Vec<_> = of_pictures.chain(of_clips).collect();
            let (pictures, clips) = by_kind(input);
            let rendered: Vec<usize> = pictures
                .iter()
                .chain(&clips)
                .map(|visual| visual.tiles.count)
                .collect();
            let (tiles, tokens): (Vec<usize>, Vec<usize>) = planned.iter().copied().unzip();
            let agree = tiles == rendered
                && tokens.iter().eq(expected.iter().map(|(_, tokens)| tokens))
                && expected
                    .iter()
                    .zip(&tiles)
                    .all(|((expected, _), tiles)| expected.is_none_or(|n| n == *tiles));
            if !agree {
                faults.push(format!("{}: {planned:?} for {expected:?}", case.name));
            }
            let averaged = opened.packed().tokens[sample];
            if averaged != ["text.all", "image", "video"].map(|key| case.count(key)) {
                faults.push(format!("{}: averaged over {averaged:?}", case.name));
            }
        }
    }
    assert_none(&faults);
}

/// Tiles and tokens of the pictures of a sample, then of its clips, from what can be told without decoding.
fn planned(opened: &Opened, case: &Case) -> Vec<(usize, usize)> {
    let family = opened.family;
    let resampler = family.resamplers[0].0;
    let options = case
        .settings
        .options(resampler, family.orientation, Protocol::Joint);
    let processor = processor(&opened.checkpoint, &options.processor);
    let place = |name: &str| folder(family.media).join(name);
    let pictures = case.pictures.iter().map(|picture| {
        let size = probe_file(
            &Blob::at(&place(&picture.file)),
            options.orientation,
            options.limits,
        );
        Extent::Picture(size.unwrap())
    });
    let clips = case.videos.iter().map(|video| {
        let (orientation, limits) = (options.orientation, options.limits);
        let clip = Clip::probe(
            &Blob::at(&place(&video.folder)),
            orientation,
            limits,
            options.video,
        )
        .unwrap();
        let rounding = processor.frame_rounding();
        let sampling = options.sampling;
        let taken = sampling
            .indices(clip.frames, clip.fps, clip.kind, rounding)
            .unwrap();
        assert_eq!(
            taken, video.frames,
            "{}: frames of {}",
            case.name, video.folder
        );
        Extent::Clip {
            size: clip.size,
            frames: taken.len(),
            fps: taken.len() as f64 / clip.frames as f64 * clip.fps,
        }
    });
    let extents: Vec<_> = pictures.chain(clips).map(|extent| (extent, 0)).collect();
    let shapes = processor.shapes(&extents).unwrap();
    shapes
        .iter()
        .map(|shape| (shape.tiles(), shape.tokens()))
        .collect()
}

#[test]
fn what_was_measured_before_decoding_is_what_is_loaded() {
    for opened in families() {
        let resampler = opened.family.resamplers[0].0;
        let pairs = opened.prepared(resampler, |measured, input: Input| {
            let count = |place| {
                input
                    .tokens
                    .places
                    .iter()
                    .filter(|found| **found == place)
                    .count()
            };
            let loaded = [
                input.tokens.ids.len(),
                count(Place::Image),
                count(Place::Video),
            ];
            let of = |kind| measured.tokens_of(kind);
            let planned = [
                measured.tokens(),
                of(MediaKind::Image),
                of(MediaKind::Video),
            ];
            (planned, loaded)
        });
        for (case, (measured, loaded)) in opened.reference.cases.iter().zip(pairs) {
            assert_eq!(measured, loaded, "{}", case.name);
        }
    }
}
