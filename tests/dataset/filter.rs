//! Filters, and fingerprints with and without them.

use super::{Fixture, row};

#[test]
fn a_filter_keeps_rows_and_their_numbers() {
    let source = |id: u64| {
        row(
            &format!(
                r#""id": {id}, "data_source": "s{}", "image": "f{}/x", "#,
                id % 3,
                id % 2
            ),
            "q",
        )
    };
    let rows: Vec<_> = (0..12).map(source).collect();
    for content in [format!("[{}]", rows.join(",")), rows.join("\n")] {
        let kept = |filter| {
            let fixture = Fixture::filtered(&content, filter);
            let dataset = fixture.open();
            let samples: Vec<_> = (0..dataset.len())
                .map(|i| dataset.read(i).unwrap())
                .collect();
            assert!(
                samples
                    .iter()
                    .all(|sample| sample.id == sample.row.to_string())
            );
            samples.iter().map(|sample| sample.row).collect::<Vec<_>>()
        };
        assert_eq!(kept(r#"{"data_source": ["s1"]}"#), [1, 4, 7, 10]);
        assert_eq!(
            kept(r#"{"data_source": ["s0", "s1"], "media": "f0/"}"#),
            [0, 4, 6, 10]
        );
        assert_eq!(kept("{}").len(), 12);

        let problem = Fixture::filtered(&content, r#"{"data_source": ["S1"]}"#)
            .problem()
            .to_string();
        assert!(
            problem.contains(
                r#"none of its 12 rows; `data_source` most often is "s0" (4 rows), "s1""#
            ),
            "{problem}"
        );
        let problem = Fixture::filtered(&content, r#"{"media": "f"}"#)
            .problem()
            .to_string();
        assert!(
            problem.contains(r#""f0" (6 rows), "f1" (6 rows)"#),
            "{problem}"
        );
    }
}

#[test]
fn a_filter_leaves_out_rows_that_it_cannot_read() {
    let good = row(r#""data_source": "a", "#, "q");
    let fixture = Fixture::filtered(
        format!("{good}\n{{\"data_source\": \"a\", \n{good}"),
        r#"{"data_source": ["a"]}"#,
    );
    let dataset = fixture.open();
    assert_eq!((dataset.len(), dataset.read(1).unwrap().row), (2, 2));
}

#[test]
fn fingerprints_are_of_content_and_filter_alone() {
    let content = row(r#""data_source": "a", "#, "q");
    let of = |content: &str| Fixture::new(content).open().fingerprint().to_owned();
    let of_filtered = |filter| {
        Fixture::filtered(&content, filter)
            .open()
            .fingerprint()
            .to_owned()
    };
    assert_eq!(
        of(&content),
        blake3::hash(content.as_bytes()).to_hex().as_str()
    );
    assert_ne!(of(&content), of(&format!("{content}\n")));
    assert_eq!(of(&content), of_filtered("{}"));
    assert_ne!(of(&content), of_filtered(r#"{"data_source": ["a"]}"#));
    assert_eq!(
        of_filtered(r#"{"data_source": ["a", "b"]}"#),
        of_filtered(r#"{"data_source": ["b", "a", "a"]}"#)
    );
    assert_ne!(
        of_filtered(r#"{"data_source": ["a"]}"#),
        of_filtered(r#"{"data_source": ["a", "b"]}"#)
    );
}
