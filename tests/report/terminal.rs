//! The tables for the terminal.

use std::collections::BTreeMap;

use madmix::mix::{
    Analysis, Centroids, Domain, MadMix, Method, Mixture, Provenance, Uncertainty, View,
};
use madmix::modality::Modality;
use madmix::report::{analysis_text, mixture_table};
use nalgebra::DMatrix;

use super::samples::{analysis, demo, many};

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

/// What a table looks like on a screen, where a wide character takes two columns.
fn widths(table: &str) -> Vec<usize> {
    let wide = |c: char| {
        if ('\u{1100}'..='\u{ffff}').contains(&c) && c != '…' && c != '–' {
            2
        } else {
            1
        }
    };
    table
        .lines()
        .map(|line| line.chars().map(wide).sum())
        .collect()
}

#[test]
fn intervals_have_a_column_and_differences_beyond_them_a_star() {
    let mut mixture = mixture(["General", "Language"], Some(50.0));
    mixture.uncertainty = Some(Uncertainty {
        level: 0.95,
        replicates: 200,
        outranks: None,
    });
    (mixture.domains[0].low, mixture.domains[0].high) = (Some(0.68), Some(0.7312));
    (mixture.domains[1].low, mixture.domains[1].high) = (Some(0.05), Some(0.51));
    insta::assert_snapshot!(mixture_table(&mixture));
}

#[test]
fn wide_names_keep_the_alignment() {
    let table = mixture_table(&mixture(["図表と数式", "General"], Some(1.0)));
    let widths = widths(&table);
    assert!(widths.iter().all(|width| *width == widths[0]), "{table}");
    let mut demo = demo();
    demo.domains[0].name = "図表".repeat(30);
    demo.domains[1].name = "a\nb\u{1b}[31m\u{202e}".into();
    let text = analysis_text(&demo, &analysis(&demo));
    assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
}

#[test]
fn what_moves_the_weights_is_told_in_a_few_rows() {
    let demo = demo();
    insta::assert_snapshot!(analysis_text(&demo, &analysis(&demo)));
}

#[test]
fn an_analysis_of_many_domains_fits_on_a_screen() {
    let many = many(100);
    let text = analysis_text(&many, &analysis(&many));
    assert!(text.lines().count() < 40, "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() < 120),
        "{text}"
    );
    assert!(text.contains("of the 6 heaviest of 100 domains"), "{text}");
    assert!(text.contains("and 195 more that matter less"), "{text}");
}

#[test]
fn nothing_known_is_nothing_said() {
    assert_eq!(analysis_text(&demo(), &Analysis::default()), "");
}

#[test]
fn a_name_that_ends_with_a_star_is_no_difference() {
    for human in [None, Some(1.0)] {
        let text = mixture_table(&mixture(["VQA*", "b*"], human));
        assert!(!text.contains("human share"), "{text}");
    }
}
