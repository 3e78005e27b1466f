//! Turns as messages: `"messages": [{"role": "user", "content": "…"}, …]`, with `images` and `videos` beside them.
//!
//! Roles are those of LLaVA's rows, with `developer` for the system. A content is a string, null for an empty one, or a
//! list of parts, as transformers, Qwen, ms-swift and `OpenAI` write them:
//!
//! ```json
//! {"type": "text", "text": "…"}
//! {"type": "image", "image": "a.jpg"}, {"type": "image", "url": "…"}, {"type": "image_url", "image_url": {"url": "data:…"}}
//! {"type": "video", "video": "a.mp4"}, {"type": "video", "video": ["1.jpg", "2.jpg"]}
//! {"type": "image"}
//! ```
//!
//! A medium stands in the turn's text where its part stood. It is followed by a newline, which a placeholder takes along,
//! so that the texts around it reach a chat template as they are in the parts; texts that follow each other become one.
//! A part without a source, and a placeholder in a text, take the next of the row's own `images` or `videos`. Where the
//! container holds media itself, a path is first looked for among them (see [`inside`]).
//!
//! A `system` of the row is its first turn, as in ms-swift. What calls tools, and what has sound, is a failure.
//! Keys of preferences (`rejected_response`, …) and of the loss are passed over.

use serde_json::{Map, Value};

use super::inside::{self, Inside};
use super::part::{self, Part};
use super::{Dialect, MediaRef, Spoken, role, source, wrong_type};
use crate::dataset::named::Named;
use crate::dataset::{MediaKind, Role, SampleProblem, Turn};

/// What a system says, by any of the names that trainers have for it.
pub(super) const SYSTEM: [&str; 2] = ["system", "system_prompt"];
/// Where sound stands.
pub(super) const SOUND: [&str; 2] = ["audio", "audios"];

/// The media of a kind in the order of their placeholders: their own, or the next of the row's.
type Shown<'a> = Vec<Option<MediaRef<'a>>>;

/// The turns of a row, with its media, for which those of the container are taken out of `inside`.
pub(super) fn turns<'a>(
    row: &'a Map<String, Value>,
    inside: &mut Inside,
) -> Result<Spoken<'a>, SampleProblem> {
    let key = Dialect::Messages.key();
    let messages = match row.get(key) {
        None => {
            let key = key.to_owned();
            return Err(SampleProblem::Missing { key });
        }
        Some(Value::Array(messages)) => messages,
        Some(other) => return Err(wrong_type(key.to_owned(), "a list", other)),
    };
    if messages.is_empty() {
        return Err(SampleProblem::NoTurns { key });
    }
    no_sound(row)?;
    let (mut images, mut videos) = (Vec::new(), Vec::new());
    let mut turns = Vec::with_capacity(messages.len());
    for (i, message) in messages.iter().enumerate() {
        turns.push(turn(i, message, [&mut images, &mut videos])?);
    }
    with_system(row, &mut turns);
    let media = |kind, shown, held: &mut Vec<Named>| match std::mem::take(held) {
        held if held.is_empty() => Ok(filled(shown, source::of_row(row, kind)?)),
        held => Ok(inside::placed(shown, held, &inside.key)),
    };
    Ok(Spoken {
        turns,
        images: media(MediaKind::Image, images, &mut inside.images)?,
        videos: media(MediaKind::Video, videos, &mut inside.videos)?,
    })
}

/// Puts the `system` of a row before its turns, unless they begin with one.
pub(super) fn with_system(row: &Map<String, Value>, turns: &mut Vec<Turn>) {
    let said = SYSTEM
        .into_iter()
        .find_map(|key| row.get(key)?.as_str())
        .filter(|text| !text.is_empty());
    if let Some(text) = said
        && turns.first().is_none_or(|turn| turn.role != Role::System)
    {
        let (role, text) = (Role::System, text.to_owned());
        turns.insert(0, Turn { role, text });
    }
}

fn no_sound(row: &Map<String, Value>) -> Result<(), SampleProblem> {
    let some = |value: &Value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    };
    match SOUND
        .into_iter()
        .find(|key| row.get(*key).is_some_and(some))
    {
        Some(key) => Err(SampleProblem::Sound { key }),
        None => Ok(()),
    }
}

/// Gives each placeholder without a medium the next of the row's. What is left over stays at the end, and is found to be
/// too much; unless it only says again what the parts say.
fn filled<'a>(shown: Shown<'a>, of_row: Vec<MediaRef<'a>>) -> Vec<MediaRef<'a>> {
    let again = shown.len() == of_row.len();
    if again && shown.iter().flatten().eq(&of_row) {
        return of_row;
    }
    let mut rest = of_row.into_iter();
    let mut all: Vec<_> = shown
        .into_iter()
        .filter_map(|own| own.or_else(|| rest.next()))
        .collect();
    all.extend(rest);
    all
}

fn turn<'a>(
    i: usize,
    message: &'a Value,
    shown: [&mut Shown<'a>; 2],
) -> Result<Turn, SampleProblem> {
    let Value::Object(object) = message else {
        return Err(wrong_type(format!("messages[{i}]"), "an object", message));
    };
    for key in ["tool_calls", "function_call"] {
        if !matches!(object.get(key), None | Some(Value::Null)) && !is_empty_list(&object[key]) {
            return Err(SampleProblem::ToolTurn { turn: i });
        }
    }
    let (key, name) = of_either(object, ["role", "from"]);
    let role = match name {
        Some(Value::String(name)) => role(i, name)?,
        Some(other) => {
            return Err(wrong_type(
                format!("messages[{i}].{key}"),
                "a string",
                other,
            ));
        }
        None => {
            let key = format!("messages[{i}].{key}");
            return Err(SampleProblem::Missing { key });
        }
    };
    let (key, content) = of_either(object, ["content", "value"]);
    let key = format!("messages[{i}].{key}");
    let mut said = Said {
        text: String::new(),
        shown,
    };
    match content {
        Some(Value::Null) => {}
        Some(Value::String(text)) => said.text(text),
        Some(Value::Array(parts)) => {
            for (n, value) in parts.iter().enumerate() {
                let key = format!("{key}[{n}]");
                match part::of(i, &key, value)? {
                    Part::Text(text) => said.text(text),
                    Part::Media(kind, part) => {
                        said.media(kind, source::of_object(&key, kind, part)?);
                    }
                }
            }
        }
        Some(other) => return Err(wrong_type(key, "a string or a list of parts", other)),
        None => return Err(SampleProblem::Missing { key }),
    }
    let text = said.text;
    Ok(Turn { role, text })
}

/// The text of a turn as it grows.
struct Said<'a, 'b> {
    text: String,
    shown: [&'b mut Shown<'a>; 2],
}

impl<'a> Said<'a, '_> {
    fn text(&mut self, text: &str) {
        self.text.push_str(text);
        for (shown, kind) in self
            .shown
            .iter_mut()
            .zip([MediaKind::Image, MediaKind::Video])
        {
            let new = text.matches(kind.placeholder()).count();
            shown.resize_with(shown.len() + new, || None);
        }
    }

    fn media(&mut self, kind: MediaKind, own: Option<MediaRef<'a>>) {
        self.text.push_str(kind.placeholder());
        self.text.push('\n');
        let shown = match kind {
            MediaKind::Image => &mut self.shown[0],
            MediaKind::Video => &mut self.shown[1],
        };
        shown.push(own);
    }
}

fn of_either<'a>(
    object: &'a Map<String, Value>,
    keys: [&'static str; 2],
) -> (&'static str, Option<&'a Value>) {
    let found = keys
        .into_iter()
        .find_map(|key| Some((key, object.get(key)?)));
    found.map_or((keys[0], None), |(key, value)| (key, Some(value)))
}

fn is_empty_list(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}
