//! Parquet: the schemas that people publish, written by `datasets` and pyarrow, and what becomes of damage.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, ListBuilder, StringBuilder, StructBuilder};
use arrow_array::{
    Array, ArrayRef, BinaryArray, FixedSizeListArray, RecordBatch, StringArray, StructArray,
};
use arrow_schema::{DataType, Field, Fields};
use madmix::blob::Blob;
use madmix::dataset::{
    self, Dataset, DatasetProblem, Irregularity, MediaKind, ParquetProblem, Role, Sample,
    SampleProblem,
};
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::{ParquetMetaDataReader, ParquetMetaDataWriter};
use proptest::prelude::*;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Fixture;

fn content(name: &str) -> Vec<u8> {
    fs_err::read(format!("tests/fixtures/dataset/parquet/{name}.parquet")).unwrap()
}

fn fixture(name: &str) -> Fixture {
    Fixture::new(content(name))
}

/// Every row, with its problem where it has one.
fn rows(dataset: &dyn Dataset) -> Vec<Result<Sample, SampleProblem>> {
    let read = |i| dataset.read(i).map_err(|error| error.problem);
    (0..dataset.len()).map(read).collect()
}

fn held(blob: &Blob) -> &Arc<[u8]> {
    match blob {
        Blob::Held(bytes) => bytes,
        other => panic!("not in the file: {other:?}"),
    }
}

fn read_as_datasets_does(name: &str) -> Vec<Result<Sample, SampleProblem>> {
    let manifest = fs_err::read("tests/fixtures/dataset/parquet/manifest.json").unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let expected = manifest["files"][format!("{name}.parquet")]
        .as_array()
        .unwrap();
    let read = rows(&*fixture(name).open());
    assert_eq!(read.len(), expected.len());
    for (row, (sample, expected)) in read.iter().zip(expected).enumerate() {
        let Ok(sample) = sample else { continue };
        let id = expected["id"]
            .as_str()
            .map_or(row.to_string(), str::to_owned);
        assert_eq!(sample.id, id);
        let media = expected["media"].as_array().unwrap();
        assert_eq!(sample.media.len(), media.len(), "{id}");
        for (i, (media, expected)) in sample.media.iter().zip(media).enumerate() {
            assert_eq!(media.kind, MediaKind::Image);
            let digest = format!("{:x}", Sha256::digest(held(&media.blob)));
            assert_eq!(digest, expected["sha256"], "{id}");
            let name = expected["path"]
                .as_str()
                .map_or(format!("row {row}, picture {i}"), str::to_owned);
            assert_eq!(media.name, name);
        }
    }
    read
}

fn problems(rows: &[Result<Sample, SampleProblem>]) -> Vec<(usize, String)> {
    let problem = |(row, read): (usize, &Result<Sample, SampleProblem>)| {
        Some((row, read.as_ref().err()?.to_string()))
    };
    rows.iter().enumerate().filter_map(problem).collect()
}

#[test]
fn onevision_and_everything_that_is_wrong_with_it() {
    let fixture = fixture("onevision");
    assert_eq!(fixture.open().format(), "parquet");
    let rows = read_as_datasets_does("onevision");
    let expected = [
        (
            3,
            "0 images and 0 videos, but 1 `<image>` and 0 `<video>` in the text",
        ),
        (
            5,
            "turn 1: 1 placeholders in a turn of the assistant; only the user shows media",
        ),
        (14, "`conversations` is empty"),
        (
            15,
            "`conversations` or `messages` or `query` or `texts` is missing",
        ),
        (16, "`conversations[0].value` is missing"),
        (17, "`conversations[0]` is null, expected an object"),
        (
            18,
            "turn 0: a tool's call or answer; how it reads hangs on the trainer's agent template, so it is not read",
        ),
    ];
    assert_eq!(
        problems(&rows),
        expected.map(|(row, text)| (row, text.to_owned()))
    );
    let sample = |row: usize| rows[row].as_ref().unwrap();
    let turns: Vec<_> = sample(0)
        .turns
        .iter()
        .map(|turn| (turn.role, turn.text.as_str()))
        .collect();
    assert_eq!(
        turns,
        [(Role::User, "<image>\nWhat?"), (Role::Assistant, "A cat.")]
    );
    assert!(sample(0).irregularities.is_empty());
    assert_eq!(sample(4).irregularities, [Irregularity::PlaceholderMissing]);
    assert_eq!(sample(6).irregularities, [Irregularity::TurnsOutOfOrder]);
    assert_eq!(sample(19).irregularities, [Irregularity::NoId]);
    assert!(held(&sample(7).media[0].blob).starts_with(b"GIF8"));
    assert!(held(&sample(9).media[0].blob).is_empty());
}

#[test]
fn the_cauldron_asks_and_answers_in_one() {
    let rows = read_as_datasets_does("cauldron");
    let two = rows[1].as_ref().unwrap();
    let texts: Vec<_> = two.turns.iter().map(|turn| turn.text.as_str()).collect();
    assert_eq!(texts, ["<image>\n<image>\nFirst?", "A.", "Second?", "B."]);
    assert_eq!(two.turns[2].role, Role::User);
    assert!(rows[2].is_ok() && rows[3].is_ok());
    let expected = [(5, "`texts[0].user` is missing"), (6, "`texts` is empty")];
    assert_eq!(
        problems(&rows),
        expected.map(|(row, text)| (row, text.to_owned()))
    );
}

#[test]
fn columns_of_every_type() {
    for (name, ids, names) in [
        (
            "type_large",
            ["row-0", "row-1", "row-2", "row-3"],
            Some("2.png"),
        ),
        ("type_view", ["row-0", "row-1", "row-2", "row-3"], None),
        (
            "type_dictionary",
            ["row-0", "row-1", "row-2", "row-3"],
            None,
        ),
        (
            "type_list_of_binary",
            ["7", "-1", "4611686018427387904", "3"],
            None,
        ),
    ] {
        let rows = rows(&*fixture(name).open());
        for (row, id) in ids.iter().enumerate() {
            let sample = rows[row].as_ref().unwrap();
            assert_eq!(sample.id, *id, "{name}");
            assert_eq!(sample.turns[1].text, "A cat.", "{name}");
            let magic = [&b"\x89PNG"[..], b"\xff\xd8", b"\x89PNG", b"GIF8"][row];
            assert!(held(&sample.media[0].blob).starts_with(magic), "{name}");
        }
        let expected = names.unwrap_or("row 2, picture 0");
        assert_eq!(rows[2].as_ref().unwrap().media[0].name, expected, "{name}");
    }
}

#[test]
fn parts_name_pictures_of_the_columns() {
    let image = |path: &str| format!(r#"{{"type": "image", "image": "{path}"}}"#);
    let names_of = |parts: &str| -> Vec<String> {
        let messages = format!(
            r#"[{{"role": "user", "content": [{parts}]}}, {{"role": "assistant", "content": "a"}}]"#
        );
        let (bytes, path) = (BinaryBuilder::new(), StringBuilder::new());
        let fields = vec![
            Field::new("bytes", DataType::Binary, true),
            Field::new("path", DataType::Utf8, true),
        ];
        let mut images = ListBuilder::new(StructBuilder::new(
            fields,
            vec![Box::new(bytes), Box::new(path)],
        ));
        for name in ["f/a.png", "f/b.png"] {
            let shown = images.values();
            let bytes = shown.field_builder::<BinaryBuilder>(0).unwrap();
            bytes.append_value(name);
            let path = shown.field_builder::<StringBuilder>(1).unwrap();
            path.append_value(name);
            shown.append(true);
        }
        images.append(true);
        let columns: [(&str, ArrayRef); 2] = [
            ("messages", Arc::new(StringArray::from(vec![messages]))),
            ("images", Arc::new(images.finish())),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut file = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let sample = Fixture::new(file).open().read(0).unwrap();
        for media in &sample.media {
            assert_eq!(&**held(&media.blob), media.name.as_bytes());
        }
        sample.media.into_iter().map(|media| media.name).collect()
    };
    let (a, b) = (image("f/a.png"), image("f/b.png"));
    let next = r#"{"type": "image"}"#;
    assert_eq!(names_of(&format!("{b}, {a}")), ["f/b.png", "f/a.png"]);
    assert_eq!(names_of(&format!("{b}, {next}")), ["f/b.png", "f/a.png"]);
    assert_eq!(names_of(&format!("{next}, {next}")), ["f/a.png", "f/b.png"]);
    let (a, b) = (image("/old/a.png"), image("/old/b.png"));
    assert_eq!(names_of(&format!("{b}, {a}")), ["f/b.png", "f/a.png"]);
}

#[test]
fn paths_and_turns_as_json() {
    let fixture = fixture("type_json");
    let rows = rows(&*fixture.open());
    let first = rows[0].as_ref().unwrap();
    assert_eq!((first.id.as_str(), first.turns.len()), ("1", 2));
    assert_eq!(
        first.media[0].blob.path().unwrap(),
        fixture.media("a/0.png")
    );
    assert_eq!(rows[1], Err(SampleProblem::MediaParent("../1.png".into())));
    assert!(rows[2].as_ref().unwrap().media.is_empty());
    assert!(matches!(rows[3], Err(SampleProblem::Json(_))));
}

#[test]
fn a_picture_may_be_null_at_every_level() {
    let single = fixture("null_image");
    let rows = rows(&*single.open());
    let sample = |row: usize| rows[row].as_ref().unwrap();
    assert_eq!(
        sample(0).media[0].blob.path().unwrap(),
        single.media("a/0.png")
    );
    assert_eq!(sample(0).media[0].name, "a/0.png");
    for row in [1, 2, 6] {
        assert!(sample(row).media.is_empty(), "{row}");
    }
    assert_eq!(sample(3).media[0].name, "row 3, picture 0");
    assert_eq!(rows[4], Err(SampleProblem::MediaParent("../1.png".into())));
    assert!(held(&sample(5).media[0].blob).is_empty());

    let several = fixture("null_images");
    let several = several.open();
    let shown: Vec<_> = (0..5)
        .map(|i| several.read(i).unwrap().media.len())
        .collect();
    assert_eq!(shown, [1, 0, 0, 0, 2]);
    let last = several.read(4).unwrap();
    assert_eq!(last.media[0].name, "row 4, picture 0");
    assert!(last.media[1].blob.path().is_some());
}

#[test]
fn rows_say_where_they_were_taken_from() {
    let fixture = fixture("onevision");
    let rows = fixture.open();
    for index in 0..3 {
        let source = rows.read(index).unwrap().data_source;
        assert_eq!(source, Some(format!("source({index},x)")));
    }
}

#[test]
fn filters_read_what_they_ask_for() {
    let kept = |name, filter| kept(&content(name), filter);
    assert_eq!(
        kept("onevision", r#"{"data_source": ["source(1,x)"]}"#),
        [1, 4, 7, 10, 13, 16, 19]
    );
    assert_eq!(
        kept("onevision", r#"{"modality": ["text"]}"#),
        [2, 3, 14, 15, 16, 17, 18]
    );
    assert_eq!(kept("onevision", r#"{"path": "\\.jpg$"}"#), [7, 8, 9, 10]);
    assert_eq!(kept("onevision", r#"{"media": "z"}"#), [20]);
    assert_eq!(
        kept("cauldron", r#"{"modality": ["image"]}"#),
        [0, 1, 4, 5, 6]
    );
    assert_eq!(kept("null_image", r#"{"modality": ["text"]}"#), [1, 2, 6]);
    assert_eq!(
        kept(
            "null_images",
            r#"{"data_source": ["a"], "modality": ["text"]}"#
        ),
        [3]
    );
    assert_eq!(
        kept("type_dictionary", r#"{"modality": ["image"]}"#),
        [0, 1, 2, 3]
    );
    assert_eq!(kept("type_json", r#"{"path": "^a/"}"#), [0]);
    for pages in ["pages_v1", "pages_v2", "pages_index"] {
        let expected: Vec<u64> = (20..40).collect();
        assert_eq!(
            kept(pages, r#"{"data_source": ["s1"]}"#),
            expected,
            "{pages}"
        );
    }
    let none = Fixture::filtered(content("onevision"), r#"{"data_source": ["source(3,x)"]}"#);
    let problem = none.problem().to_string();
    assert!(problem.contains("none of its 21 rows"), "{problem}");
    assert!(problem.contains(r#""source(0,x)" (7 rows)"#), "{problem}");
}

#[test]
fn a_row_is_found_in_pages_of_every_kind() {
    for name in ["pages_v1", "pages_v2", "pages_index"] {
        let fixture = fixture(name);
        let dataset = fixture.open();
        assert_eq!(dataset.len(), 60);
        for i in (0..60).map(|i| i * 37 % 60) {
            let sample = dataset.read(i).unwrap();
            assert_eq!((sample.row, sample.id), (i, i.to_string()), "{name}");
            assert_eq!(sample.turns[0].text, format!("Question {i}?"), "{name}");
        }
        assert_eq!(
            dataset.read(60).unwrap_err().problem,
            SampleProblem::OutOfRange { len: 60 }
        );
    }
    for name in ["codec_gzip", "codec_lz4"] {
        let fixture = fixture(name);
        let dataset = fixture.open();
        assert_eq!(dataset.read(1).unwrap().turns[1].text, "Answer 1.");
    }
}

#[test]
fn threads_read_together() {
    let fixture = fixture("onevision");
    let dataset = fixture.open();
    let alone = rows(&*dataset);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(rows(&*dataset), alone));
        }
    });
}

fn problem(content: Vec<u8>) -> ParquetProblem {
    match Fixture::new(content).problem() {
        DatasetProblem::Parquet(problem) => problem,
        other => panic!("{other}"),
    }
}

#[test]
fn files_that_are_refused() {
    assert_eq!(problem(content("encrypted")), ParquetProblem::Encrypted);
    let codec = problem(content("codec_brotli")).to_string();
    assert!(
        codec.contains("column `id` is compressed with brotli"),
        "{codec}"
    );
    let turns = problem(content("no_turns")).to_string();
    assert!(
        turns.contains(
            "no column is called `conversations` or `messages` or `query` or `texts`; its columns are `url`, `caption`"
        ),
        "{turns}"
    );
    assert!(matches!(
        fixture("no_rows").problem(),
        DatasetProblem::Empty
    ));
    let whole = content("onevision");
    for cut in [4, 5, 11, 12, 500, whole.len() - 1] {
        assert_eq!(
            problem(whole[..cut].to_vec()),
            ParquetProblem::NoFooter,
            "{cut}"
        );
    }
    let mut long = whole.clone();
    let at = whole.len() - 8;
    long[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(
        problem(long)
            .to_string()
            .contains("claims to be longer than the file")
    );
    let deep = [
        &b"\x15\x04\x19\xfc\x80\x89\x7a"[..],
        &b"\x48\x01g\x15\x02\0".repeat(2_000_000),
    ]
    .concat();
    let deep = [
        b"PAR1",
        &deep[..],
        b"\0",
        &(deep.len() as u32 + 1).to_le_bytes(),
        b"PAR1",
    ]
    .concat();
    let deep = problem(deep).to_string();
    assert!(deep.contains("columns in columns, 2000000 deep"), "{deep}");
    let mut garbled = whole.clone();
    let footer = u32::from_le_bytes(whole[at..at + 4].try_into().unwrap()) as usize;
    garbled[at - footer..at].fill(0xff);
    assert!(matches!(problem(garbled), ParquetProblem::Footer(_)));
}

/// Where the footer starts, with its length and mark.
fn footer_start(content: &[u8]) -> usize {
    let at = content.len() - 8;
    at - u32::from_le_bytes(*content[at..].first_chunk().unwrap()) as usize
}

#[test]
fn a_file_without_its_middle_keeps_what_lies_well() {
    // Without some bytes of the second of three row groups; the footer follows all the same.
    let whole = content("pages_v1");
    let footer = footer_start(&whole);
    let text = b"Question 30?";
    let at = whole
        .windows(text.len())
        .position(|bytes| bytes == text)
        .unwrap();
    let cut = [&whole[..at], &whole[at + 400..]].concat();
    let fixture = Fixture::new(cut);
    let dataset = fixture.open();
    let [fault] = dataset.faults() else {
        panic!("{:?}", dataset.faults());
    };
    assert_eq!((fault.rows, dataset.len()), (10, 50));
    assert!(
        fault.reason.contains("row group 2 lies at bytes"),
        "{fault}"
    );
    assert!(fault.reason.contains("cut off"), "{fault}");
    let read = rows(&*dataset);
    for (row, sample) in read.iter().take(25).enumerate() {
        assert_eq!(sample.as_ref().unwrap().id, row.to_string());
    }
    assert!(read[25..].iter().any(Result::is_err));

    let nothing = [&whole[..4], &whole[footer..]].concat();
    let problem = problem(nothing);
    assert!(
        matches!(problem, ParquetProblem::Group { group: 0, .. }),
        "{problem}"
    );
}

#[test]
fn a_damaged_page_costs_its_rows() {
    let whole = content("pages_v1");
    let text = b"Question 30?";
    let at = whole
        .windows(text.len())
        .position(|bytes| bytes == text)
        .unwrap();
    let mut bad = whole.clone();
    // The length of the text, which leads beyond the page.
    bad[at - 4..at].copy_from_slice(&[0xff; 4]);
    let fixture = Fixture::new(bad);
    let dataset = fixture.open();
    let read = rows(&*dataset);
    let failed: Vec<_> = problems(&read);
    // Where no index says which rows a page holds, also those behind it in its row group.
    assert!(failed.iter().any(|(row, _)| *row == 30), "{failed:?}");
    assert!(
        failed.iter().all(|(row, _)| (25..50).contains(row)),
        "{failed:?}"
    );
    assert!(
        failed.iter().all(|(_, reason)| reason.contains("damaged")),
        "{failed:?}"
    );
    let place = fixture.folder.path().to_str().unwrap();
    assert!(failed.iter().all(|(_, reason)| !reason.contains(place)));

    // The same in a column that a filter reads.
    let source = b"\x02\0\0\0s1";
    let at = whole.windows(6).position(|bytes| bytes == source).unwrap();
    let mut bad = whole;
    bad[at..at + 4].copy_from_slice(&[0xff; 4]);
    let all = r#"{"data_source": ["s0", "s1", "s2"]}"#;
    let kept = Fixture::filtered(bad, all).open().len();
    assert!((35..60).contains(&kept), "{kept}");
}

#[test]
fn text_that_is_not_utf8_costs_one_row() {
    let mut bad = content("pages_v1");
    let at = bad
        .windows(12)
        .position(|bytes| bytes == b"Question 31?")
        .unwrap();
    bad[at + 9] = 0xff;
    let rows = rows(&*Fixture::new(bad).open());
    let expected = SampleProblem::NotUtf8 {
        key: "conversations".into(),
        after: 9,
    };
    assert_eq!(problems(&rows).len(), 1);
    assert_eq!(rows[31], Err(expected));
}

#[test]
fn a_file_that_is_gone_or_changed_is_an_error_of_the_row() {
    let fixture = fixture("onevision");
    let dataset = fixture.open();
    fs_err::write(&fixture.spec.path, b"PAR1").unwrap();
    let problem = dataset.read(0).unwrap_err().problem;
    assert!(
        matches!(problem, SampleProblem::Damaged(_) | SampleProblem::Io(_)),
        "{problem}"
    );
    fs_err::remove_file(&fixture.spec.path).unwrap();
    let problem = dataset.read(0).unwrap_err().problem;
    assert_eq!(problem, SampleProblem::Io(std::io::ErrorKind::NotFound));
}

#[test]
fn fingerprints_are_of_the_footer_the_length_and_the_ends_of_what_lies_before() {
    let whole = content("onevision");
    let of = |content: &[u8]| Fixture::new(content).open().fingerprint().to_owned();
    assert_eq!(of(&whole), of(&whole));
    assert_ne!(of(&whole), of(&content("cauldron")));
    let mut longer = b"PAR1xx".to_vec();
    longer.extend_from_slice(&whole[4..]);
    assert_ne!(of(&whole), of(&longer));

    // Rewritten in place: a letter of a text, at most 64 KiB from either end; the middle is not looked at.
    let letters: BinaryArray = (0..4_u32)
        .map(|i| {
            let noise = (0..1600_u32).flat_map(|n| Sha256::digest((i * 1600 + n).to_le_bytes()));
            Some(noise.collect::<Vec<u8>>())
        })
        .collect();
    let said = texts([Some(SAID); 4]);
    let large = written(vec![("images", Arc::new(letters)), ("messages", said)]);
    let end = footer_start(&large);
    assert!(end > 3 * (64 << 10), "{end}");
    let changed = |at: usize| {
        let mut changed = large.clone();
        changed[at] ^= 1;
        of(&changed)
    };
    let sampled = 64 << 10;
    for at in [4, sampled - 1, end - sampled, end - 1] {
        assert_ne!(of(&large), changed(at), "{at}");
    }
    for at in [sampled, end / 2, end - sampled - 1] {
        assert_eq!(of(&large), changed(at), "{at}");
    }
}

const SAID: &str =
    r#"[{"role": "user", "content": "What?"}, {"role": "assistant", "content": "A cat."}]"#;

fn texts<'a>(of: impl IntoIterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(of.into_iter().collect::<StringArray>())
}

/// A file of these columns.
fn written(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let columns = columns.into_iter().map(|(name, cells)| (name, cells, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let mut content = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut content, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    content
}

fn structs(fields: Vec<(&str, ArrayRef)>) -> ArrayRef {
    let field = |(name, cells): (&str, ArrayRef)| {
        let kind = cells.data_type().clone();
        (Arc::new(Field::new(name, kind, true)), cells)
    };
    let fields: Vec<_> = fields.into_iter().map(field).collect();
    Arc::new(StructArray::from(fields))
}

/// Lists of so many each.
fn lists(of: i32, items: ArrayRef) -> ArrayRef {
    let item = Field::new("item", items.data_type().clone(), true);
    Arc::new(FixedSizeListArray::new(Arc::new(item), of, items, None))
}

/// The numbers of the rows that a filter keeps.
fn kept(content: &[u8], filter: &str) -> Vec<u64> {
    let fixture = Fixture::filtered(content, filter);
    let dataset = fixture.open();
    let row = |i| {
        dataset
            .read(i)
            .map_or_else(|error| error.row, |sample| sample.row)
    };
    (0..dataset.len()).map(row).collect()
}

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
