//! The parts of a message's content.

use serde_json::{Map, Value};

use super::{source, wrong_type};
use crate::dataset::error::excerpt;
use crate::dataset::{MediaKind, SampleProblem};

/// A piece of a content.
pub(super) enum Part<'a> {
    /// What is said.
    Text(&'a str),
    /// What is shown; the object may say where it lies.
    Media(MediaKind, &'a Map<String, Value>),
}

/// What a part is, by its type or, where it has none, by what it holds.
pub(super) fn of<'a>(turn: usize, key: &str, value: &'a Value) -> Result<Part<'a>, SampleProblem> {
    let object = match value {
        Value::String(text) => return Ok(Part::Text(text)),
        Value::Object(object) => object,
        other => return Err(wrong_type(key.to_owned(), "an object", other)),
    };
    let there = |key: &str| object.get(key).filter(|value| !value.is_null());
    let said = there("type").and_then(Value::as_str);
    let held = || {
        let keys = ["text", "image", "image_url", "video", "video_url"];
        keys.into_iter().find(|key| there(key).is_some())
    };
    match said.or_else(held) {
        Some("text" | "input_text" | "output_text") => {
            let key = format!("{key}.text");
            match ["text", "value", "content"].into_iter().find_map(there) {
                Some(Value::String(text)) => Ok(Part::Text(text)),
                Some(other) => Err(wrong_type(key, "a string", other)),
                None if object.contains_key("text") => Ok(Part::Text("")),
                None => Err(SampleProblem::Missing { key }),
            }
        }
        Some("image" | "image_url" | "input_image") => Ok(Part::Media(MediaKind::Image, object)),
        Some("video" | "video_url" | "input_video") => Ok(Part::Media(MediaKind::Video, object)),
        Some(name) if is_tool(name) => Err(SampleProblem::ToolTurn { turn }),
        other => Err(SampleProblem::UnknownPart {
            turn,
            part: excerpt(other.unwrap_or_default()),
        }),
    }
}

/// Whether a role or a part is that of a tool, by the names that trainers have for it.
pub(super) fn is_tool(name: &str) -> bool {
    let names = [
        "tool",
        "tool_call",
        "tool_use",
        "tool_response",
        "tool_result",
        "function",
        "function_call",
        "function_response",
        "observation",
        "observations",
    ];
    names.contains(&name.replace('-', "_").as_str())
}

/// What messages show among their parts, for a filter: the paths of pictures and of videos. Parts without a source are
/// left out, since theirs stands elsewhere in the row.
pub(super) fn paths(messages: &Value) -> [Vec<String>; 2] {
    let mut found = [Vec::new(), Vec::new()];
    for message in messages.as_array().into_iter().flatten() {
        let content = message.get("content").or_else(|| message.get("value"));
        for value in content.and_then(Value::as_array).into_iter().flatten() {
            if let Ok(Part::Media(kind, object)) = of(0, "", value)
                && let Ok(Some(source)) = source::of_object("", kind, object)
            {
                let of_kind = match kind {
                    MediaKind::Image => &mut found[0],
                    MediaKind::Video => &mut found[1],
                };
                of_kind.push(source::path(&source));
            }
        }
    }
    found
}
