//! One row at a time.

use std::path::{Path, PathBuf};

use madmix::dataset::{MediaKind, Role, Sample, SampleProblem};

use super::{Fixture, row};

/// The only row of a file with this row; and its media's paths within the root.
fn read(row: &str) -> Result<(Sample, Vec<PathBuf>), SampleProblem> {
    let fixture = Fixture::new(format!("[{row}]"));
    let dataset = fixture.open();
    assert_eq!(dataset.len(), 1);
    let sample = dataset.read(0).map_err(|error| {
        assert_eq!(error.row, 0);
        error.problem
    })?;
    let root = fixture.media("");
    let paths = sample.media.iter().map(|m| {
        m.blob
            .path()
            .unwrap()
            .strip_prefix(&root)
            .unwrap()
            .to_owned()
    });
    let paths = paths.collect();
    Ok((sample, paths))
}

#[test]
fn a_row_as_it_should_be() {
    let text = r#"{"id": "x", "image": "a/b.jpg", "stray": {"k": [1.5, null]}, "conversations": [
        {"from": "system", "value": "s"},
        {"from": "human", "value": "<image>\nWas ist das? \u00e9\ud83d\ude00"},
        {"from": "gpt", "value": "Eine Katze."}]}"#;
    let (sample, paths) = read(text).unwrap();
    assert_eq!((sample.row, sample.id.as_str()), (0, "x"));
    let turns: Vec<_> = sample
        .turns
        .iter()
        .map(|t| (t.role, t.text.as_str()))
        .collect();
    let expected = [
        (Role::System, "s"),
        (Role::User, "<image>\nWas ist das? é😀"),
        (Role::Assistant, "Eine Katze."),
    ];
    assert_eq!(turns, expected);
    assert_eq!(paths, [Path::new("a/b.jpg")]);
    assert_eq!(sample.media[0].kind, MediaKind::Image);
}

#[test]
fn ids_of_every_kind() {
    for (keys, id) in [
        (r#""id": "a b", "#, "a b"),
        (r#""id": 17, "#, "17"),
        (r#""id": 18446744073709551615, "#, "18446744073709551615"),
        (r#""id": -1.5, "#, "-1.5"),
        (r#""id": null, "#, "0"),
        ("", "0"),
    ] {
        assert_eq!(read(&row(keys, "q")).unwrap().0.id, id, "{keys}");
    }
    let problem = read(&row(r#""id": [1], "#, "q")).unwrap_err();
    assert_eq!(
        problem.to_string(),
        "`id` is a list, expected a string or a number"
    );
}

#[test]
fn roles_of_every_name() {
    for (name, role) in [
        ("human", Role::User),
        ("user", Role::User),
        ("gpt", Role::Assistant),
        ("assistant", Role::Assistant),
        ("model", Role::Assistant),
        ("system", Role::System),
    ] {
        for keys in [["from", "value"], ["role", "content"], ["from", "content"]] {
            let text = format!(
                r#"{{"conversations": [{{"{}": "{name}", "{}": ""}}]}}"#,
                keys[0], keys[1]
            );
            let (sample, _) = read(&text).unwrap();
            assert_eq!(
                (sample.turns[0].role, sample.turns[0].text.as_str()),
                (role, "")
            );
        }
    }
    let problem = read(r#"{"conversations": [{"from": "bot", "value": "v"}]}"#).unwrap_err();
    assert_eq!(
        problem,
        SampleProblem::UnknownRole {
            turn: 0,
            role: "bot".into()
        }
    );
}

#[test]
fn turns_out_of_order_stay_as_they_are() {
    let text = r#"{"conversations": [{"from": "gpt", "value": "1"}, {"from": "human", "value": "2"},
        {"from": "human", "value": "3"}, {"from": "gpt", "value": "4"}, {"from": "gpt", "value": "5"}]}"#;
    let (sample, _) = read(text).unwrap();
    let texts: Vec<_> = sample.turns.iter().map(|turn| turn.text.as_str()).collect();
    assert_eq!(texts, ["1", "2", "3", "4", "5"]);
    assert_eq!(sample.turns[0].role, Role::Assistant);
}

#[test]
fn media_in_every_form() {
    for (keys, question, expected) in [
        // No media.
        ("", "q", vec![]),
        (r#""image": null, "#, "q", vec![]),
        (r#""image": "", "#, "q", vec![]),
        (
            r#""image": [], "images": null, "video": null, "#,
            "q",
            vec![],
        ),
        // Pictures.
        (r#""image": "a", "#, "<image>", vec!["a"]),
        (r#""image": ["a"], "#, "<image>", vec!["a"]),
        (r#""image": [["a"]], "#, "<image>", vec!["a"]),
        (
            r#""image": [["a", "b"]], "#,
            "<image> <image>",
            vec!["a", "b"],
        ),
        (
            r#""image": [["a"], ["b"]], "#,
            "<image><image>",
            vec!["a", "b"],
        ),
        (
            r#""images": ["a", "b"], "#,
            "<image>x<image>",
            vec!["a", "b"],
        ),
        (r#""image": "a", "images": ["a"], "#, "<image>", vec!["a"]),
        (r#""image": null, "images": ["a"], "#, "<image>", vec!["a"]),
        (r#""image": ["a", "a"], "#, "<image><image>", vec!["a", "a"]),
        // Videos, also under LLaVA-NeXT's placeholder.
        (r#""video": "v", "#, "<video>", vec!["v"]),
        (r#""video": ["v"], "#, "<image>", vec!["v"]),
        (
            r#""videos": ["v", "w"], "#,
            "<image><video>",
            vec!["v", "w"],
        ),
        // Both: by kind, in the order of the text.
        (
            r#""image": ["a", "b"], "video": "v", "#,
            "<image>, <video>, <image>",
            vec!["a", "v", "b"],
        ),
    ] {
        let (sample, paths) = read(&row(keys, question)).unwrap();
        assert_eq!(
            paths,
            expected.iter().map(PathBuf::from).collect::<Vec<_>>(),
            "{keys} {question}"
        );
        let text = &sample.turns[0].text;
        let kinds: Vec<_> = sample.media.iter().map(|media| media.kind).collect();
        let count = |kind| kinds.iter().filter(|&&k| k == kind).count();
        assert_eq!(
            text.matches("<image>").count(),
            count(MediaKind::Image),
            "{keys} {question}"
        );
        assert_eq!(
            text.matches("<video>").count(),
            count(MediaKind::Video),
            "{keys} {question}"
        );
        let names_video = keys.contains(r#""video": "v""#) || keys.contains(r#""videos""#);
        assert_eq!(
            kinds.contains(&MediaKind::Video),
            names_video || keys.contains(r#"["v"]"#)
        );
    }
}

#[test]
fn media_spread_over_turns() {
    let text = r#"{"image": ["a", "b", "c"], "conversations": [
        {"from": "human", "value": "<image>"}, {"from": "gpt", "value": "1"},
        {"from": "human", "value": "and <image> < <image>"}, {"from": "gpt", "value": "2"}]}"#;
    let (_, paths) = read(text).unwrap();
    assert_eq!(paths, ["a", "b", "c"].map(PathBuf::from));
}

#[test]
fn missing_placeholders_are_put_before_the_first_question() {
    for (keys, expected) in [
        (r#""image": "a", "#, "<image>\nq"),
        (r#""image": ["a", "b"], "#, "<image>\n<image>\nq"),
        (r#""video": "v", "#, "<video>\nq"),
    ] {
        assert_eq!(read(&row(keys, "q")).unwrap().0.turns[0].text, expected);
    }
    let text = r#"{"image": "a", "conversations": [{"from": "system", "value": "s"},
        {"from": "gpt", "value": "g"}, {"from": "human", "value": "h"}]}"#;
    let (sample, _) = read(text).unwrap();
    let texts: Vec<_> = sample.turns.iter().map(|turn| turn.text.as_str()).collect();
    assert_eq!(texts, ["s", "g", "<image>\nh"]);

    let text = r#"{"image": "a", "conversations": [{"from": "gpt", "value": "g"}]}"#;
    assert_eq!(
        read(text).unwrap_err(),
        SampleProblem::NoUserTurn { media: 1 }
    );
}

#[test]
fn placeholders_that_do_not_match() {
    for (keys, question, counts) in [
        ("", "<image>", (0, 0, 1, 0)),
        ("", "<video>", (0, 0, 0, 1)),
        (r#""image": "a", "#, "<image><image>", (1, 0, 2, 0)),
        (r#""image": ["a", "b", "c"], "#, "<image>", (3, 0, 1, 0)),
        (r#""image": "a", "#, "<video>", (1, 0, 0, 1)),
        (r#""image": "a", "#, "<image><video>", (1, 0, 1, 1)),
        (r#""video": ["v", "w"], "#, "<video>", (0, 2, 0, 1)),
        (r#""video": "v", "#, "<image><video>", (0, 1, 1, 1)),
        (r#""image": "a", "video": "v", "#, "q", (1, 1, 0, 0)),
        (
            r#""image": "a", "video": "v", "#,
            "<image><image>",
            (1, 1, 2, 0),
        ),
    ] {
        let (images, videos, image_placeholders, video_placeholders) = counts;
        let expected = SampleProblem::Placeholders {
            images,
            videos,
            image_placeholders,
            video_placeholders,
        };
        assert_eq!(
            read(&row(keys, question)).unwrap_err(),
            expected,
            "{keys} {question}"
        );
    }
}

#[test]
fn placeholders_belong_to_the_user() {
    for (role, name) in [("gpt", "assistant"), ("system", "system")] {
        let text = format!(
            r#"{{"image": "a", "conversations": [{{"from": "human", "value": "q"}},
            {{"from": "{role}", "value": "<image> <image>"}}]}}"#
        );
        let expected = SampleProblem::PlaceholderRole {
            turn: 1,
            role: name,
            count: 2,
        };
        assert_eq!(read(&text).unwrap_err(), expected);
    }
}

#[test]
fn rows_of_wrong_types() {
    let turn = |turn: &str| format!(r#"{{"conversations": [{turn}]}}"#);
    for (text, message) in [
        ("null".into(), "`the row` is null, expected an object"),
        ("\"x\"".into(), "`the row` is a string, expected an object"),
        ("7".into(), "`the row` is a number, expected an object"),
        ("{}".into(), "`conversations` is missing"),
        (
            r#"{"conversations": null}"#.into(),
            "`conversations` is null, expected a list",
        ),
        (
            r#"{"conversations": []}"#.into(),
            "`conversations` is empty",
        ),
        (
            turn("[]"),
            "`conversations[0]` is a list, expected an object",
        ),
        (
            turn(r#"{"value": "v"}"#),
            "`conversations[0].from` is missing",
        ),
        (
            turn(r#"{"from": "human"}"#),
            "`conversations[0].value` is missing",
        ),
        (
            turn(r#"{"from": "human", "value": null}"#),
            "`conversations[0].value` is null, expected a string",
        ),
        (
            turn(r#"{"role": "user", "content": 1}"#),
            "`conversations[0].content` is a number, expected a string",
        ),
        (
            turn(r#"{"from": true, "value": ""}"#),
            "`conversations[0].from` is true or false, expected a string",
        ),
        (
            row(r#""image": 1, "#, "q"),
            "`image` is a number, expected a path or a list of paths",
        ),
        (
            row(r#""image": {"path": "a"}, "#, "q"),
            "`image` is an object, expected a path or a list of paths",
        ),
        (
            row(r#""image": ["a", null], "#, "q"),
            "`image[1]` is null, expected a path",
        ),
        (
            row(r#""videos": ["a", ""], "#, "q"),
            "`videos[1]` is an empty string, expected a path",
        ),
        (
            row(r#""image": ["a", ["b", "c"]], "#, "q"),
            "`image[1]` is a list, expected a path",
        ),
        (
            row(r#""image": "a", "images": ["b"], "#, "<image>"),
            "both `image` and `images` are given and they differ; keep one",
        ),
    ] {
        assert_eq!(read(&text).unwrap_err().to_string(), message, "{text}");
    }
}
