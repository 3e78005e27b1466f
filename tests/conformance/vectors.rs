//! Mean hidden states against the reference's, from files to vectors.

use madmix::extract::Protocol;
use madmix::modality::Modality;
use madmix::vlm::{Input, PooledBatch, TextScope};

use crate::agreement::Comparison;
use crate::families;
use crate::family::Opened;
use crate::reference::Case;

/// Rounding in f32 alone moves them by up to 1.3e-6; the smallest mistake that is known, GELU by erf or by tanh,
/// by 1e-4.
pub(crate) const BOUND: f64 = 1e-5;

fn compare(scope: TextScope, name: &str) {
    for opened in families() {
        let mut comparison = Comparison::new(BOUND);
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
        comparison.finish(&format!("{}, text_scope {name}", opened.family.name));
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

/// The vectors of the cases whose names with `infix` the reference has, against those that `found` gives for them.
pub(crate) fn compare_some(
    opened: &Opened,
    comparison: &mut Comparison,
    infix: &str,
    found: impl FnOnce(&[usize]) -> PooledBatch,
) {
    let keys = ["text.all", "image", "video"];
    let has = |case: &Case, key: &str, layer: usize| {
        let name = format!("{}/{infix}/{key}.{layer}", case.name);
        opened.pooled().get(&name).map(|(_, vector)| vector)
    };
    let cases = &opened.reference.cases;
    let samples: Vec<usize> = (0..cases.len())
        .filter(|&i| keys.iter().any(|key| has(&cases[i], key, 0).is_some()))
        .collect();
    if samples.is_empty() {
        return;
    }
    let found = found(&samples);
    for (at, &sample) in samples.iter().enumerate() {
        let case = &cases[sample];
        for layer in 0..opened.reference.hidden_states {
            for (key, modality) in keys.into_iter().zip(Modality::ALL) {
                let vector = found.vector(layer, at, modality);
                match has(case, key, layer) {
                    Some(expected) if expected.iter().any(|x| *x != 0.0) => {
                        comparison.add(&format!("{key}.{layer}"), &case.name, vector, expected);
                    }
                    _ => assert!(vector.iter().all(|x| *x == 0.0), "{}: {key}", case.name),
                }
            }
        }
    }
}

#[test]
fn vectors_of_modalities_that_are_passed_alone_are_the_references() {
    let mut seen = 0;
    for opened in families() {
        let mut comparison = Comparison::new(BOUND);
        let before = seen;
        compare_some(opened, &mut comparison, "separate", |samples| {
            seen += samples.len();
            let resampler = opened.family.resamplers[0].0;
            let some = samples.iter().copied();
            let protocol = Protocol::Separate;
            let inputs = opened.prepared_with(resampler, protocol, some, |measured, inputs| {
                let loaded: usize = inputs.iter().map(|input| input.tokens.ids.len()).sum();
                assert_eq!(measured.tokens(), loaded);
                inputs
            });
            let passes: Vec<usize> = inputs.iter().map(Vec::len).collect();
            let batch: Vec<Input> = inputs.into_iter().flatten().collect();
            opened.forward(&batch, TextScope::All).merged(&passes)
        });
        if seen > before {
            comparison.finish(&format!("{}, separate", opened.family.name));
        }
    }
    assert!(seen > 0);
}
