//! Files of labels, as other programs read them.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, UInt32Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use fs_err::File;
use madmix::atlas::label::kmeans::Vectors;
use madmix::atlas::label::tasks::Rule;
use madmix::atlas::label::{Concepts, Label, Labelled, Meaning, labels_path, merge, write};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

fn texts<'a>(batch: &'a RecordBatch, column: &str) -> Vec<&'a str> {
    let column = batch.column_by_name(column).unwrap();
    column.as_string::<i32>().iter().flatten().collect()
}

#[test]
fn a_label_file_says_what_was_found_and_of_what() {
    let folder = tempfile::tempdir().unwrap();
    let mut labels = Labelled::new("a/b", "abc");
    for (index, concept, rule, similarity) in [(0, 0, 1, 0.5), (2, 1, 0, f32::NAN), (3, 0, 2, 0.25)]
    {
        labels.push(&Label {
            index,
            row: 10 + index,
            id: "çircle",
            concept,
            rule,
            tokens: 100 + index as u32,
            similarity,
        });
    }
    let rules = [
        ("no picture", "conversation"),
        ("asks to read", "ocr"),
        ("mine", "vqa"),
    ]
    .map(|(name, task)| Rule {
        name: name.into(),
        task: task.into(),
    });
    let names = ["chart", "text only"].map(str::to_owned);
    let centres = [1.0, 0.0];
    let concepts = Concepts {
        names: &names,
        centres: Vectors::new(&centres, 2),
    };
    let merged = merge(std::slice::from_ref(&labels), concepts, &rules, 2);
    let meaning = Meaning {
        concepts: &names,
        rules: &rules,
        merged: &merged,
    };
    let path = labels_path(folder.path(), "a/b");
    assert_eq!(path.file_name().unwrap(), "a%2Fb.parquet");
    write(&path, &labels, meaning, "{\"seed\":0}").unwrap();
    let bytes = fs_err::read(&path).unwrap();
    write(&path, &labels, meaning, "{\"seed\":0}").unwrap();
    assert_eq!(
        fs_err::read(&path).unwrap(),
        bytes,
        "the same labels are the same file"
    );

    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap().into_file());
    let reader = reader.unwrap();
    let metadata = reader
        .metadata()
        .file_metadata()
        .key_value_metadata()
        .unwrap();
    let value = |key: &str| {
        let entry = metadata.iter().find(|entry| entry.key == key).unwrap();
        entry.value.clone().unwrap()
    };
    assert_eq!(value("madmix.labels"), "1");
    assert_eq!(value("madmix.dataset"), "abc");
    assert_eq!(value("madmix.settings"), "{\"seed\":0}");
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    let [batch] = batches.as_slice() else {
        panic!("{} batches", batches.len());
    };
    let column = |name: &str| batch.column_by_name(name).unwrap();
    assert_eq!(
        column("index").as_primitive::<UInt64Type>().values(),
        &[0, 2, 3]
    );
    assert_eq!(
        column("row").as_primitive::<UInt64Type>().values(),
        &[10, 12, 13]
    );
    assert_eq!(
        column("tokens").as_primitive::<UInt32Type>().values(),
        &[100, 102, 103]
    );
    let similarity = column("similarity").as_primitive::<Float32Type>();
    assert!(similarity.is_null(1) && (similarity.value(2) - 0.25).abs() < 1e-9);
    assert_eq!(texts(batch, "id"), ["çircle"; 3]);
    assert_eq!(texts(batch, "concept"), ["chart", "text only", "chart"]);
    assert_eq!(texts(batch, "task"), ["ocr", "conversation", "vqa"]);
    assert_eq!(texts(batch, "rule"), ["asks to read", "no picture", "mine"]);
    // Both cells of charts are too small: of two that are as small the later goes to the earlier.
    assert_eq!(
        texts(batch, "cell"),
        ["chart × ocr", "text only × conversation", "chart × ocr"]
    );
}
