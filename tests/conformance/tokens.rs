//! Token ids, what each stands for, and how many a picture takes.

use madmix::media::{Limits, probe_file};
use madmix::prompt::Place;
use madmix::vlm::{Extent, Input, processor};

use crate::agreement::assert_none;
use crate::families;
use crate::reference::{Case, folder};

#[test]
fn token_ids_are_the_references() {
    let mut faults = Vec::new();
    for opened in families() {
        let image = opened.reference.image_token_id;
        for (case, input, _) in opened.cases() {
            let places = input.tokens.ids.iter().zip(&input.tokens.places);
            // What stands at a picture's positions is a placeholder's id or none at all.
            let found: Vec<u32> = places
                .map(|(id, place)| if *place == Place::Image { image } else { *id })
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
                (
                    "text.all",
                    &[Place::Template, Place::Content, Place::Answer],
                ),
                ("text.content", &[Place::Content, Place::Answer]),
                ("text.answer", &[Place::Answer]),
            ] {
                let places = input.tokens.places.iter();
                let found = places.filter(|place| among.contains(place)).count() as u32;
                if found != case.tokens[key] {
                    let (name, expected) = (&case.name, case.tokens[key]);
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
        let family = opened.family;
        let resampler = family.resamplers[0].0;
        let processor = processor(&opened.checkpoint, resampler);
        for (sample, (case, input, _)) in opened.cases().enumerate() {
            let probe = |file: &str| {
                probe_file(
                    &folder(family.media).join(file),
                    family.orientation,
                    Limits::default(),
                )
            };
            let sizes: Vec<_> = case
                .pictures
                .iter()
                .map(|p| Extent::Picture(probe(&p.file).unwrap()))
                .collect();
            let planned = processor.shapes(&sizes, 0).unwrap();
            let planned: Vec<_> = planned.iter().map(|s| (s.tiles(), s.tokens())).collect();
            let expected: Vec<_> = case.pictures.iter().map(|p| (p.tiles, p.tokens)).collect();
            let rendered: Vec<_> = input.visuals.iter().map(|p| p.tiles.count).collect();
            let tiles: Vec<_> = expected.iter().map(|(tiles, _)| *tiles).collect();
            if planned != expected || rendered != tiles {
                let name = &case.name;
                faults.push(format!("{name}: {planned:?} {rendered:?} for {expected:?}"));
            }
            let [text, image, video] = opened.packed().tokens[sample];
            if (text, image, video) != (case.tokens["text.all"], case.tokens["image"], 0) {
                faults.push(format!(
                    "{}: averaged over {text}, {image}, {video}",
                    case.name
                ));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn what_was_measured_before_decoding_is_what_is_loaded() {
    for opened in families() {
        let resampler = opened.family.resamplers[0].0;
        let pairs = opened.prepared(resampler, |measured, input: Input| {
            let image = input
                .tokens
                .places
                .iter()
                .filter(|place| **place == Place::Image);
            let loaded = (input.tokens.ids.len(), image.count());
            ((measured.tokens(), measured.picture_tokens()), loaded)
        });
        for (case, (measured, loaded)) in opened.reference.cases.iter().zip(pairs) {
            assert_eq!(measured, loaded, "{}", case.name);
        }
    }
}
