//! The same samples under other settings than a family's own: modalities passed alone, row ends of clips elsewhere.

use madmix::config::Protocol;
use madmix::modality::Modality;
use madmix::vlm::{Input, PooledBatch, TextScope};
use serde_json::{Value, json};

use crate::agreement::Comparison;
use crate::checkpoints::{Folder, WEIGHTS, copy_without_weights};
use crate::device::On;
use crate::family::Opened;
use crate::llava;
use crate::reference::Case;
use crate::vectors::BOUND;
use crate::{compared, device, families};

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
    for opened in compared() {
        let mut comparison = opened.comparison(BOUND);
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
            comparison.finish(&format!("{}, separate", opened.name()));
        }
    }
    assert!(seen > 0);
}

/// LLaVA-NeXT's `mm_newline_position`.
#[test]
fn row_ends_of_clips_go_where_the_config_says() {
    for position in ["grid", "frame", "no_token"] {
        let own = (llava::NEXT.checkpoint)();
        let to = copy_without_weights(own.path());
        fs_err::copy(own.path().join(WEIGHTS), to.path().join(WEIGHTS)).unwrap();
        let config = to.path().join("config.json");
        let mut fields: Value = serde_json::from_slice(&fs_err::read(&config).unwrap()).unwrap();
        fields["mm_newline_position"] = json!(position);
        fs_err::write(&config, fields.to_string()).unwrap();

        for on in device::compared() {
            let folder = Folder::Kept(to.path().to_owned());
            let opened = Opened::bare(&llava::NEXT, folder, on.clone());
            let mut comparison = opened.comparison(BOUND);
            let infix = format!("newline_{position}");
            compare_some(&opened, &mut comparison, &infix, |samples| {
                let resampler = llava::NEXT.resamplers[0].0;
                let some = samples.iter().copied();
                let inputs =
                    opened.prepared_with(resampler, Protocol::Joint, some, |_, inputs| inputs);
                let batch: Vec<Input> = inputs.into_iter().flatten().collect();
                opened.forward(&batch, TextScope::All)
            });
            comparison.finish(&format!(
                "{}, mm_newline_position {position}",
                opened.name()
            ));
        }
    }
}

/// A template may write the tokenizer's first token itself; it stands there once all the same.
#[test]
fn a_first_token_that_the_template_writes_is_not_added_again() {
    let mut seen = 0;
    for own in families() {
        if !own.checkpoint.special_tokens.contains_key("bos_token") {
            continue;
        }
        let to = copy_without_weights(own.folder.path());
        fs_err::copy(own.folder.path().join(WEIGHTS), to.path().join(WEIGHTS)).unwrap();
        let file = to.path().join("chat_template.json");
        let mut fields: Value = serde_json::from_slice(&fs_err::read(&file).unwrap()).unwrap();
        let template = fields["chat_template"].as_str().unwrap();
        fields["chat_template"] = json!(format!("{{{{ bos_token }}}}{template}"));
        fs_err::write(&file, fields.to_string()).unwrap();

        let opened = Opened::bare(own.family, Folder::Written(to), On::cpu());
        let resampler = own.family.resamplers[0].0;
        let inputs = opened.prepared_with(resampler, Protocol::Joint, 0..3, |_, inputs| inputs);
        for (case, inputs) in own.reference.cases.iter().zip(inputs) {
            assert_eq!(inputs[0].tokens.ids, case.input_ids, "{}", case.name);
        }
        seen += 1;
    }
    assert!(seen > 0);
}
