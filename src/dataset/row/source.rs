//! Where a row of messages says that a picture or a video lies.
//!
//! A source is a path, a URL or a data URI; an object that holds one (`{"path": …}`, `{"url": …}`, and so on) or bytes in
//! base64 (`{"bytes": …, "path": …}` as `datasets` has it, null where there are none); for a video also the list of its
//! frames, each of them a source of a picture.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{MediaRef, wrong_type};
use crate::dataset::named::Named;
use crate::dataset::{MediaKind, SampleProblem, data_uri};

/// Keys of an object that holds a source, but for that of its kind.
const KEYS: [&str; 4] = ["path", "url", "source", "value"];
/// Keys of bytes.
const BYTES: [&str; 3] = ["bytes", "base64", "data"];

/// The media under the row's keys of a kind; both keys may be there only when they say the same.
pub(super) fn of_row(
    row: &Map<String, Value>,
    kind: MediaKind,
) -> Result<Vec<MediaRef<'_>>, SampleProblem> {
    let [first, second] = match kind {
        MediaKind::Image => ["image", "images"],
        MediaKind::Video => ["video", "videos"],
    };
    let under = |key| {
        row.get(key)
            .map_or(Ok(Vec::new()), |it| list(key, kind, it))
    };
    let (a, b) = (under(first)?, under(second)?);
    match (a.is_empty(), b.is_empty()) {
        (_, true) => Ok(a),
        (true, _) => Ok(b),
        _ if a == b => Ok(a),
        _ => Err(SampleProblem::TwoKeys { first, second }),
    }
}

fn list<'a>(
    key: &str,
    kind: MediaKind,
    value: &'a Value,
) -> Result<Vec<MediaRef<'a>>, SampleProblem> {
    let Value::Array(items) = value else {
        return Ok(of_value(key, kind, value)?.into_iter().collect());
    };
    each(key, kind, items)
}

fn each<'a>(
    key: &str,
    kind: MediaKind,
    items: &'a [Value],
) -> Result<Vec<MediaRef<'a>>, SampleProblem> {
    let one = |(i, item): (usize, &'a Value)| {
        let key = format!("{key}[{i}]");
        of_value(&key, kind, item)?.ok_or_else(|| wrong_type(key, expected(kind), item))
    };
    items.iter().enumerate().map(one).collect()
}

/// A source; nothing where it is null or empty.
fn of_value<'a>(
    key: &str,
    kind: MediaKind,
    value: &'a Value,
) -> Result<Option<MediaRef<'a>>, SampleProblem> {
    match (value, kind) {
        (Value::Null, _) => Ok(None),
        (Value::String(path), _) if path.is_empty() => Ok(None),
        (Value::String(path), _) => Ok(Some(MediaRef::Written(Cow::Borrowed(path)))),
        (Value::Object(object), _) => of_object(key, kind, object),
        (Value::Array(frames), MediaKind::Video) => {
            let frames = each(key, MediaKind::Image, frames)?;
            Ok(Some(MediaRef::Frames(frames)))
        }
        (Value::Array(items), MediaKind::Image) => match items.as_slice() {
            [one] => of_value(key, kind, one),
            _ => Err(wrong_type(key.to_owned(), expected(kind), value)),
        },
        _ => Err(wrong_type(key.to_owned(), expected(kind), value)),
    }
}

/// The source that an object holds, if it holds one.
pub(super) fn of_object<'a>(
    key: &str,
    kind: MediaKind,
    object: &'a Map<String, Value>,
) -> Result<Option<MediaRef<'a>>, SampleProblem> {
    let own = match kind {
        MediaKind::Image => ["image", "image_url"],
        MediaKind::Video => ["video", "video_url"],
    };
    let mut written = None;
    for name in own.into_iter().chain(KEYS) {
        if let Some(value) = object.get(name) {
            written = of_value(&format!("{key}.{name}"), kind, value)?;
        }
        if written.is_some() {
            break;
        }
    }
    for name in BYTES {
        let key = format!("{key}.{name}");
        match object.get(name) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => {
                let named =
                    data_uri::bare(text).map_err(|reason| SampleProblem::Base64 { key, reason })?;
                let name = match &written {
                    Some(MediaRef::Written(path)) if !data_uri::is_one(path) => path.to_string(),
                    _ => named.name.clone(),
                };
                return Ok(Some(MediaRef::Inside(Named { name, ..named })));
            }
            Some(other) => return Err(wrong_type(key, "a string in base64", other)),
        }
    }
    Ok(written)
}

/// What a filter on paths sees of a source: nothing of a data URI, the name of bytes, of frames the first.
pub(super) fn path(source: &MediaRef<'_>) -> String {
    match source {
        MediaRef::Written(text) if data_uri::is_one(text) => String::new(),
        MediaRef::Written(text) => text.to_string(),
        MediaRef::Inside(named) => named.name.clone(),
        MediaRef::Frames(frames) => frames.first().map(path).unwrap_or_default(),
    }
}

fn expected(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Image => "a path, a URL, a data URI, or an object with one",
        MediaKind::Video => "a path, a URL, a data URI, an object with one, or a list of frames",
    }
}
