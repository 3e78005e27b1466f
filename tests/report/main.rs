//! The terminal table of a mixture.

#![expect(clippy::unwrap_used, reason = "a helper of a test may panic, too")]

use std::collections::BTreeMap;

use madmix::mix::{Centroids, Domain, MadMix, Method, Mixture, Provenance, View};
use madmix::modality::Modality;
use madmix::report::mixture_table;
use nalgebra::DMatrix;

fn mixture(names: [&str; 2], human: Option<f64>) -> Mixture {
    let domain = |(i, name): (usize, &str)| Domain {
        name: name.into(),
        size: 10_u64.pow(2 + 4 * i as u32),
        human,
    };
    let text = View {
        matrix: DMatrix::from_row_slice(2, 2, &[3.0, 1.0, 2.0, 2.0]),
        present: vec![true; 2],
    };
    let image = View {
        matrix: DMatrix::from_row_slice(2, 2, &[1.0, 4.0, 0.0, 0.0]),
        present: vec![true, false],
    };
    let views = BTreeMap::from([(Modality::Text, text), (Modality::Image, image)]);
    let domains = names.into_iter().enumerate().map(domain).collect();
    let centroids = Centroids::new(domains, views, None).unwrap();
    let solution = MadMix::new(10.0).unwrap().weights(&centroids).unwrap();
    let provenance = Provenance {
        checkpoint: "c".into(),
        fingerprint: "f".into(),
        samples: 1,
        madmix: "0".into(),
    };
    Mixture::new(&centroids, &solution, &[vec![], vec![]], provenance).unwrap()
}

#[test]
fn every_column_lines_up() {
    insta::assert_snapshot!(mixture_table(&mixture(["General", "Language"], Some(50.0))));
}

#[test]
fn a_run_without_human_shares_has_no_such_columns() {
    let table = mixture_table(&mixture(["General", "Language"], None));
    assert!(
        !table.contains("human") && !table.contains("diff"),
        "{table}"
    );
}

#[test]
fn long_and_hostile_names_keep_the_alignment() {
    let long = "Ünïcode ".repeat(30);
    let table = mixture_table(&mixture([&long, "a\nb\u{1b}[31m"], Some(1.0)));
    let widths: Vec<usize> = table.lines().map(|line| line.chars().count()).collect();
    assert_eq!(widths.len(), 3, "{table}");
    assert!(
        widths
            .iter()
            .all(|width| *width == widths[0] && *width < 120),
        "{table}"
    );
    assert!(!table.contains('\u{1b}'), "{table}");
}
