//! A turn's text cut at its placeholders.

use std::ops::Range;

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
    let (parts, _) = cut(text);
    parts
}

/// Where in a text its pieces of text are, in bytes.
pub(super) fn text_ranges(text: &str) -> Vec<Range<usize>> {
    let (_, ranges) = cut(text);
    ranges
}

fn cut(text: &str) -> (Vec<Part<'_>>, Vec<Range<usize>>) {
    let (mut parts, mut ranges) = (Vec::new(), Vec::new());
    let mut push_text = |parts: &mut Vec<_>, range: Range<usize>| {
        if !range.is_empty() {
            parts.push(Part::Text(&text[range.clone()]));
            ranges.push(range);
        }
    };
    let mut start = 0;
    while let Some((at, placeholder, part)) = next_placeholder(&text[start..]) {
        push_text(&mut parts, start..start + at);
        parts.push(part);
        start += at + placeholder.len();
        start += usize::from(text[start..].starts_with('\n'));
    }
    push_text(&mut parts, start..text.len());
    (parts, ranges)
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
        assert_eq!(text_ranges("A <image> B\n<video>"), [0..2, 9..12]);
        assert_eq!(text_ranges("<image>\nA<image>\nB"), [8..9, 17..18]);
    }
}
