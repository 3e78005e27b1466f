//! Rows as Hugging Face's columns, pictures named by their structs.

use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, ListBuilder, StringBuilder, StructBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Fields};
use madmix::dataset::{DatasetSpec, MediaKind};
use parquet::arrow::ArrowWriter;

use super::{Row, Writer};

pub(super) struct Columns;

fn structs(fields: [(&str, DataType); 2]) -> ListBuilder<StructBuilder> {
    let fields: Fields = fields
        .into_iter()
        .map(|(name, kind)| Field::new(name, kind, true))
        .collect();
    ListBuilder::new(StructBuilder::from_fields(fields, 0))
}

fn text(structs: &mut StructBuilder, field: usize, text: &str) {
    structs
        .field_builder::<StringBuilder>(field)
        .unwrap()
        .append_value(text);
}

/// A list for every row; null where it has no media of the kind.
fn media(rows: &[Row], kind: MediaKind) -> ArrayRef {
    let mut lists = structs([("bytes", DataType::Binary), ("path", DataType::Utf8)]);
    for row in rows {
        let paths = row.of(kind);
        for path in &paths {
            let one = lists.values();
            let bytes = one.field_builder::<BinaryBuilder>(0).unwrap();
            bytes.append_null();
            text(one, 1, path);
            one.append(true);
        }
        lists.append(!paths.is_empty());
    }
    Arc::new(lists.finish())
}

fn turns(rows: &[Row]) -> ArrayRef {
    let mut lists = structs([("from", DataType::Utf8), ("value", DataType::Utf8)]);
    for row in rows {
        for (who, what) in &row.turns {
            let one = lists.values();
            text(one, 0, who);
            text(one, 1, what);
            one.append(true);
        }
        lists.append(true);
    }
    Arc::new(lists.finish())
}

fn texts<'a>(of: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    let mut column = StringBuilder::new();
    of.for_each(|text| column.append_option(text));
    Arc::new(column.finish())
}

impl Writer for Columns {
    fn name(&self) -> &'static str {
        "columns of parquet"
    }

    fn format(&self) -> &'static str {
        "parquet"
    }

    fn write(&self, rows: &[Row], folder: &Path) -> DatasetSpec {
        let ids = rows.iter().map(|row| row.id.map(|id| id.trim_matches('"')));
        let sources = rows.iter().map(|row| row.source);
        let batch = RecordBatch::try_from_iter_with_nullable([
            ("id", texts(ids), true),
            ("data_source", texts(sources), true),
            ("images", media(rows, MediaKind::Image), true),
            ("videos", media(rows, MediaKind::Video), true),
            ("conversations", turns(rows), true),
        ])
        .unwrap();
        let path = folder.join("rows.parquet");
        let file = fs_err::File::create(&path).unwrap();
        let mut writer = ArrowWriter::try_new(file.into_file(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        DatasetSpec {
            name: "conformance".into(),
            path,
            ..DatasetSpec::default()
        }
    }

    /// Columns hold no rows that are no objects, and an empty list of media is as good as none.
    fn can(&self, row: &Row) -> bool {
        row.raw.is_none() && row.stray.is_empty()
    }
}
