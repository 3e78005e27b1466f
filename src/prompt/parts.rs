//! A turn's text cut at its placeholders.

/// The placeholder of a picture in the text of a [`Turn`](crate::dataset::Turn).
pub(super) const IMAGE: &str = "<image>";
/// The placeholder of a video.
pub(super) const VIDEO: &str = "<video>";

/// A piece of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    Text(&'a str),
    Image,
    Video,
}

/// Cuts a text at its placeholders, in order. A placeholder takes the one newline that follows it
/// along, since a chat template writes its own; empty pieces of text are left out.
pub(super) fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((at, placeholder, part)) = next_placeholder(rest) {
        if at > 0 {
            parts.push(Part::Text(&rest[..at]));
        }
        parts.push(part);
        rest = &rest[at + placeholder.len()..];
        rest = rest.strip_prefix('\n').unwrap_or(rest);
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    parts
}

fn next_placeholder(text: &str) -> Option<(usize, &'static str, Part<'static>)> {
    [(IMAGE, Part::Image), (VIDEO, Part::Video)]
        .into_iter()
        .filter_map(|(placeholder, part)| Some((text.find(placeholder)?, placeholder, part)))
        .min_by_key(|(at, ..)| *at)
}

#[cfg(test)]
mod tests {
    use super::Part::{Image, Text, Video};
    use super::*;

    #[test]
    fn placeholders_take_one_newline_along() {
        assert_eq!(parts("<image>\nWhat?"), [Image, Text("What?")]);
        assert_eq!(parts("<image>\n\nWhat?"), [Image, Text("\nWhat?")]);
        assert_eq!(parts("<image>What?"), [Image, Text("What?")]);
        assert_eq!(
            parts("A <image> B\n<video>"),
            [Text("A "), Image, Text(" B\n"), Video]
        );
        assert_eq!(parts("<image>\n<image>\n"), [Image, Image]);
        assert_eq!(parts(""), []);
    }
}
