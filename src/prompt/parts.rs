//! A turn's text cut at its placeholders.

use std::ops::Range;

use crate::dataset::MediaKind;

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
    cut(text).into_iter().map(|(part, _)| part).collect()
}

/// Where in a text its pieces of text are, in bytes.
pub(super) fn text_ranges(text: &str) -> Vec<Range<usize>> {
    cut(text)
        .into_iter()
        .filter(|(part, _)| matches!(part, Part::Text(_)))
        .map(|(_, range)| range)
        .collect()
}

/// A text without its placeholders and the one newline that each takes along.
pub(super) fn without_placeholders(text: &str) -> String {
    text_ranges(text)
        .into_iter()
        .map(|range| &text[range])
        .collect()
}

fn cut(text: &str) -> Vec<(Part<'_>, Range<usize>)> {
    let mut parts = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let rest = &text[start..];
        let (at, kind) = match next_placeholder(rest) {
            Some((at, kind)) => (at, Some(kind)),
            None => (rest.len(), None),
        };
        if at > 0 {
            parts.push((Part::Text(&rest[..at]), start..start + at));
        }
        start += at;
        if let Some(kind) = kind {
            let end = start + kind.placeholder().len();
            let end = end + usize::from(text[end..].starts_with('\n'));
            let part = match kind {
                MediaKind::Image => Part::Image,
                MediaKind::Video => Part::Video,
            };
            parts.push((part, start..end));
            start = end;
        }
    }
    parts
}

fn next_placeholder(text: &str) -> Option<(usize, MediaKind)> {
    // Both start with `<`. To look for either to the text's end would take the square of the number of placeholders.
    text.match_indices('<').find_map(|(at, _)| {
        [MediaKind::Image, MediaKind::Video]
            .into_iter()
            .find(|kind| text[at..].starts_with(kind.placeholder()))
            .map(|kind| (at, kind))
    })
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
        assert_eq!(without_placeholders("<image>\nA<video>\n\nB"), "A\nB");
    }
}
