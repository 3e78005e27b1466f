//! A checkpoint's chat template on a fixed conversation: it ends, within its limits.

#![no_main]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use madmix::dataset::{Role, Turn};
use madmix::prompt::{MAX_RENDERED, render};

fuzz_target!(|source: &str| {
    let turn = |role, text: &str| Turn {
        role,
        text: text.into(),
    };
    let turns = [
        turn(Role::System, "You are."),
        turn(Role::User, "<image>\nWhat? <video>"),
        turn(Role::Assistant, "That."),
    ];
    let tokens = BTreeMap::from([("eos_token".to_owned(), "</s>".to_owned())]);
    let started = Instant::now();
    if let Ok(text) = render(source, &tokens, &turns) {
        assert!(text.len() <= MAX_RENDERED);
    }
    assert!(started.elapsed() < Duration::from_secs(20));
});
