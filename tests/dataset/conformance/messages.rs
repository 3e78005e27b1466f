//! Messages whose contents are strings, and such whose contents are parts.

use std::path::Path;

use madmix::dataset::{DatasetSpec, MediaKind};

use super::{Row, Writer, json, llava};

pub(super) struct Strings;
pub(super) struct Parts;

fn role(name: &str) -> &str {
    match name {
        "human" => "user",
        "gpt" => "assistant",
        other => other,
    }
}

fn written(row: &Row, content: impl Fn(&str) -> String) -> Vec<u8> {
    if let Some(raw) = row.raw {
        return raw.to_vec();
    }
    let message = |(name, text): &(&str, &str)| {
        format!(
            r#"{{"role": "{}", "content": {}}}"#,
            role(name),
            content(text)
        )
    };
    let messages: Vec<_> = row.turns.iter().map(message).collect();
    let mut keys = vec![format!(r#""messages": [{}]"#, messages.join(", "))];
    keys.extend(row.keys(true));
    format!("{{{}}}", keys.join(", ")).into_bytes()
}

/// A text cut at its placeholders, each of which takes its newline along, into parts that name what they show.
fn parts(text: &str, row: &Row) -> String {
    let mut media = row.media.iter();
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        if at > 0 {
            parts.push(format!(
                r#"{{"type": "text", "text": {}}}"#,
                json(&rest[..at])
            ));
        }
        let (kind, name) = media.next().unwrap();
        let kind = match kind {
            MediaKind::Image => "image",
            MediaKind::Video => "video",
        };
        parts.push(format!(r#"{{"type": "{kind}", "{kind}": {}}}"#, json(name)));
        rest = rest[at..].strip_prefix(&format!("<{kind}>\n")).unwrap();
    }
    if !rest.is_empty() {
        parts.push(format!(r#"{{"type": "text", "text": {}}}"#, json(rest)));
    }
    format!("[{}]", parts.join(", "))
}

impl Writer for Strings {
    fn name(&self) -> &'static str {
        "messages of strings"
    }

    fn format(&self) -> &'static str {
        "messages JSON or JSONL"
    }

    fn write(&self, rows: &[Row], folder: &Path) -> DatasetSpec {
        let rows: Vec<_> = rows.iter().map(|row| written(row, json)).collect();
        llava::file(folder, "rows.jsonl", &rows, ["", "\n", "\n"])
    }

    fn can(&self, _: &Row) -> bool {
        true
    }
}

impl Writer for Parts {
    fn name(&self) -> &'static str {
        "messages of parts"
    }

    fn format(&self) -> &'static str {
        "messages JSON or JSONL"
    }

    fn write(&self, rows: &[Row], folder: &Path) -> DatasetSpec {
        let of = |row: &Row| {
            let bare = Row {
                media: Vec::new(),
                ..row.clone()
            };
            written(&bare, |text| parts(text, row))
        };
        let rows: Vec<_> = rows.iter().map(of).collect();
        llava::file(folder, "rows.json", &rows, ["[", ",", "]"])
    }

    /// Only where each medium has its place, on a line of its own, in the one turn that shows any.
    fn can(&self, row: &Row) -> bool {
        let shows = |text: &str| text.contains("<image>") || text.contains("<video>");
        let turns: Vec<_> = row.turns.iter().filter(|(_, text)| shows(text)).collect();
        let fits = |text: &str| {
            let mut kinds = text.split('<').skip(1).map(|rest| {
                if rest.starts_with("image>\n") {
                    Some(MediaKind::Image)
                } else {
                    rest.starts_with("video>\n").then_some(MediaKind::Video)
                }
            });
            row.media
                .iter()
                .all(|(kind, _)| kinds.next() == Some(Some(*kind)))
                && kinds.next().is_none()
        };
        match turns.as_slice() {
            [] => row.media.is_empty(),
            [(_, text)] => fits(text),
            _ => false,
        }
    }
}
