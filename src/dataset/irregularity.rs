//! What is odd about rows that are read all the same.

use std::fmt;

use serde::Serialize;

/// An oddity whose meaning is plain. Counted by `madmix plan`; it changes nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Irregularity {
    /// Media without placeholders.
    PlaceholderMissing,
    /// `<image>` where a video is shown.
    ImageForVideo,
    /// The first turn is the assistant's, or one side speaks twice in a row.
    TurnsOutOfOrder,
    /// A turn without text.
    EmptyTurn,
    /// No id of its own.
    NoId,
}

impl fmt::Display for Irregularity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PlaceholderMissing => {
                "media without placeholders, shown before the first user turn"
            }
            Self::ImageForVideo => "`<image>` stands for a video",
            Self::TurnsOutOfOrder => "turns do not alternate, starting with the user's",
            Self::EmptyTurn => "a turn is empty",
            Self::NoId => "no id; the row number is used",
        })
    }
}
