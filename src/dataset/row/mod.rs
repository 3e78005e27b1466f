//! What the keys of a row mean: a row in, a [`Sample`] out, whichever container it came from.
//!
//! A *dialect* says how turns are written; what rows have in common (ids, the keys of media, placeholders) is here.
//! Containers that hold media themselves (columns of parquet, members of an archive) hand them over as [`Inside`].

mod inside;
mod llava;
mod messages;
mod part;
mod placeholders;
mod query;
mod source;
mod texts;

use std::borrow::Cow;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

pub(super) use self::inside::{Inside, meant};
use super::error::excerpt;
use super::filter::{Described, Sieve};
use super::media_root::MediaRoot;
use super::named::Named;
use super::{Irregularity, Media, MediaKind, Role, Sample, SampleProblem, Turn, data_uri};
use crate::blob::Blob;

/// How the turns of a row are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// LLaVA's `conversations`.
    Llava,
    /// `messages`.
    Messages,
    /// `query` and `response`.
    Query,
    /// The Cauldron's `texts`.
    Texts,
}

impl Dialect {
    /// Every dialect; a row is of the first whose key it has.
    pub(super) const ALL: [Self; 4] = [Self::Llava, Self::Messages, Self::Query, Self::Texts];

    /// The key that its turns stand under.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Llava => "conversations",
            Self::Messages => "messages",
            Self::Query => "query",
            Self::Texts => "texts",
        }
    }

    /// The dialect of a row, by its keys: the one that its file is in, or else another.
    pub(super) fn of(row: &Map<String, Value>, expected: Option<Self>) -> Option<Self> {
        let has = |dialect: &Self| row.contains_key(dialect.key());
        expected.into_iter().chain(Self::ALL).find(has)
    }
}

/// Whether turns stand under a key.
pub(super) fn is_turns(key: &str) -> bool {
    Dialect::ALL.iter().any(|dialect| dialect.key() == key)
}

/// Whether what stands under a key of turns is a list of them, and not a text that is one.
pub(super) fn is_list_of_turns(key: &str) -> bool {
    is_turns(key) && key != Dialect::Query.key()
}

/// Whether a key is looked at besides those of turns and media, so that a container has to hand it over.
pub(super) fn is_beside_turns(key: &str) -> bool {
    let keys = [ID, DATA_SOURCE, query::RESPONSE, query::HISTORY];
    keys.contains(&key) || messages::SYSTEM.contains(&key) || is_sound(key)
}

/// Whether sound stands under a key. That it is there is all that is asked about it.
pub(super) fn is_sound(key: &str) -> bool {
    messages::SOUND.contains(&key)
}

/// What a row is called.
const ID: &str = "id";
/// Where a row was taken from.
const DATA_SOURCE: &str = "data_source";

/// A picture or a video that a row names or brings along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MediaRef<'a> {
    /// As the row writes it: a path, a URL, a data URI.
    Written(Cow<'a, str>),
    /// In the container.
    Inside(Named),
    /// A video that is given as its frames.
    Frames(Vec<MediaRef<'a>>),
}

/// What a dialect makes of a row's turns.
#[derive(Debug, Default)]
pub(super) struct Spoken<'a> {
    pub(super) turns: Vec<Turn>,
    /// Media that stand among the texts, in the order of their placeholders; none where they stand under keys of the row.
    pub(super) images: Vec<MediaRef<'a>>,
    pub(super) videos: Vec<MediaRef<'a>>,
}

/// Parses the bytes of a row of JSON.
pub(super) fn object(bytes: &[u8]) -> Result<Map<String, Value>, SampleProblem> {
    let value: Value =
        serde_json::from_slice(bytes).map_err(|error| SampleProblem::Json(error.to_string()))?;
    match value {
        Value::Object(object) => Ok(object),
        other => Err(wrong_type(String::new(), "an object", &other)),
    }
}

/// Reads the row with number `row`. Its own id, where it has one, replaces `id` before anything else can be found wrong
/// with it. A row without the key of its file's `dialect` is of the one whose key it has: files are put together from
/// several, and the first row, by which a file is told, may be longer than what was looked at of it.
pub(super) fn sample(
    row: u64,
    id: &mut String,
    object: &Map<String, Value>,
    mut inside: Inside,
    dialect: Option<Dialect>,
    root: &MediaRoot,
) -> Result<Sample, SampleProblem> {
    let mut irregularities = Vec::new();
    match object.get(ID) {
        None | Some(Value::Null) => irregularities.push(Irregularity::NoId),
        Some(Value::String(own)) => id.clone_from(own),
        Some(Value::Number(own)) => *id = own.to_string(),
        Some(other) => return Err(wrong_type(ID.to_owned(), "a string or a number", other)),
    }
    let spoken = match Dialect::of(object, dialect) {
        Some(Dialect::Llava) => llava::turns(object)?,
        Some(Dialect::Messages) => messages::turns(object, &mut inside)?,
        Some(Dialect::Query) => query::turns(object)?,
        Some(Dialect::Texts) => texts::turns(object)?,
        None => return Err(no_dialect(dialect)),
    };
    let Spoken {
        mut turns,
        images,
        videos,
    } = spoken;
    let images = given(object, ["image", "images"], images, inside.images)?;
    let videos = given(object, ["video", "videos"], videos, inside.videos)?;
    note_turns(&turns, &mut irregularities);
    let media = placeholders::settle(&mut turns, images, videos, &mut irregularities)?
        .into_iter()
        .map(|(kind, found)| resolved(kind, found, root))
        .collect::<Result<_, _>>()?;
    Ok(Sample {
        row,
        id: id.clone(),
        turns,
        media,
        data_source: object
            .get(DATA_SOURCE)
            .and_then(Value::as_str)
            .map(str::to_owned),
        irregularities,
    })
}

fn no_dialect(expected: Option<Dialect>) -> SampleProblem {
    let keys: Vec<_> = match expected {
        Some(dialect) => vec![dialect.key()],
        None => Dialect::ALL.iter().map(|dialect| dialect.key()).collect(),
    };
    SampleProblem::Missing {
        key: keys.join("` or `"),
    }
}

/// Who speaks in a turn, by any of the names that trainers have for it.
fn role(turn: usize, name: &str) -> Result<Role, SampleProblem> {
    match name {
        "human" | "user" => Ok(Role::User),
        "gpt" | "assistant" | "model" => Ok(Role::Assistant),
        "system" | "developer" => Ok(Role::System),
        name if part::is_tool(name) => Err(SampleProblem::ToolTurn { turn }),
        other => Err(SampleProblem::UnknownRole {
            turn,
            role: excerpt(other),
        }),
    }
}

/// The media of a kind: those that the container still has, or those among the texts, or those under the row's keys.
fn given<'a>(
    object: &'a Map<String, Value>,
    keys: [&'static str; 2],
    spoken: Vec<MediaRef<'a>>,
    inside: Vec<Named>,
) -> Result<Vec<MediaRef<'a>>, SampleProblem> {
    if !inside.is_empty() {
        return Ok(inside.into_iter().map(MediaRef::Inside).collect());
    }
    if !spoken.is_empty() {
        return Ok(spoken);
    }
    let paths = paths(object, keys)?;
    let written = |path: &'a str| MediaRef::Written(Cow::Borrowed(path));
    Ok(paths.into_iter().map(written).collect())
}

fn resolved(
    kind: MediaKind,
    found: MediaRef<'_>,
    root: &MediaRoot,
) -> Result<Media, SampleProblem> {
    let (name, blob) = place(found, root)?;
    Ok(Media { kind, name, blob })
}

fn place(found: MediaRef<'_>, root: &MediaRoot) -> Result<(String, Blob), SampleProblem> {
    match found {
        MediaRef::Written(written) => {
            let Named { name, blob } = root.resolve(&written)?;
            Ok((name, blob))
        }
        MediaRef::Inside(Named { name, blob }) => Ok((name, blob)),
        MediaRef::Frames(frames) => {
            let frames = frames
                .into_iter()
                .map(|frame| place(frame, root))
                .collect::<Result<Vec<_>, _>>()?;
            let name = frames
                .first()
                .map_or_else(String::new, |(first, _)| format!("{first} and on"));
            let blobs: Vec<Blob> = frames.into_iter().map(|(_, blob)| blob).collect();
            Ok((name, Blob::Frames(blobs.into())))
        }
    }
}

fn note_turns(turns: &[Turn], irregularities: &mut Vec<Irregularity>) {
    let mut spoken = turns.iter().filter(|turn| turn.role != Role::System);
    let mut due = Role::User;
    let in_turn = spoken.all(|turn| {
        let fits = turn.role == due;
        due = match turn.role {
            Role::User => Role::Assistant,
            _ => Role::User,
        };
        fits
    });
    if !in_turn {
        irregularities.push(Irregularity::TurnsOutOfOrder);
    }
    if turns.iter().any(|turn| turn.text.trim().is_empty()) {
        irregularities.push(Irregularity::EmptyTurn);
    }
}

/// What a filter asks about a row of JSON; `None` when it is no object.
pub(super) fn described(bytes: &[u8], sieve: &Sieve<'_>) -> Option<Described> {
    let values: std::collections::HashMap<String, &RawValue> =
        serde_json::from_slice(bytes).ok()?;
    let value = |key: &str| {
        values
            .get(key)
            .and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok())
    };
    Some(described_by(value, sieve))
}

/// What a filter asks about a row whose values are got by their keys.
pub(super) fn described_by(value: impl Fn(&str) -> Option<Value>, sieve: &Sieve<'_>) -> Described {
    let mut described = Described {
        data_source: value("data_source").and_then(|value| match value {
            Value::String(text) => Some(text),
            _ => None,
        }),
        ..Described::default()
    };
    if sieve.wants_media() {
        let under = |keys: [&str; 2]| {
            let mut found = Vec::new();
            keys.into_iter()
                .filter_map(&value)
                .for_each(|value| named(&value, &mut found));
            found
        };
        described.images = under(["image", "images"]);
        described.videos = under(["video", "videos"]);
        if let Some(messages) = value(Dialect::Messages.key()) {
            shown_in(&messages, &mut described);
        }
    }
    described
}

/// Adds the pictures and videos among the parts of messages, for a filter.
pub(super) fn shown_in(messages: &Value, described: &mut Described) {
    let [images, videos] = part::paths(messages);
    described.images.extend(images);
    described.videos.extend(videos);
}

/// The paths in a value: itself, that of an object, or those of its lists; an empty one for what is there without.
pub(super) fn named(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if data_uri::is_one(text) => found.push(String::new()),
        Value::String(text) if !text.is_empty() => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| named(item, found)),
        Value::Object(object) => {
            let path = ["path", "url"]
                .into_iter()
                .find_map(|key| object.get(key)?.as_str());
            found.push(path.unwrap_or_default().to_owned());
        }
        _ => {}
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

/// The problem of a value that is of another type; an empty `key` stands for the row itself.
fn wrong_type(key: String, expected: &'static str, value: &Value) -> SampleProblem {
    let key = if key.is_empty() {
        "the row".to_owned()
    } else {
        key
    };
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
