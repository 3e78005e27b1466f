//! The checkpoint's own chat template, as transformers runs it.
//!
//! transformers compiles it with `trim_blocks`, `lstrip_blocks`, loop controls and a block of its own,
//! `{% generation %}`, which marks what the assistant says and prints its contents unchanged.

mod nesting;

use std::collections::BTreeMap;
use std::io;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde};
use minijinja::{Environment, ErrorKind, context};
use serde_json::{Value, json};

use super::PromptError;
use super::parts::{Part, parts};
use super::spans::{Rendered, locate, marker};
use crate::dataset::{Role, Turn};

/// Bytes of a prompt beyond which a template is taken to print for ever: a million tokens and more, for which the
/// tokenizer takes some two hundred times as much memory.
pub const MAX_RENDERED: usize = 8 << 20;

/// Steps after which a template is taken to run for ever: so many, more for each piece of a conversation, and no more
/// than that.
const FUEL: u64 = 1_000_000;
const FUEL_PER_PIECE: u64 = 10_000;
const MOST_FUEL: u64 = 100_000_000;
const NAME: &str = "chat_template";
/// The deepest indentation of `tojson`.
const MOST_INDENT: usize = 64;

/// A compiled template.
pub(super) struct ChatTemplate {
    environment: Environment<'static>,
}

impl ChatTemplate {
    /// Compiles a template, which may print special tokens by name.
    pub(super) fn new(
        source: &str,
        special_tokens: &BTreeMap<String, String>,
    ) -> Result<Self, PromptError> {
        let mut environment = Environment::new();
        environment.set_syntax(
            SyntaxConfig::builder()
                .trim_blocks(true)
                .lstrip_blocks(true)
                .build()
                .map_err(|error| PromptError::Template(error.to_string()))?,
        );
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_filter("tojson", to_json);
        environment.add_function("raise_exception", |message: String| {
            Err::<(), _>(minijinja::Error::new(ErrorKind::InvalidOperation, message))
        });
        for (name, token) in special_tokens {
            environment.add_global(name.clone(), token.clone());
        }
        nesting::check(source).map_err(PromptError::Template)?;
        nesting::with_room(|| {
            environment.add_template_owned(NAME, without_generation_blocks(source))
        })
        .map_err(|error| PromptError::Template(error.to_string()))?;
        Ok(Self { environment })
    }

    /// The prompt of a conversation; with `spans` also where in it each text is.
    pub(super) fn render(&self, turns: &[Turn], spans: bool) -> Result<Rendered, PromptError> {
        let cut: Vec<(Role, Vec<Part<'_>>)> = turns
            .iter()
            .map(|turn| (turn.role, parts(&turn.text)))
            .collect();
        let text = self.render_parts(&cut)?;
        if !spans {
            return Ok(Rendered {
                text,
                spans: Vec::new(),
            });
        }
        let mut said = Vec::new();
        for (role, parts) in &cut {
            said.extend(parts.iter().filter_map(|part| match part {
                Part::Text(text) => Some((*text, *role)),
                Part::Image | Part::Video => None,
            }));
        }
        let markers: Vec<String> = (0..said.len()).map(marker).collect();
        let mut next = markers.iter();
        let masked: Vec<(Role, Vec<Part<'_>>)> = cut
            .iter()
            .map(|(role, parts)| {
                let mask = |part: &_| match part {
                    Part::Text(text) => Part::Text(next.next().map_or(*text, String::as_str)),
                    media => *media,
                };
                (*role, parts.iter().map(mask).collect())
            })
            .collect();
        let skeleton = self.render_parts(&masked)?;
        let spans = locate(&text, &skeleton, &said)?;
        Ok(Rendered { text, spans })
    }

    fn render_parts(&self, turns: &[(Role, Vec<Part<'_>>)]) -> Result<String, PromptError> {
        let messages: Vec<Value> = turns
            .iter()
            .map(|(role, parts)| {
                let content: Vec<Value> = parts
                    .iter()
                    .map(|part| match part {
                        Part::Text(text) => json!({"type": "text", "text": text}),
                        Part::Image => json!({"type": "image"}),
                        Part::Video => json!({"type": "video"}),
                    })
                    .collect();
                json!({"role": role.as_str(), "content": content})
            })
            .collect();
        self.run(&messages, false)
    }

    /// Runs the template on `messages` in the form of transformers.
    fn run(&self, messages: &[Value], add_generation_prompt: bool) -> Result<String, PromptError> {
        let pieces = messages.iter().map(|message| {
            let content = message.get("content").and_then(Value::as_array);
            1 + content.map_or(0, Vec::len) as u64
        });
        let fuel = FUEL + FUEL_PER_PIECE.saturating_mul(pieces.sum());
        let mut environment = self.environment.clone();
        environment.set_fuel(Some(fuel.min(MOST_FUEL)));
        let messages = minijinja::Value::from(Serde(messages));
        let mut out = Limited::default();
        let rendered = environment.get_template(NAME).and_then(|template| {
            let context = context! { messages, add_generation_prompt };
            template.render_captured_to(context, &mut out).map(drop)
        });
        if out.full {
            let reason = format!("it prints more than {MAX_RENDERED} bytes");
            return Err(PromptError::Template(reason));
        }
        rendered.map_err(|error| PromptError::Template(error.to_string()))?;
        String::from_utf8(out.text).map_err(|error| PromptError::Template(error.to_string()))
    }
}

/// A prompt that is being written, up to [`MAX_RENDERED`].
#[derive(Default)]
struct Limited {
    text: Vec<u8>,
    full: bool,
}

impl io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.full |= bytes.len() > MAX_RENDERED - self.text.len();
        if self.full {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Turns `{% generation %}` and `{% endgeneration %}`, with or without trim marks, into a block that
/// every Jinja engine knows.
fn without_generation_blocks(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let Some(length) = rest[start + 2..].find("%}") else {
            break;
        };
        let end = start + 2 + length;
        let tag = &rest[start + 2..end];
        let name = tag.trim_matches(['-', '+']).trim();
        out.push_str(&rest[..start + 2]);
        match name {
            "generation" => out.push_str(&tag.replace("generation", "if true")),
            "endgeneration" => out.push_str(&tag.replace("endgeneration", "endif")),
            _ => out.push_str(tag),
        }
        out.push_str("%}");
        rest = &rest[end + 2..];
    }
    out + rest
}

/// `json.dumps(value, ensure_ascii=False)`, with `indent` where given; the engine's own would escape
/// for HTML.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the engine hands arguments over"
)]
fn to_json(Serde(value): Serde<Value>, options: Kwargs) -> Result<String, minijinja::Error> {
    let indent: Option<usize> = options.get("indent")?;
    if indent > Some(MOST_INDENT) {
        let reason = format!("tojson: an indent over {MOST_INDENT}");
        return Err(minijinja::Error::new(ErrorKind::InvalidOperation, reason));
    }
    let mut out = Vec::new();
    let written = if let Some(indent) = indent {
        let indent = " ".repeat(indent);
        let pretty = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
        let mut to = serde_json::Serializer::with_formatter(&mut out, pretty);
        serde::Serialize::serialize(&value, &mut to)
    } else {
        let mut to = serde_json::Serializer::with_formatter(&mut out, Spaced);
        serde::Serialize::serialize(&value, &mut to)
    };
    let bad = |error: String| minijinja::Error::new(ErrorKind::BadSerialization, error);
    written.map_err(|error| bad(error.to_string()))?;
    String::from_utf8(out).map_err(|error| bad(error.to_string()))
}

/// Python's default separators: a space after `,` and `:`.
struct Spaced;

impl serde_json::ser::Formatter for Spaced {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first {
            Ok(())
        } else {
            writer.write_all(b", ")
        }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        self.begin_array_value(writer, first)
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
    ) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests;
