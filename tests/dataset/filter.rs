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

/// The ids that a filter keeps of these rows, whose number is theirs.
fn kept(rows: &[String], filter: &str) -> Vec<u64> {
    let dataset = Fixture::filtered(rows.join("\n"), filter).open();
    let row = |i| {
        dataset
            .read(i)
            .map_or_else(|error| error.row, |sample| sample.row)
    };
    (0..dataset.len()).map(row).collect()
}

/// A text, pictures and videos in every form that a row of messages may have them in.
fn of_messages() -> Vec<String> {
    let asked = |content: &str, keys: &str| {
        format!(r#"{{"messages": [{{"role": "user", "content": {content}}}]{keys}}}"#)
    };
    vec![
        asked(r#""q""#, ""),
        asked(r#""<image>q""#, r#", "images": ["coco/1.jpg"]"#),
        asked(r#"[{"type": "image", "image": "coco/2.jpg"}]"#, ""),
        asked(
            r#"[{"type": "image_url", "image_url": {"url": "gqa/3.png"}}]"#,
            "",
        ),
        asked(
            r#"[{"type": "image"}]"#,
            r#", "images": [{"bytes": null, "path": "gqa/4.png"}]"#,
        ),
        asked(
            r#"[{"type": "image", "image": "data:image/png;base64,coco"}]"#,
            "",
        ),
        asked(r#"[{"type": "video", "video": "films/6.mp4"}]"#, ""),
        asked(
            r#""<video>""#,
            r#", "videos": [["films/7/1.jpg", "films/7/2.jpg"]]"#,
        ),
        asked(
            r#"[{"type": "video", "video": ["films/8/1.jpg"]}, {"type": "image", "path": "gqa/8.png"}]"#,
            "",
        ),
        // A failure when it is read, and still of this dataset: only then is it counted.
        asked(
            r#"[{"type": "image", "image": "gqa/9.png"}, {"type": "sound"}]"#,
            "",
        ),
    ]
}

#[test]
fn paths_are_searched_with_an_expression() {
    let shown = |path: &str| row(&format!(r#""image": "{path}", "#), "q");
    let llava = [
        "a/train2017/1.jpg",
        "a/val2017/2.jpg",
        "train2017.jpg",
        "b/3.png",
    ]
    .map(shown);
    assert_eq!(kept(&llava, r#"{"path": "train2017/"}"#), [0]);
    assert_eq!(kept(&llava, r#"{"path": "^a/.*[0-9]+\\.jpg$"}"#), [0, 1]);
    assert_eq!(kept(&llava, r#"{"path": "(?i)PNG"}"#), [3]);
    assert_eq!(
        kept(&llava, r#"{"path": "2017", "media": "a/val2017"}"#),
        [1]
    );

    let messages = of_messages();
    assert_eq!(kept(&messages, r#"{"path": "^coco/"}"#), [1, 2]);
    assert_eq!(kept(&messages, r#"{"path": "\\.png$"}"#), [3, 4, 8, 9]);
    assert_eq!(kept(&messages, r#"{"path": "^films/"}"#), [6, 7, 8]);
    assert_eq!(kept(&messages, r#"{"media": "gqa"}"#), [3, 4, 8, 9]);
}

#[test]
fn modalities_are_those_that_a_row_shows() {
    let llava = [
        row("", "q"),
        row(r#""image": null, "video": [], "#, "q"),
        row(r#""image": "a.jpg", "#, "q"),
        row(r#""videos": ["a.mp4"], "#, "q"),
        row(r#""image": "a.jpg", "video": "a.mp4", "#, "<image><video>"),
    ];
    assert_eq!(kept(&llava, r#"{"modality": ["text"]}"#), [0, 1]);
    assert_eq!(kept(&llava, r#"{"modality": ["image"]}"#), [2, 4]);
    assert_eq!(kept(&llava, r#"{"modality": ["video"]}"#), [3, 4]);
    assert_eq!(
        kept(&llava, r#"{"modality": ["video", "text"]}"#),
        [0, 1, 3, 4]
    );

    let messages = of_messages();
    assert_eq!(kept(&messages, r#"{"modality": ["text"]}"#), [0]);
    assert_eq!(
        kept(&messages, r#"{"modality": ["image"]}"#),
        [1, 2, 3, 4, 5, 8, 9]
    );
    assert_eq!(kept(&messages, r#"{"modality": ["video"]}"#), [6, 7, 8]);
    let dataset = Fixture::filtered(messages.join("\n"), r#"{"modality": ["image"]}"#).open();
    assert!(
        dataset.read(6).is_err(),
        "the one that cannot be read is there to be counted"
    );

    let problem = Fixture::filtered(&llava[0], r#"{"modality": ["video"]}"#).problem();
    let says = "`modality` most often is \"text\" (1 rows)";
    assert!(problem.to_string().contains(says), "{problem}");
}

#[test]
fn an_expression_that_is_none_is_refused() {
    let problem = Fixture::filtered(row("", "q"), r#"{"path": "a("}"#).problem();
    let message = problem.to_string();
    assert!(
        message.starts_with("`filter.path` is no regular expression: "),
        "{message}"
    );
}
