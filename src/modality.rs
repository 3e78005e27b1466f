//! The three kinds of position in a sequence. Models, shards and mixtures all speak of them, so the type stands alone.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a position of a sequence stands for. Written in lower case (`text`, `image`, `video`) in every file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Modality {
    /// A text token.
    Text,
    /// A visual token of a still picture.
    Image,
    /// A visual token of a video.
    Video,
}

impl Modality {
    /// Every modality, in the order in which files and tables list them.
    pub const ALL: [Self; 3] = [Self::Text, Self::Image, Self::Video];

    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Image => "image",
            Self::Video => "video",
        }
    }

    /// The modality of that (lower-case) name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|modality| modality.name() == name)
    }
}

impl fmt::Display for Modality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_as_itself_here_and_in_json() {
        for modality in Modality::ALL {
            assert_eq!(Modality::from_name(modality.name()), Some(modality));
            let json = serde_json::to_string(&modality).unwrap();
            assert_eq!(json, format!("\"{modality}\""));
            assert_eq!(serde_json::from_str::<Modality>(&json).unwrap(), modality);
        }
        assert_eq!(Modality::from_name("Text"), None);
    }
}
