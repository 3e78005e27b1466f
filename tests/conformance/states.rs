//! Single hidden states. Only means come out of a model, but a mean over one position is that position's state. In f32
//! alone: a bound on bf16 is one on means, which average its rounding.

use std::path::Path;

use madmix::modality::Modality;
use madmix::prompt::Place;
use madmix::vlm::{Input, TextScope};

use crate::compared;
use crate::reference::{folder, vectors};

/// Rounding in f32 alone: up to 2.4e-6.
const BOUND: f64 = 2e-5;

/// The sample with one text position told for an answer, and no other.
fn singled_out(input: &Input, position: usize) -> Input {
    let mut single = input.clone();
    for (i, place) in single.tokens.places.iter_mut().enumerate() {
        if !place.is_visual() {
            *place = if i == position {
                Place::Answer
            } else {
                Place::Template
            };
        }
    }
    single
}

#[test]
fn last_hidden_states_of_text_are_the_references() {
    let file = "last_hidden.safetensors";
    let with_states = compared()
        .filter(|opened| opened.on.is_f32())
        .filter(|opened| Path::exists(&folder(opened.family.fixtures).join(file)));
    let mut families_seen = 0;
    for opened in with_states {
        families_seen += 1;
        let mut comparison = opened.comparison(BOUND);
        let last = opened.reference.hidden_states - 1;
        let expected = vectors(opened.family.fixtures, file);
        for (case, input, _) in opened.cases() {
            let Some((width, states)) = expected.get(&case.name) else {
                continue;
            };
            assert_eq!(
                states.len(),
                width * input.tokens.ids.len(),
                "{}",
                case.name
            );
            let text = |i: &usize| !input.tokens.places[*i].is_visual();
            let positions: Vec<_> = (0..input.tokens.places.len()).filter(text).collect();
            let batch: Vec<_> = positions.iter().map(|i| singled_out(input, *i)).collect();
            let found = opened.forward(&batch, TextScope::Answer);
            for (sample, position) in positions.into_iter().enumerate() {
                let expected = &states[position * width..][..*width];
                let vector = found.vector(last, sample, Modality::Text);
                comparison.add(&case.name, &position.to_string(), vector, expected);
            }
        }
        comparison.finish(&format!("{}, last hidden states", opened.name()));
    }
    assert!(families_seen > 0);
}
