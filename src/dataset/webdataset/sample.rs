//! Makes a sample of its members.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::group::{Group, Part};
use super::name::Class;
use crate::blob::{Blob, Reader};
use crate::dataset::json_rows::{MAX_ROW_BYTES, MAX_ROW_VALUES, values};
use crate::dataset::media_root::MediaRoot;
use crate::dataset::named::Named;
use crate::dataset::row::{self, Dialect, Inside};
use crate::dataset::{IMAGE_PLACEHOLDER, Sample, SampleProblem, VIDEO_PLACEHOLDER};

/// The most members of a sample: a video may be packed as its frames, but a key that goes on for longer is a mistake.
const MAX_MEMBERS: usize = 4096;

const BOM: &[u8] = "\u{feff}".as_bytes();

/// An open archive.
pub(super) struct Archive<'a> {
    pub(super) file: &'a Reader,
    pub(super) blob: &'a Arc<Blob>,
    pub(super) media: &'a MediaRoot,
}

impl Archive<'_> {
    /// The sample of a group. `id` is its key, which counts where the row has no id of its own.
    pub(super) fn sample(
        &self,
        group: &Group,
        row: u64,
        id: &mut String,
    ) -> Result<Sample, SampleProblem> {
        check(group)?;
        let mut object = self.object(group)?;
        if object.get("id").is_none_or(Value::is_null) {
            object.insert("id".to_owned(), Value::String(id.clone()));
        }
        let inside = Inside {
            images: self.named(group, Class::Image, ["image", "images"], &object)?,
            videos: self.named(group, Class::Video, ["video", "videos"], &object)?,
            key: group.key.clone(),
        };
        row::sample(row, id, &object, inside, None, self.media)
    }

    /// The row of a group: what its JSON says, or a conversation made of its caption.
    fn object(&self, group: &Group) -> Result<Map<String, Value>, SampleProblem> {
        let object = match group.main(Class::Json) {
            None => None,
            Some(part) => match object_of(&self.row_bytes(part)?)? {
                object if Dialect::of(&object, None).is_some() => return Ok(object),
                object => Some(object),
            },
        };
        let caption = match (group.main(Class::Caption), &object) {
            (Some(part), _) => Some(self.text(part)?),
            (None, Some(object)) => object
                .get("caption")
                .and_then(Value::as_str)
                .map(str::to_owned),
            (None, None) => None,
        };
        let Some(caption) = caption else {
            // A JSON without a conversation: the dialects say what it lacks.
            return object.ok_or(SampleProblem::NoText);
        };
        let shown = |class, placeholder| vec![placeholder; group.of(class).len()];
        let mut placeholders = shown(Class::Image, IMAGE_PLACEHOLDER);
        placeholders.extend(shown(Class::Video, VIDEO_PLACEHOLDER));
        if placeholders.is_empty() {
            return Err(SampleProblem::CaptionAlone);
        }
        let mut object = Map::new();
        let turns = json!([
            {"from": "human", "value": placeholders.join("\n")},
            {"from": "gpt", "value": caption.trim()},
        ]);
        object.insert(Dialect::Llava.key().to_owned(), turns);
        Ok(object)
    }

    /// The pictures or the videos that the group holds, in the order in which the row names them.
    ///
    /// Where it names none of them, they come in the order of their names: rows often keep the paths that their pictures
    /// had before they were packed, and the packing changed the names. Where it names some of them and other files, or only others and not as many, the
    /// others lie below the media root.
    fn named(
        &self,
        group: &Group,
        class: Class,
        keys: [&str; 2],
        object: &Map<String, Value>,
    ) -> Result<Vec<Named>, SampleProblem> {
        let parts = group.of(class);
        let mut written = Vec::new();
        if !parts.is_empty() {
            for value in keys.into_iter().filter_map(|key| object.get(key)) {
                // A key may be there for nothing (null, an empty list) beside the one that counts.
                if written.is_empty() {
                    strings(value, &mut written);
                }
            }
        }
        let names: Vec<_> = parts.iter().map(|part| part.member.name.as_str()).collect();
        let found = row::meant(&names, &group.key, &written);
        let names_none = found.iter().all(Option::is_none);
        if written.is_empty() || (names_none && written.len() == parts.len()) {
            return Ok(parts.into_iter().map(|part| self.inside(part)).collect());
        }
        if names_none {
            return Ok(Vec::new());
        }
        let named = |(path, found): (&&str, Option<usize>)| match found {
            Some(i) => Ok(self.inside(parts[i])),
            None => self.media.resolve(path),
        };
        written.iter().zip(found).map(named).collect()
    }

    fn inside(&self, part: &Part) -> Named {
        Named {
            name: part.member.name.clone(),
            blob: Blob::Part {
                of: Arc::clone(self.blob),
                start: part.member.start,
                bytes: part.member.bytes,
            },
        }
    }

    fn text(&self, part: &Part) -> Result<String, SampleProblem> {
        String::from_utf8(self.bytes(part)?).map_err(|error| SampleProblem::NotUtf8 {
            key: part.member.name.clone(),
            after: error.utf8_error().valid_up_to(),
        })
    }

    /// The bytes of a row of JSON, which are not too many to parse.
    pub(super) fn row_bytes(&self, part: &Part) -> Result<Vec<u8>, SampleProblem> {
        let bytes = self.bytes(part)?;
        if values(&bytes) > MAX_ROW_VALUES {
            return Err(SampleProblem::TooManyValues {
                limit: MAX_ROW_VALUES,
            });
        }
        Ok(bytes)
    }

    /// The bytes of a text, without the mark that some editors put in front.
    fn bytes(&self, part: &Part) -> Result<Vec<u8>, SampleProblem> {
        let bytes = part.member.bytes;
        if bytes > MAX_ROW_BYTES {
            return Err(SampleProblem::TooLong {
                bytes,
                limit: MAX_ROW_BYTES,
            });
        }
        let mut text = vec![0; bytes as usize];
        self.file
            .read_exact_at(&mut text, part.member.start)
            .map_err(|error| SampleProblem::Io(error.kind()))?;
        if text.starts_with(BOM) {
            text.drain(..BOM.len());
        }
        Ok(text)
    }
}

/// Whether each member is there once and has its bytes, and they are not too many.
pub(super) fn check(group: &Group) -> Result<(), SampleProblem> {
    let members = group.parts.len();
    if members > MAX_MEMBERS {
        let limit = MAX_MEMBERS;
        return Err(SampleProblem::TooManyMembers { members, limit });
    }
    let mut endings = HashSet::with_capacity(members);
    for part in &group.parts {
        let member = &part.member;
        if !endings.insert(part.ending.as_str()) {
            return Err(SampleProblem::MemberTwice(member.name.clone()));
        }
        if !member.is_plain {
            return Err(SampleProblem::MemberElsewhere(member.name.clone()));
        }
    }
    Ok(())
}

/// The row that a member holds: an object, a list with one, or the bare list of turns that Megatron-Energon's examples
/// write.
pub(super) fn object_of(bytes: &[u8]) -> Result<Map<String, Value>, SampleProblem> {
    if !bytes.trim_ascii_start().starts_with(b"[") {
        return row::object(bytes);
    }
    let turns: Value =
        serde_json::from_slice(bytes).map_err(|error| SampleProblem::Json(error.to_string()))?;
    if let [Value::Object(only)] = turns.as_array().map_or(&[][..], Vec::as_slice)
        && Dialect::of(only, None).is_some()
    {
        return Ok(only.clone());
    }
    let mut object = Map::new();
    object.insert(Dialect::Llava.key().to_owned(), turns);
    Ok(object)
}

/// The strings in a value, but for empty ones: itself, or those of its lists.
fn strings<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) if !text.is_empty() => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        _ => {}
    }
}
