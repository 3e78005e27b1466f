//! One row of LLaVA's format: JSON in, a [`Sample`] out.

use serde_json::{Map, Value};

use super::placeholders;
use crate::dataset::error::excerpt;
use crate::dataset::media_root::MediaRoot;
use crate::dataset::{Media, Role, Sample, SampleProblem, Turn};

/// Reads the row with number `row` from its bytes. Its own id, where it has one, replaces `id` before anything else can
/// be found wrong with it.
pub(super) fn parse(
    row: u64,
    id: &mut String,
    bytes: &[u8],
    root: &MediaRoot,
) -> Result<Sample, SampleProblem> {
    let value: Value =
        serde_json::from_slice(bytes).map_err(|error| SampleProblem::Json(error.to_string()))?;
    let Value::Object(object) = &value else {
        return Err(wrong_type("the row".to_owned(), "an object", &value));
    };
    match object.get("id") {
        None | Some(Value::Null) => {}
        Some(Value::String(own)) => id.clone_from(own),
        Some(Value::Number(own)) => *id = own.to_string(),
        Some(other) => return Err(wrong_type("id".to_owned(), "a string or a number", other)),
    }
    let mut turns = turns(object)?;
    let images = paths(object, ["image", "images"])?;
    let videos = paths(object, ["video", "videos"])?;
    let media = placeholders::settle(&mut turns, &images, &videos)?
        .into_iter()
        .map(|(kind, path)| {
            Ok(Media {
                kind,
                name: path.to_owned(),
                path: root.resolve(path)?,
            })
        })
        .collect::<Result<_, _>>()?;
    Ok(Sample {
        row,
        id: id.clone(),
        turns,
        media,
    })
}

fn turns(row: &Map<String, Value>) -> Result<Vec<Turn>, SampleProblem> {
    let turns = match row.get("conversations") {
        None => {
            return Err(SampleProblem::Missing {
                key: "conversations".to_owned(),
            });
        }
        Some(Value::Array(turns)) => turns,
        Some(other) => return Err(wrong_type("conversations".to_owned(), "a list", other)),
    };
    if turns.is_empty() {
        return Err(SampleProblem::NoTurns);
    }
    turns
        .iter()
        .enumerate()
        .map(|(i, turn)| parse_turn(i, turn))
        .collect()
}

fn parse_turn(i: usize, turn: &Value) -> Result<Turn, SampleProblem> {
    let Value::Object(object) = turn else {
        return Err(wrong_type(format!("conversations[{i}]"), "an object", turn));
    };
    let role = match text(i, object, ["from", "role"])? {
        "human" | "user" => Role::User,
        "gpt" | "assistant" | "model" => Role::Assistant,
        "system" => Role::System,
        other => {
            return Err(SampleProblem::UnknownRole {
                turn: i,
                role: excerpt(other),
            });
        }
    };
    Ok(Turn {
        role,
        text: text(i, object, ["value", "content"])?.to_owned(),
    })
}

/// The string under the first of the keys that is there.
fn text<'a>(
    turn: usize,
    object: &'a Map<String, Value>,
    keys: [&str; 2],
) -> Result<&'a str, SampleProblem> {
    let name = |key| format!("conversations[{turn}].{key}");
    match keys.iter().find_map(|&key| Some((key, object.get(key)?))) {
        Some((_, Value::String(text))) => Ok(text),
        Some((key, other)) => Err(wrong_type(name(key), "a string", other)),
        None => Err(SampleProblem::Missing { key: name(keys[0]) }),
    }
}

/// The paths under either of two keys; both may be there only when they say the same.
fn paths<'a>(
    row: &'a Map<String, Value>,
    [first, second]: [&'static str; 2],
) -> Result<Vec<&'a str>, SampleProblem> {
    let (a, b) = (list(first, row.get(first))?, list(second, row.get(second))?);
    match (a.is_empty(), b.is_empty()) {
        (_, true) => Ok(a),
        (true, _) => Ok(b),
        _ if a == b => Ok(a),
        _ => Err(SampleProblem::TwoKeys { first, second }),
    }
}

/// A path, or a list of paths, or such a list (or path) alone in a list. Null and the empty string are no path.
fn list<'a>(key: &str, value: Option<&'a Value>) -> Result<Vec<&'a str>, SampleProblem> {
    const EXPECTED: &str = "a path or a list of paths";
    let mut items = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::String(path)) if path.is_empty() => return Ok(Vec::new()),
        Some(Value::String(path)) => return Ok(vec![path]),
        Some(Value::Array(items)) => items.as_slice(),
        Some(other) => return Err(wrong_type(key.to_owned(), EXPECTED, other)),
    };
    while let [Value::Array(inner)] = items {
        items = inner;
    }
    let path = |(i, item): (usize, &'a Value)| match item {
        Value::String(path) if !path.is_empty() => Ok(path.as_str()),
        Value::Array(inner) => match inner.as_slice() {
            [Value::String(path)] if !path.is_empty() => Ok(path.as_str()),
            _ => Err(wrong_type(format!("{key}[{i}]"), "a path", item)),
        },
        other => Err(wrong_type(format!("{key}[{i}]"), "a path", other)),
    };
    items.iter().enumerate().map(path).collect()
}

fn wrong_type(key: String, expected: &'static str, value: &Value) -> SampleProblem {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(text) if text.is_empty() => "an empty string",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    SampleProblem::WrongType {
        key,
        expected,
        found,
    }
}
