//! Files that are written here, column by column.

use super::*;

#[test]
fn messages_as_datasets_writes_them() {
    let rows = read_as_datasets_does("messages");
    let texts: Vec<_> = rows
        .iter()
        .map(|row| row.as_ref().unwrap().turns[0].text.as_str())
        .collect();
    assert_eq!(texts, ["<image>What?", "<image>\nWhat?", "[sic] why?"]);
    let media: Vec<_> = rows
        .iter()
        .map(|row| row.as_ref().unwrap().media.len())
        .collect();
    assert_eq!(media, [1, 1, 0]);
}

#[test]
fn messages_of_parts_take_the_media_of_their_row() {
    let rows = read_as_datasets_does("messages_parts");
    let [Ok(shown), Ok(said)] = &rows[..] else {
        panic!("{rows:?}");
    };
    assert_eq!(shown.turns[0].text, "<image>\nWhat?");
    assert_eq!(
        (shown.media.len(), shown.media[0].name.as_str()),
        (1, "a.png")
    );
    assert_eq!(
        (said.turns[0].text.as_str(), said.media.len()),
        ("What?", 0)
    );
}

#[test]
fn filters_see_media_among_the_parts_of_messages_as_in_json() {
    let part =
        |kind: &str, key: &str, value: &str| format!(r#"{{"type": "{kind}", "{key}": "{value}"}}"#);
    let text = part("text", "text", "What?");
    let contents = [
        part("image", "image", "a/0.png"),
        text.clone(),
        part("video", "video", "b/1.mp4"),
        // Without a source, it takes one of the row's.
        r#"{"type": "image"}"#.to_owned(),
    ]
    .map(|first| format!("[{first}, {text}]"));
    let rows = contents
        .each_ref()
        .map(|content| format!(r#"[{{"role": "user", "content": {content}}}]"#));
    let lines = rows
        .each_ref()
        .map(|messages| format!("{{\"messages\": {messages}}}"));
    let json = lines.join("\n");

    let whole = written(vec![(
        "messages",
        texts(rows.iter().map(|row| Some(&**row))),
    )]);
    let users = || texts([Some("user"); 4]);
    let content = texts(contents.iter().map(|content| Some(&**content)));
    let in_contents = structs(vec![("role", users()), ("content", content)]);
    let in_contents = written(vec![("messages", lists(1, in_contents))]);
    let said = |i: usize| [None, Some("What?")][i % 2];
    let parts = structs(vec![
        (
            "type",
            texts(
                [
                    "image", "text", "text", "text", "video", "text", "image", "text",
                ]
                .map(Some),
            ),
        ),
        (
            "text",
            texts((0..8).map(|i| if i == 2 { Some("What?") } else { said(i) })),
        ),
        (
            "image",
            texts((0..8).map(|i| (i == 0).then_some("a/0.png"))),
        ),
        (
            "video",
            texts((0..8).map(|i| (i == 4).then_some("b/1.mp4"))),
        ),
    ]);
    let columns = structs(vec![("role", users()), ("content", lists(2, parts))]);
    let columns = written(vec![("messages", lists(1, columns))]);

    for (filter, expected) in [
        (r#"{"modality": ["text"]}"#, &[1, 3][..]),
        (r#"{"modality": ["image"]}"#, &[0]),
        (r#"{"modality": ["video"]}"#, &[2]),
        (r#"{"path": "\\.mp4$"}"#, &[2]),
        (r#"{"media": "a"}"#, &[0]),
    ] {
        for content in [json.as_bytes(), &whole, &in_contents, &columns] {
            assert_eq!(kept(content, filter), expected, "{filter}");
        }
    }
    // Of those that hold no messages, nothing is known: they do not belong here.
    let bad = written(vec![("messages", texts([Some(SAID), Some("[{")]))]);
    assert_eq!(kept(&bad, r#"{"modality": ["text"]}"#), [0]);
}

#[test]
fn queries_with_their_responses_are_read_as_in_json() {
    let mut history = ListBuilder::new(ListBuilder::new(StringBuilder::new()));
    for text in ["Before?", "Yes."] {
        history.values().values().append_value(text);
    }
    history.values().append(true);
    history.append(true);
    history.append(false);
    history.append(true);
    let content = written(vec![
        ("query", texts(["What?", "[1, 2]", "{"].map(Some))),
        ("response", texts([Some("A cat."), Some("[3]"), None])),
        ("history", Arc::new(history.finish())),
        ("system_prompt", texts([Some("Be brief."), None, None])),
    ]);
    let rows = rows(&*Fixture::new(content).open());
    let said = |row: usize| -> Vec<(Role, String)> {
        let turns = &rows[row].as_ref().unwrap().turns;
        turns
            .iter()
            .map(|turn| (turn.role, turn.text.clone()))
            .collect()
    };
    let expected = [
        (Role::System, "Be brief."),
        (Role::User, "Before?"),
        (Role::Assistant, "Yes."),
        (Role::User, "What?"),
        (Role::Assistant, "A cat."),
    ];
    assert_eq!(
        said(0),
        expected.map(|(role, text)| (role, text.to_owned()))
    );
    let expected = [(Role::User, "[1, 2]"), (Role::Assistant, "[3]")];
    assert_eq!(
        said(1),
        expected.map(|(role, text)| (role, text.to_owned()))
    );
    let key = "response".to_owned();
    assert_eq!(rows[2], Err(SampleProblem::Missing { key }));
}

#[test]
fn sound_in_a_column_is_a_failure_as_in_json() {
    let sound = [0xff_u8, 0xfb, 0x90];
    let bytes =
        || -> ArrayRef { Arc::new(BinaryArray::from_opt_vec(vec![None, Some(&sound), None])) };
    let of_datasets = {
        let fields = Fields::from(vec![
            Field::new("bytes", DataType::Binary, true),
            Field::new("path", DataType::Utf8, true),
        ]);
        let mut structs = StructBuilder::from_fields(fields, 3);
        for there in [false, true, false] {
            let bytes = structs.field_builder::<BinaryBuilder>(0).unwrap();
            bytes.append_option(there.then_some(&sound));
            structs
                .field_builder::<StringBuilder>(1)
                .unwrap()
                .append_null();
            structs.append(there);
        }
        Arc::new(structs.finish()) as ArrayRef
    };
    for (key, cells) in [
        ("audio", of_datasets),
        ("audio", bytes()),
        ("audios", texts([None, Some("a.wav"), Some("")])),
    ] {
        let rows = rows(
            &*Fixture::new(written(vec![
                ("messages", texts([Some(SAID); 3])),
                (key, cells),
            ]))
            .open(),
        );
        assert!(rows[0].is_ok() && rows[2].is_ok(), "{rows:?}");
        assert_eq!(rows[1], Err(SampleProblem::Sound { key }));
    }
}

#[test]
fn filters_tell_many_rows_of_few_bytes() {
    const ROWS: u64 = 150_000;
    let sources = (0..ROWS).map(|row| Some(["a", "b", "c"][(row / 7 % 3) as usize]));
    let many = written(vec![
        ("messages", texts((0..ROWS).map(|_| Some(SAID)))),
        ("data_source", texts(sources)),
    ]);
    assert!(many.len() < 200_000, "{}", many.len());
    let fixture = Fixture::filtered(&many, r#"{"data_source": ["b"]}"#);
    let dataset = fixture.open();
    let expected: Vec<u64> = (0..ROWS).filter(|row| row / 7 % 3 == 1).collect();
    assert_eq!(dataset.len(), expected.len() as u64);
    for index in [0, 6, 7, expected.len() / 2, expected.len() - 1] {
        assert_eq!(dataset.read(index as u64).unwrap().row, expected[index]);
    }
    // Without the column there is nothing to tell them by, and the row group is not read at all.
    let none = written(vec![(
        "conversations",
        texts((0..ROWS).map(|_| Some(SAID))),
    )]);
    let all = Fixture::filtered(&none, r#"{"modality": ["text"]}"#);
    assert_eq!(all.open().len(), ROWS);
}

#[test]
fn a_row_group_of_more_rows_than_values_is_refused() {
    let honest = written(vec![("conversations", texts([Some(SAID); 2]))]);
    let (start, end) = (footer_start(&honest), honest.len() - 8);
    let metadata = ParquetMetaDataReader::decode_metadata(&honest[start..end]).unwrap();
    let group = metadata.row_group(0).clone().into_builder();
    let group = group.set_num_rows(60_000_000).build().unwrap();
    let metadata = metadata.into_builder().set_row_groups(vec![group]).build();
    let mut content = honest[..start].to_vec();
    ParquetMetaDataWriter::new(&mut content, &metadata)
        .finish()
        .unwrap();
    for filter in [None, Some(r#"{"modality": ["text"]}"#)] {
        let fixture = match filter {
            None => Fixture::new(&content),
            Some(filter) => Fixture::filtered(&content, filter),
        };
        let problem = fixture.problem().to_string();
        assert!(
            problem.contains("claims 60000000 rows, but one of its columns has 2 values"),
            "{problem}"
        );
    }
}

fn read_all(content: &[u8]) {
    let fixture = Fixture::new(content);
    if let Ok(dataset) = dataset::open(&fixture.spec) {
        rows(&*dataset);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Bytes changed at random make errors or failures, never a panic or an abort.
    #[test]
    fn damaged_files_never_panic(
        name in prop::sample::select(&["onevision", "pages_v1", "pages_v2", "pages_index", "codec_gzip", "codec_lz4", "null_images", "type_json"][..]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..6),
    ) {
        let mut content = content(name);
        for (at, byte, near_end) in changes {
            // Half of them in the footer, or near it.
            let from = if near_end { content.len() * 2 / 3 } else { 0 };
            let at = from + at.index(content.len() - from);
            content[at] = byte;
        }
        read_all(&content);
    }
}
