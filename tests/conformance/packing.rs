//! A sample's vectors must not depend on what else is in its batch.

use std::slice;

use madmix::modality::Modality;
use madmix::vlm::{Input, TextScope};

use crate::agreement::Comparison;
use crate::compared;
use crate::family::Opened;

/// As close as to the reference: other shapes of a matrix product may add in another order.
const BOUND: f64 = 1e-5;

/// One sample for each number of pictures and of tiles: more tiles than the tower takes at a time, several pictures,
/// none. Longer ones of the same kind only take longer.
fn samples(opened: &Opened) -> Vec<usize> {
    opened.shortest_of_each(|input| {
        let tiles: usize = input
            .visuals
            .iter()
            .map(|picture| picture.tiles.count)
            .sum();
        (input.visuals.len(), tiles)
    })
}

/// Compares the samples of a batch with the same samples in the batch of all.
fn compare(comparison: &mut Comparison, opened: &Opened, samples: &[usize], batch: &[Input]) {
    let (found, packed) = (opened.forward(batch, TextScope::All), opened.packed());
    for (at, &sample) in samples.iter().enumerate() {
        let case = &opened.reference.cases[sample].name;
        assert_eq!(found.tokens[at], packed.tokens[sample], "{case}");
        for layer in 0..opened.reference.hidden_states {
            for modality in Modality::ALL {
                comparison.add(
                    &format!("{modality}.{layer}"),
                    case,
                    found.vector(layer, at, modality),
                    packed.vector(layer, sample, modality),
                );
            }
        }
    }
}

#[test]
fn a_sample_alone_has_the_vectors_that_it_has_among_others() {
    for opened in compared() {
        let mut comparison = opened.comparison(BOUND);
        for sample in samples(opened) {
            let alone = slice::from_ref(&opened.inputs[sample]);
            compare(&mut comparison, opened, &[sample], alone);
        }
        comparison.finish(&format!("{}, alone", opened.name()));
    }
}

#[test]
fn another_order_in_the_batch_changes_nothing() {
    for opened in compared() {
        let mut samples = samples(opened);
        samples.sort_unstable();
        samples.reverse();
        let mut comparison = opened.comparison(BOUND);
        compare(&mut comparison, opened, &samples, &opened.copies(&samples));
        comparison.finish(&format!("{}, reversed", opened.name()));
    }
}
