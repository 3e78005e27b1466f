//! Mean hidden states against the reference's, from files to vectors.

use madmix::modality::Modality;
use madmix::vlm::{Input, TextScope};

use crate::compared;

/// Rounding in f32 alone moves them by up to 1.3e-6; the smallest mistake that is known, GELU by erf or by tanh,
/// by 1e-4.
pub(crate) const BOUND: f64 = 1e-5;

fn compare(scope: TextScope, name: &str) {
    for opened in compared() {
        let mut comparison = opened.comparison(BOUND);
        let cases: Vec<_> = opened.cases().collect();
        let text = format!("text.{name}");
        let all = scope == TextScope::All;
        // Which text is averaged hangs on the text alone: of those with the same one only the shortest is run again.
        let (samples, separate) = if all {
            ((0..cases.len()).collect(), None)
        } else {
            let samples = opened.shortest_of_each(text_ids);
            let found = opened.forward(&opened.copies(&samples), scope);
            (samples, Some(found))
        };
        let found = separate.as_ref().unwrap_or_else(|| opened.packed());
        for (at, sample) in samples.into_iter().enumerate() {
            let (case, _, same_pixels) = cases[sample];
            assert_eq!(
                found.tokens[at],
                [&text, "image", "video"].map(|key| case.count(key)),
                "{}",
                case.name
            );
            if !same_pixels {
                continue;
            }
            for layer in 0..opened.reference.hidden_states {
                for (key, modality) in [text.as_str(), "image", "video"]
                    .into_iter()
                    .zip(Modality::ALL)
                {
                    let found = found.vector(layer, at, modality);
                    if case.count(key) == 0 {
                        assert!(found.iter().all(|x| *x == 0.0), "{}", case.name);
                        continue;
                    }
                    let kind = format!("{key}.{layer}");
                    let (_, expected) = &opened.pooled()[&format!("{}/{kind}", case.name)];
                    comparison.add(&kind, &case.name, found, expected);
                }
            }
        }
        comparison.finish(&format!("{}, text_scope {name}", opened.name()));
    }
}

/// The ids of what is no picture and no clip.
fn text_ids(input: &Input) -> Vec<u32> {
    let places = input.tokens.ids.iter().zip(&input.tokens.places);
    places
        .filter(|(_, place)| !place.is_visual())
        .map(|(id, _)| *id)
        .collect()
}

#[test]
fn vectors_of_pictures_and_all_text_are_the_references() {
    compare(TextScope::All, "all");
}

#[test]
fn vectors_of_content_are_the_references() {
    compare(TextScope::Content, "content");
}

#[test]
fn vectors_of_answers_are_the_references() {
    compare(TextScope::Answer, "answer");
}
