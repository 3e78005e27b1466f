//! A look at the start of a dataset's file, as its readers will take it: trainers go by names, columns and types.

use std::io::Read;
use std::path::Path;

use fs_err::File;
use serde_json::{Map, Value};

/// How much is looked at. `datasets`, the library, takes a file's columns and their types from the same first part, so
/// what comes later has to agree with it anyway.
const LOOKED_AT: u64 = 10 << 20;

/// The keys that media stand under in one format or another.
const MEDIA: [&str; 4] = ["image", "images", "video", "videos"];

/// The longest path of a system, in bytes.
const LONGEST_PATH: usize = 4096;

/// What the start of a file shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    /// How the rows are laid out.
    pub(super) rows: Rows,
    /// Whether every row has `conversations`, as LLaVA's do.
    pub(super) conversations: bool,
    /// Under which keys media stand: `image` and `video` are LLaVA's.
    pub(super) media: Vec<&'static str>,
    /// Whether a row holds a picture itself, as text.
    pub(super) held: bool,
    /// Whether a column of media has strings in one row and lists in another, or an id numbers and strings.
    pub(super) mixed: bool,
}

/// How the rows of a file are laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Rows {
    /// One JSON array.
    Array,
    /// One JSON object per line.
    Lines,
    /// Anything else.
    #[default]
    Other,
}

impl Look {
    /// Looks at a file.
    pub(super) fn at(path: &Path) -> std::io::Result<Self> {
        let mut start = Vec::new();
        File::open(path)?.take(LOOKED_AT).read_to_end(&mut start)?;
        Ok(Self::of(&start))
    }

    /// Whether its rows have the keys of LLaVA's, and media under no others.
    pub(super) fn is_llava(&self) -> bool {
        self.conversations
            && self
                .media
                .iter()
                .all(|key| matches!(*key, "image" | "video"))
    }

    fn of(start: &[u8]) -> Self {
        let (rows, values) = match start.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'[') => (Rows::Array, elements(start)),
            Some(b'{') => (Rows::Lines, lines(start)),
            _ => return Self::default(),
        };
        let seen = |key: &&str| {
            values
                .iter()
                .any(|row| row.get(*key).is_some_and(|v| !v.is_null()))
        };
        let types = |key: &str| {
            let mut types: Vec<_> = values
                .iter()
                .filter_map(|row| row.get(key).map(std::mem::discriminant))
                .filter(|found| *found != std::mem::discriminant(&Value::Null))
                .collect();
            types.dedup();
            types.len()
        };
        let media = || values.iter().flat_map(|row| MEDIA.map(|key| row.get(key)));
        Self {
            rows,
            held: media().flatten().any(holds_bytes),
            conversations: values.iter().all(|row| row.contains_key("conversations")),
            media: MEDIA.into_iter().filter(seen).collect(),
            mixed: ["id", "image", "video"].iter().any(|key| types(key) > 1),
        }
    }
}

/// Whether a value, or one in its lists, is a data URI or longer than any path.
fn holds_bytes(value: &Value) -> bool {
    match value {
        Value::String(text) => text.starts_with("data:") || text.len() > LONGEST_PATH,
        Value::Array(items) => items.iter().any(holds_bytes),
        _ => false,
    }
}

fn lines(start: &[u8]) -> Vec<Map<String, Value>> {
    start
        .split(|&byte| byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect()
}

/// The elements of an array that may break off.
fn elements(start: &[u8]) -> Vec<Map<String, Value>> {
    let mut found = Vec::new();
    let mut rest = start;
    // What opens the array or parts two elements.
    while let Some(at) = rest
        .iter()
        .position(|byte| !byte.is_ascii_whitespace())
        .filter(|&at| matches!(rest[at], b'[' | b','))
    {
        rest = &rest[at + 1..];
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<Value>();
        match values.next() {
            Some(Ok(Value::Object(row))) => found.push(row),
            Some(Ok(_)) => {}
            _ => break,
        }
        rest = &rest[values.byte_offset()..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_inside_of_rows_are_seen() {
        let held = |image: &str| {
            let row = format!(r#"{{"image": {image}, "conversations": []}}"#);
            Look::of(row.as_bytes()).held
        };
        assert!(held(r#""data:image/png;base64,AA""#));
        assert!(held(r#"["a.jpg", "data:image/png;base64,AA"]"#));
        assert!(held(&format!("\"{}\"", "A".repeat(LONGEST_PATH + 1))));
        assert!(!held(r#""data/a.jpg""#) && !held("null"));
    }

    #[test]
    fn arrays_and_lines_show_the_same() {
        let rows = [
            r#"{"id": 1, "image": "a", "conversations": []}"#,
            r#"{"id": 2, "conversations": []}"#,
        ];
        let array = Look::of(format!(" [{} ,\n {}, {{\"id", rows[0], rows[1]).as_bytes());
        let lines = Look::of(format!("{}\n{}\n{{\"id", rows[0], rows[1]).as_bytes());
        assert_eq!(array.rows, Rows::Array);
        assert_eq!(lines.rows, Rows::Lines);
        for look in [array, lines] {
            assert_eq!(look.media, ["image"]);
            assert!(look.is_llava() && !look.mixed);
        }
    }

    #[test]
    fn columns_of_two_types_are_seen() {
        let mixed = |rows: &str| Look::of(rows.as_bytes()).mixed;
        assert!(mixed("{\"image\": \"a\"}\n{\"image\": [\"a\"]}"));
        assert!(mixed("[{\"id\": \"a\"}, {\"id\": 1}]"));
        assert!(!mixed("{\"image\": \"a\"}\n{\"image\": null}"));
    }

    #[test]
    fn other_files_are_told() {
        for other in ["", "PAR1\0\0", "id,image"] {
            assert_eq!(Look::of(other.as_bytes()).rows, Rows::Other);
        }
        let messages = Look::of(br#"{"messages": [], "images": ["a"]}"#);
        assert_eq!(messages.media, ["images"]);
        assert!(!messages.is_llava());
    }
}
