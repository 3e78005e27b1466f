//! A mixture whose every text from outside tries to leave its place.

use madmix::mix::{Analysis, Mixture};

use super::samples::{analysis, mixture};

/// Names that try to leave their place.
pub(crate) fn hostile_names() -> Vec<String> {
    vec![
        "</script><img src=x onerror=alert(1)>".into(),
        "\" onload=\"alert(1)".into(),
        "&lt;b&gt; & ' ]]> <!-- {{x}}".into(),
        "esc\u{1b}[31m\0 nul\r\nline\u{ffff}".into(),
        "right\u{202e}tfel עברית".into(),
        "long ".repeat(100),
        "図表🎬図表🎬図表🎬図表🎬図表🎬図表🎬".into(),
    ]
}

/// A mixture in which every text from outside is hostile.
pub(crate) fn hostile() -> (Mixture, Analysis) {
    let names = hostile_names();
    let human = vec![1.0; names.len()];
    let mut mixture = mixture(&names, Some(&human));
    let mut analysis = analysis(&mixture);
    let evil = |i: usize| names[i % names.len()].clone();
    for (i, domain) in mixture.domains.iter_mut().enumerate() {
        for dataset in &mut domain.datasets {
            dataset.name = evil(i + 1);
        }
    }
    mixture.method = evil(0);
    mixture.settings.layer = Some(evil(1));
    mixture.settings.hold.clone_from(&names);
    mixture.provenance.checkpoint = evil(0);
    mixture.provenance.fingerprint = evil(1);
    mixture.provenance.madmix = evil(2);
    for (i, influence) in analysis.without_dataset.iter_mut().enumerate() {
        influence.without = evil(i);
    }
    for (i, layer) in analysis.layers.iter_mut().enumerate() {
        layer.layer = evil(i);
    }
    (mixture, analysis)
}
