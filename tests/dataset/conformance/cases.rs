//! What real files get wrong, and what must come of it whatever the format.
//!
//! What is wrong with the pictures themselves (truncated, of another type than their name says, 16 bits, a strip) is no
//! matter of a format; `tests/media` has it.

use madmix::dataset::{Irregularity, MediaKind};

use super::{Row, Spelling};

/// A row with what is odd about it.
pub(super) struct Case {
    pub(super) what: &'static str,
    pub(super) row: Row,
    pub(super) comes: Comes,
}

/// What must come of a row.
pub(super) enum Comes {
    /// A sample with its own id, or the row number, and with these texts instead of the row's if there are any.
    Sample(&'static [&'static str], &'static [Irregularity]),
    /// A failure whose reason holds this.
    Failure(&'static str),
}

use Comes::{Failure, Sample};

const IMAGE: MediaKind = MediaKind::Image;
const VIDEO: MediaKind = MediaKind::Video;

fn asked(question: &'static str, media: &[(MediaKind, &'static str)]) -> Row {
    Row {
        id: Some("\"x\""),
        turns: vec![("human", question), ("gpt", "a")],
        media: media.to_vec(),
        ..Row::default()
    }
}

fn said(turns: &[(&'static str, &'static str)]) -> Row {
    Row {
        turns: turns.to_vec(),
        ..asked("", &[])
    }
}

fn spelled(question: &'static str, media: &[(MediaKind, &'static str)], spelling: Spelling) -> Row {
    Row {
        spelling,
        ..asked(question, media)
    }
}

fn raw(raw: &'static [u8]) -> Row {
    Row {
        raw: Some(raw),
        ..Row::default()
    }
}

pub(super) fn cases() -> Vec<Case> {
    let all = as_they_should_be().into_iter().chain(odd());
    all.chain(failures()).collect()
}

fn case(what: &'static str, row: Row, comes: Comes) -> Case {
    Case { what, row, comes }
}

fn fine() -> Comes {
    Sample(&[], &[])
}

/// What may be written in several ways, all of them usual.
fn as_they_should_be() -> Vec<Case> {
    vec![
        case("text", asked("q é 雨 \"\\", &[]), fine()),
        case(
            "a picture as itself",
            asked("<image>\nq", &[(IMAGE, "a/1.jpg")]),
            fine(),
        ),
        case(
            "a picture in a list",
            spelled("<image>\nq", &[(IMAGE, "a/1.jpg")], Spelling::List),
            fine(),
        ),
        case(
            "a picture under `image`",
            spelled("<image>\nq", &[(IMAGE, "1.jpg")], Spelling::Singular),
            fine(),
        ),
        case(
            "a picture under `images`",
            spelled("<image>\nq", &[(IMAGE, "1.jpg")], Spelling::Plural),
            fine(),
        ),
        case(
            "media that are null",
            spelled("q", &[], Spelling::Null),
            fine(),
        ),
        case(
            "media that are an empty list",
            spelled("q", &[], Spelling::Empty),
            fine(),
        ),
        case(
            "two pictures and a clip",
            asked(
                "<image>\n1<video>\n2<image>\n",
                &[(IMAGE, "1.jpg"), (VIDEO, "f/1.mp4"), (IMAGE, "2.jpg")],
            ),
            fine(),
        ),
        case(
            "a placeholder within a line",
            asked("see <image>, here", &[(IMAGE, "1.jpg")]),
            fine(),
        ),
        case(
            "pictures in several turns",
            Row {
                media: vec![(IMAGE, "1.jpg"), (IMAGE, "2.jpg")],
                ..said(&[
                    ("human", "<image>\n1"),
                    ("gpt", "a"),
                    ("human", "<image>\n2"),
                    ("gpt", "b"),
                ])
            },
            fine(),
        ),
        case(
            "the same picture twice",
            asked("<image>\n<image>\nq", &[(IMAGE, "1.jpg"), (IMAGE, "1.jpg")]),
            fine(),
        ),
        case(
            "a system prompt",
            said(&[("system", "s"), ("human", "q"), ("gpt", "a")]),
            fine(),
        ),
    ]
}

/// What is wrong and has a plain meaning.
fn odd() -> Vec<Case> {
    vec![
        case(
            "a clip under a picture's placeholder",
            asked("<image>\nq", &[(VIDEO, "1.mp4")]),
            Sample(&["<video>\nq", "a"], &[Irregularity::ImageForVideo]),
        ),
        case(
            "a picture and no placeholder",
            asked("q", &[(IMAGE, "1.jpg")]),
            Sample(&["<image>\nq", "a"], &[Irregularity::PlaceholderMissing]),
        ),
        case(
            "turns out of order",
            said(&[("gpt", "a"), ("human", "q"), ("human", "r")]),
            Sample(&[], &[Irregularity::TurnsOutOfOrder]),
        ),
        case(
            "an empty turn",
            said(&[("human", "q"), ("gpt", "")]),
            Sample(&[], &[Irregularity::EmptyTurn]),
        ),
        case(
            "no id",
            Row {
                id: None,
                ..asked("q", &[])
            },
            Sample(&[], &[Irregularity::NoId]),
        ),
        case(
            "an id that does not match the path",
            Row {
                id: Some("\"000000000001\""),
                ..asked("<image>\nq", &[(IMAGE, "coco/2.jpg")])
            },
            fine(),
        ),
        case(
            "a stray key",
            Row {
                stray: &[("stray", "\"1\"")],
                ..asked("q", &[])
            },
            fine(),
        ),
    ]
}

fn failures() -> Vec<Case> {
    vec![
        case(
            "a placeholder and no picture",
            asked("<image>\nq", &[]),
            Failure("0 images and 0 videos, but 1 `<image>`"),
        ),
        case(
            "more pictures than placeholders",
            asked("<image>\nq", &[(IMAGE, "1.jpg"), (IMAGE, "2.jpg")]),
            Failure("2 images and 0 videos, but 1 `<image>`"),
        ),
        case(
            "a placeholder in an answer",
            Row {
                media: vec![(IMAGE, "1.jpg")],
                ..said(&[("human", "q"), ("gpt", "<image>\n")])
            },
            Failure("turn 1: 1 placeholders in a turn of the assistant"),
        ),
        case(
            "an unknown role",
            said(&[("human", "q"), ("narrator", "n")]),
            Failure("turn 1: unknown role \"narrator\""),
        ),
        case(
            "a tool's answer",
            said(&[("human", "q"), ("observation", "{}")]),
            Failure("turn 1: a tool's call or answer"),
        ),
        case("no turns", said(&[]), Failure("is empty")),
        case(
            "a path that leaves the root",
            asked("<image>\nq", &[(IMAGE, "../1.jpg")]),
            Failure("`../1.jpg` refused: a media path may not contain `..`"),
        ),
        case(
            "a path elsewhere",
            asked("<image>\nq", &[(IMAGE, "/no/1.jpg")]),
            Failure("`/no/1.jpg` refused: an absolute path outside `media_root`"),
        ),
        case(
            "a URL",
            asked("<image>\nq", &[(IMAGE, "https://a.org/1.jpg")]),
            Failure("`https://a.org/1.jpg` is a URL; download it"),
        ),
        case(
            "a number",
            raw(b"7"),
            Failure("`the row` is a number, expected an object"),
        ),
        case("no keys", raw(b"{}"), Failure("is missing")),
        case(
            "invalid UTF-8",
            raw(b"{\"id\": \"\xff\"}"),
            Failure("not valid JSON"),
        ),
    ]
}
