//! Parquet: the schemas that people publish, written by `datasets` and pyarrow, and what becomes of damage.

mod columns;
mod damage;

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

/// Where the footer starts, with its length and mark.
fn footer_start(content: &[u8]) -> usize {
    let at = content.len() - 8;
    at - u32::from_le_bytes(*content[at..].first_chunk().unwrap()) as usize
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
