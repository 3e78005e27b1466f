//! LLaVA's rows, in a list and in lines.

use std::path::Path;

use madmix::dataset::DatasetSpec;

use super::{Row, Writer, json};

pub(super) struct List;
pub(super) struct Lines;

pub(super) fn written(row: &Row) -> Vec<u8> {
    if let Some(raw) = row.raw {
        return raw.to_vec();
    }
    let turn =
        |(role, text): &(&str, &str)| format!(r#"{{"from": "{role}", "value": {}}}"#, json(text));
    let turns: Vec<_> = row.turns.iter().map(turn).collect();
    let mut keys = row.keys(false);
    keys.push(format!(r#""conversations": [{}]"#, turns.join(", ")));
    format!("{{{}}}", keys.join(", ")).into_bytes()
}

/// Rows with something between them, in a file.
pub(super) fn file(folder: &Path, name: &str, rows: &[Vec<u8>], around: [&str; 3]) -> DatasetSpec {
    let [open, between, close] = around;
    let mut content = open.as_bytes().to_vec();
    content.extend(rows.join(between.as_bytes()));
    content.extend(close.as_bytes());
    let path = folder.join(name);
    fs_err::write(&path, content).unwrap();
    DatasetSpec {
        name: "conformance".into(),
        path,
        ..DatasetSpec::default()
    }
}

impl Writer for List {
    fn name(&self) -> &'static str {
        "LLaVA list"
    }

    fn format(&self) -> &'static str {
        "LLaVA JSON or JSONL"
    }

    fn write(&self, rows: &[Row], folder: &Path) -> DatasetSpec {
        let rows: Vec<_> = rows.iter().map(written).collect();
        file(folder, "rows.json", &rows, ["[\n", ",\n", "\n]\n"])
    }

    fn can(&self, _: &Row) -> bool {
        true
    }
}

impl Writer for Lines {
    fn name(&self) -> &'static str {
        "LLaVA lines"
    }

    fn format(&self) -> &'static str {
        "LLaVA JSON or JSONL"
    }

    fn write(&self, rows: &[Row], folder: &Path) -> DatasetSpec {
        let rows: Vec<_> = rows.iter().map(written).collect();
        file(folder, "rows.jsonl", &rows, ["", "\n", "\n"])
    }

    fn can(&self, _: &Row) -> bool {
        true
    }
}
