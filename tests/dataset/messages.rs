//! Rows of messages, one at a time.

use madmix::blob::Blob;
use madmix::dataset::{MediaKind, Role, Sample, SampleProblem};

use super::{Fixture, ids};

/// The only row of a file with this row.
fn read(row: &str) -> Result<Sample, SampleProblem> {
    let fixture = Fixture::new(format!("[{row}]"));
    let dataset = fixture.open();
    assert_eq!(dataset.format(), "messages JSON or JSONL", "{row}");
    dataset.read(0).map_err(|error| error.problem)
}

/// A row whose user's content is this, with these keys after the messages.
fn asked(content: &str, keys: &str) -> String {
    format!(
        r#"{{"messages": [{{"role": "user", "content": {content}}},
        {{"role": "assistant", "content": "a"}}]{keys}}}"#
    )
}

/// What the user says, and the names of what is shown.
fn shown(content: &str, keys: &str) -> (String, Vec<String>) {
    let row = asked(content, keys);
    let sample = read(&row).unwrap_or_else(|problem| panic!("{row}: {problem}"));
    let names = sample.media.iter().map(|media| media.name.clone());
    (sample.turns[0].text.clone(), names.collect())
}

fn problem(content: &str, keys: &str) -> String {
    read(&asked(content, keys)).unwrap_err().to_string()
}

#[test]
fn a_row_says_where_it_was_taken_from_if_it_does() {
    let source = |keys: &str| read(&asked(r#""q""#, keys)).unwrap().data_source;
    assert_eq!(source(r#", "data_source": "s""#).as_deref(), Some("s"));
    assert_eq!(source(""), None);
    assert_eq!(source(r#", "data_source": 3"#), None);
}

#[test]
fn the_dialect_is_part_of_the_fingerprint() {
    let rows = r#"{"messages": [{"role": "user", "content": "m"}], "conversations": [{"from": "human", "value": "c"}]}"#;
    let of = |format: &str| {
        let mut fixture = Fixture::new(rows);
        fixture.spec.format = Some(format.into());
        let dataset = fixture.open();
        let text = dataset.read(0).unwrap().turns[0].text.clone();
        (text, dataset.fingerprint().to_owned())
    };
    let (messages, llava) = (of("messages"), of("llava"));
    assert_eq!((messages.0.as_str(), llava.0.as_str()), ("m", "c"));
    assert_ne!(messages.1, llava.1);
}

#[test]
fn roles_and_contents() {
    let text = r#"{"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u", "loss": false},
        {"role": "assistant", "content": null, "tool_calls": [], "function_call": null},
        {"from": "human", "value": [{"type": "text", "text": "v"}]}, {"from": "gpt", "content": []}, {"role": "developer", "content": "d"}],
        "rejected_response": "r", "objects": {"bbox": []}, "id": "x"}"#;
    let sample = read(text).unwrap();
    let turns: Vec<_> = sample
        .turns
        .iter()
        .map(|turn| (turn.role, turn.text.as_str()))
        .collect();
    let expected = [
        (Role::System, "s"),
        (Role::User, "u"),
        (Role::Assistant, ""),
        (Role::User, "v"),
        (Role::Assistant, ""),
        (Role::System, "d"),
    ];
    assert_eq!((turns.as_slice(), sample.id.as_str()), (&expected[..], "x"));
}

#[test]
fn a_system_of_the_row_comes_first() {
    for key in ["system", "system_prompt"] {
        let of = |messages: &str| {
            let row = format!(r#"{{"messages": [{messages}], "{key}": "s"}}"#);
            let said = read(&row).unwrap().turns;
            said.iter()
                .map(|turn| turn.text.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(of(r#"{"role": "user", "content": "u"}"#), ["s", "u"]);
        assert_eq!(of(r#"{"role": "system", "content": "t"}"#), ["t"]);
    }
}

#[test]
fn parts_show_what_they_bring_or_the_row_has() {
    let text = r#"{"type": "text", "text": "q"}"#;
    for part in [
        r#"{"type": "image", "image": "a.jpg"}"#,
        r#"{"type": "image", "image": "a.jpg", "text": null, "max_pixels": 9}"#,
        r#"{"type": "image", "image": {"path": "a.jpg", "bytes": null}}"#,
        r#"{"type": "image", "url": "a.jpg"}"#,
        r#"{"type": "image", "path": "a.jpg"}"#,
        r#"{"type": "image", "image_url": "a.jpg"}"#,
        r#"{"type": "image_url", "image_url": {"url": "a.jpg", "detail": "high"}}"#,
        r#"{"type": "image_url", "value": "a.jpg"}"#,
        r#"{"type": "input_image", "image_url": "a.jpg"}"#,
        r#"{"type": "image", "source": {"type": "url", "url": "a.jpg"}}"#,
        r#"{"image": "a.jpg"}"#,
    ] {
        let expected = ("<image>\nq".to_owned(), vec!["a.jpg".to_owned()]);
        assert_eq!(shown(&format!("[{part}, {text}]"), ""), expected, "{part}");
    }
    for part in [
        r#"{"type": "image"}"#,
        r#"{"type": "image", "image": null}"#,
        r#"{"type": "image_url", "image_url": ""}"#,
    ] {
        for images in [
            r#""a.jpg""#,
            r#"["a.jpg"]"#,
            r#"[["a.jpg"]]"#,
            r#"{"bytes": null, "path": "a.jpg"}"#,
            r#"[{"path": "a.jpg"}]"#,
            r#"[{"url": "a.jpg"}]"#,
        ] {
            let found = shown(
                &format!("[{text}, {part}]"),
                &format!(r#", "images": {images}"#),
            );
            let expected = ("q<image>\n".to_owned(), vec!["a.jpg".to_owned()]);
            assert_eq!(found, expected, "{part} {images}");
        }
    }
    for part in [
        r#"{"type": "video", "video": "a.mp4", "fps": 2.0}"#,
        r#"{"type": "video_url", "video_url": {"url": "a.mp4"}}"#,
        r#"{"video": "a.mp4"}"#,
    ] {
        let sample = read(&asked(&format!("[{part}, {text}]"), "")).unwrap();
        assert_eq!(sample.media[0].kind, MediaKind::Video);
        assert_eq!(sample.media[0].name, "a.mp4");
    }
    let text_parts = r#"[{"type": "input_text", "text": "a"}, {"text": "b"}, "c", {"type": "text", "value": "d"}, {"type": "text", "text": null}]"#;
    assert_eq!(shown(text_parts, "").0, "abcd");
}

#[test]
fn media_come_in_the_order_of_their_places() {
    let content = r#"[{"type": "text", "text": "1 <image> 2"}, {"type": "image", "image": "own"}, {"type": "video"},
        {"type": "image"}, {"type": "text", "text": "\n3"}]"#;
    let found = shown(content, r#", "images": ["x", "y"], "videos": ["v"]"#);
    let text = "1 <image> 2<image>\n<video>\n<image>\n\n3";
    let names = ["x", "own", "v", "y"].map(str::to_owned).to_vec();
    assert_eq!(found, (text.to_owned(), names));

    // Strings are as LLaVA's.
    for (content, keys, text, names) in [
        (
            r#""<image>q""#,
            r#", "images": ["a"]"#,
            "<image>q",
            vec!["a"],
        ),
        (r#""q""#, r#", "image": "a""#, "<image>\nq", vec!["a"]),
        (
            r#""<image>q""#,
            r#", "videos": ["v"]"#,
            "<video>q",
            vec!["v"],
        ),
    ] {
        let names = names.into_iter().map(str::to_owned).collect();
        assert_eq!(shown(content, keys), (text.to_owned(), names));
    }

    // The row may say once more what the parts say.
    let part = r#"[{"type": "image", "image": "a"}]"#;
    assert_eq!(shown(part, r#", "images": ["a"]"#).1, ["a"]);
    let message = problem(part, r#", "images": ["b"]"#);
    assert!(
        message.starts_with("2 images and 0 videos, but 1"),
        "{message}"
    );
    let message = problem(r#"[{"type": "image"}]"#, "");
    assert!(
        message.starts_with("0 images and 0 videos, but 1"),
        "{message}"
    );
}

#[test]
fn bytes_in_the_row() {
    let held = Blob::Held(b"\x89PNG".as_slice().into());
    for (content, keys, name) in [
        (
            r#"[{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}}]"#,
            "",
            "data:image/png (4 bytes)",
        ),
        (
            r#"[{"type": "image", "base64": "iVBORw=="}]"#,
            "",
            "base64 (4 bytes)",
        ),
        (
            r#"[{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}}]"#,
            "",
            "base64 (4 bytes)",
        ),
        (
            r#""<image>""#,
            r#", "images": [{"bytes": "iVBORw==", "path": "x/a.png"}]"#,
            "x/a.png",
        ),
        (
            r#""<image>""#,
            r#", "images": ["data:,%89PNG"]"#,
            "data: (4 bytes)",
        ),
    ] {
        let sample = read(&asked(content, keys)).unwrap();
        let media = &sample.media[0];
        assert_eq!((&media.blob, media.name.as_str()), (&held, name));
    }
    let message = problem(
        r#""<image>""#,
        r#", "images": ["data:image/png;base64,A*"]"#,
    );
    assert!(
        message.starts_with(
            "`data:image/png;base64` is no data URI that can be read: it is not base64"
        ),
        "{message}"
    );
    let message = problem(r#""<image>""#, r#", "images": [{"bytes": "*"}]"#);
    assert!(
        message.starts_with("`images[0].bytes` should be bytes in base64"),
        "{message}"
    );
    let message = problem(r#""<image>""#, r#", "images": [{"bytes": [1, 2]}]"#);
    assert_eq!(
        message,
        "`images[0].bytes` is a list, expected a string in base64"
    );
}

#[test]
fn a_video_may_be_a_list_of_frames() {
    let frames = r#"["f1.jpg", {"path": "f2.jpg"}, "data:,x"]"#;
    for (content, keys) in [
        (
            r#""<video>""#.to_owned(),
            format!(r#", "videos": [{frames}]"#),
        ),
        (
            format!(r#"[{{"type": "video", "video": {frames}}}]"#),
            String::new(),
        ),
    ] {
        let fixture = Fixture::new(asked(&content, &keys).replace('\n', ""));
        let sample = fixture.open().read(0).unwrap();
        let path = |name| Blob::Path(fixture.media(name));
        let expected = [
            path("f1.jpg"),
            path("f2.jpg"),
            Blob::Held(b"x".as_slice().into()),
        ];
        assert_eq!(sample.media.len(), 1);
        assert_eq!(sample.media[0].blob, Blob::Frames(expected.into()));
        assert_eq!(sample.media[0].name, "f1.jpg and on");
    }
    let (_, names) = shown(
        r#""<video><video>""#,
        r#", "videos": [["a", "b"], "c.mp4"]"#,
    );
    assert_eq!(names, ["a and on", "c.mp4"]);
    let message = problem(r#""<video>""#, r#", "videos": [["../a"]]"#);
    assert_eq!(message, "`../a` refused: a media path may not contain `..`");
    let message = problem(r#""<video>""#, r#", "videos": [["a", null]]"#);
    assert!(
        message.starts_with("`videos[0][1]` is null, expected a path"),
        "{message}"
    );
    // In LLaVA's rows a list in a list stays a list of videos.
    let llava = super::row(r#""video": [["a", "b"]], "#, "<video><video>");
    let sample = Fixture::new(llava).open().read(0).unwrap();
    assert_eq!(sample.media.len(), 2);
}

#[test]
fn tools_and_sound_are_failures_with_a_reason() {
    for message in [
        r#"{"role": "tool", "content": "x"}"#,
        r#"{"role": "tool_call", "content": "x"}"#,
        r#"{"role": "function-call", "content": {}}"#,
        r#"{"role": "observation", "content": "x"}"#,
        r#"{"role": "assistant", "content": null, "tool_calls": [{"function": {}}]}"#,
        r#"{"role": "assistant", "content": [{"type": "tool_use", "name": "x"}]}"#,
    ] {
        let row = format!(r#"{{"messages": [{{"role": "user", "content": "u"}}, {message}]}}"#);
        assert_eq!(
            read(&row).unwrap_err(),
            SampleProblem::ToolTurn { turn: 1 },
            "{message}"
        );
    }
    let llava = r#"{"conversations": [{"from": "function_call", "value": "{}"}]}"#;
    let error = Fixture::new(llava).open().read(0).unwrap_err();
    assert_eq!(error.problem, SampleProblem::ToolTurn { turn: 0 });

    for key in ["audio", "audios"] {
        let row = asked(r#""<audio>q""#, &format!(r#", "{key}": ["a.wav"]"#));
        assert_eq!(read(&row).unwrap_err(), SampleProblem::Sound { key });
    }
    assert!(read(&asked(r#""q""#, r#", "audios": [], "audio": null"#)).is_ok());
    let message = problem(r#"[{"type": "input_audio", "input_audio": {}}]"#, "");
    assert!(
        message.starts_with(r#"turn 0: unknown part "input_audio""#),
        "{message}"
    );
}

#[test]
fn rows_of_wrong_types() {
    for (row, message) in [
        (r#"{"messages": []}"#.to_owned(), "`messages` is empty"),
        (r#"{"messages": "x"}"#.to_owned(), "`messages` is a string, expected a list"),
        (r#"{"messages": ["x"]}"#.to_owned(), "`messages[0]` is a string, expected an object"),
        (r#"{"messages": [{"content": "x"}]}"#.to_owned(), "`messages[0].role` is missing"),
        (r#"{"messages": [{"role": 1}]}"#.to_owned(), "`messages[0].role` is a number, expected a string"),
        (r#"{"messages": [{"role": "user"}]}"#.to_owned(), "`messages[0].content` is missing"),
        (
            r#"{"messages": [{"role": "narrator", "content": ""}]}"#.to_owned(),
            r#"turn 0: unknown role "narrator"; known are human, user, gpt, assistant, model, system"#,
        ),
        (asked("1", ""), "`messages[0].content` is a number, expected a string or a list of parts"),
        (asked("[1]", ""), "`messages[0].content[0]` is a number, expected an object"),
        (asked(r#"[{"type": "text"}]"#, ""), "`messages[0].content[0].text` is missing"),
        (
            asked(r#"[{"type": "text", "text": 1}]"#, ""),
            "`messages[0].content[0].text` is a number, expected a string",
        ),
        (
            asked("[{}]", ""),
            r#"turn 0: unknown part ""; known are text, image, image_url, video, video_url"#,
        ),
        (
            asked(r#"[{"type": "image", "image": 1}]"#, ""),
            "`messages[0].content[0].image` is a number, expected a path, a URL, a data URI, or an object with one",
        ),
        (
            asked(r#""<image>""#, r#", "image": "a", "images": ["b"]"#),
            "both `image` and `images` are given and they differ; keep one",
        ),
        (
            r#"{"messages": [{"role": "assistant", "content": [{"type": "image", "image": "a"}]}]}"#.to_owned(),
            "turn 0: 1 placeholders in a turn of the assistant; only the user shows media",
        ),
    ] {
        assert_eq!(read(&row).unwrap_err().to_string(), message, "{row}");
    }
}

#[test]
fn older_rows_of_ms_swift() {
    let row = r#"{"query": "<image>q", "response": "r", "history": [["a", "b"]], "system": "s", "images": ["x.jpg"]}"#;
    let sample = read(row).unwrap();
    let texts: Vec<_> = sample.turns.iter().map(|turn| turn.text.as_str()).collect();
    assert_eq!(texts, ["s", "a", "b", "<image>q", "r"]);
    assert_eq!(sample.media[0].name, "x.jpg");
    for (row, message) in [
        (r#"{"query": "q"}"#, "`response` is missing"),
        (
            r#"{"query": "q", "response": null}"#,
            "`query and response` is null, expected two strings",
        ),
        (
            r#"{"query": "q", "response": "r", "history": [["a"]]}"#,
            "`history[0]` is a list, expected a query and a response",
        ),
    ] {
        assert_eq!(read(row).unwrap_err().to_string(), message);
    }
}

#[test]
fn the_first_row_tells_and_each_row_is_read_as_its_own() {
    let (a, b) = (
        asked(r#""q""#, r#", "id": 1"#).replace('\n', ""),
        super::plain(2),
    );
    let format = |content: &str| Fixture::new(content).open().format().to_owned();
    let of = |content: &str| ids(&*Fixture::new(content).open());
    for (content, expected) in [
        (format!("{a}\n{b}"), "messages JSON or JSONL"),
        (format!("\u{feff}[[{a}], {b}]"), "messages JSON or JSONL"),
        (format!("{b}\n{a}"), "LLaVA JSON or JSONL"),
        (
            r#"{"x": {"messages": 1}, "conversations": []}"#.to_owned(),
            "LLaVA JSON or JSONL",
        ),
        (
            r#"{"messages": [], "conversations": []}"#.to_owned(),
            "LLaVA JSON or JSONL",
        ),
    ] {
        assert_eq!(format(&content), expected, "{content}");
    }
    assert_eq!(of(&format!("{a}\n{b}")), ["1", "2"]);
    assert_eq!(of(&format!("{b}\n{a}")), ["2", "1"]);
    // The keys of a first row that is longer than what is looked at are not all seen.
    let long = format!(
        r#"{{"images": ["data:,{}"], {}"#,
        "x".repeat(100_000),
        &a[1..]
    );
    assert_eq!(format(&long), "LLaVA JSON or JSONL");
    assert_eq!(of(&long), ["1"]);

    let mut fixture = Fixture::new(long);
    fixture.spec.format = Some("messages".into());
    assert_eq!(fixture.open().format(), "messages JSON or JSONL");
    let missing = Fixture::new(format!("{a}\n{{}}"))
        .open()
        .read(1)
        .unwrap_err();
    assert_eq!(missing.problem.to_string(), "`messages` is missing");
}

#[test]
fn urls_are_read_below_a_root_that_is_one() {
    let row = asked(
        r#""<image><image>""#,
        r#", "images": ["a.jpg", "https://a.org/media/b.jpg"]"#,
    );
    let mut fixture = Fixture::new(row.replace('\n', ""));
    let message = fixture.open().read(0).unwrap_err().problem.to_string();
    assert!(
        message.contains("download it and name the file, or set `media_root` to the URL"),
        "{message}"
    );
    fixture.spec.media_root = Some("https://a.org/media/".into());
    let media = fixture.open().read(0).unwrap().media;
    let urls: Vec<_> = media.iter().map(|media| media.blob.clone()).collect();
    let url = |name: &str| Blob::Url(format!("https://a.org/media/{name}"));
    assert_eq!(urls, [url("a.jpg"), url("b.jpg")]);
}
