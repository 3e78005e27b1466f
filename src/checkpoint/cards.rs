//! Model cards: what is worth knowing of a published checkpoint before it is fetched, one TOML file each in `models/`.
//!
//! Sizes are from the repositories or counted from their configs. The settings are places to start from and not
//! measured optima.

use super::families::Layout;
use serde::{Deserialize, Serialize};

/// The cards in the program, by the file's name, which is the repository's.
macro_rules! embedded {
    ($($name:literal,)*) => {
        &[$(($name, include_str!(concat!("../../models/", $name, ".toml")))),*]
    };
}

const FILES: &[(&str, &str)] = embedded![
    "llava-onevision-qwen2-0.5b-si-hf",
    "llava-onevision-qwen2-0.5b-ov-hf",
    "llava-onevision-qwen2-0.5b-mid-stage-a4",
    "llava-onevision-qwen2-0.5b-si",
    "llava-onevision-qwen2-0.5b-ov",
    "llava-onevision-qwen2-7b-si-hf",
    "llava-onevision-qwen2-7b-ov-hf",
    "llava-onevision-qwen2-7b-mid-stage-a4",
    "llava-onevision-qwen2-7b-si",
    "llava-onevision-qwen2-7b-ov",
    "llava-onevision-qwen2-7b-ov-chat-hf",
    "llava-1.5-7b-hf",
    "llava-1.5-13b-hf",
    "llava-v1.6-vicuna-7b-hf",
    "llava-v1.6-vicuna-13b-hf",
    "llava-v1.6-mistral-7b-hf",
    "llava-v1.6-34b-hf",
    "llama3-llava-next-8b-hf",
    "llava-next-72b-hf",
    "Qwen2-VL-2B",
    "Qwen2-VL-2B-Instruct",
    "Qwen2-VL-7B",
    "Qwen2-VL-7B-Instruct",
    "Qwen2.5-VL-3B-Instruct",
    "Qwen2.5-VL-7B-Instruct",
];

/// A published checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// Its id on the hub, as a config names it.
    pub checkpoint: String,
    /// `model_type` in its config.json, or the architecture where that tells it.
    pub family: String,
    /// Who wrote the folder.
    pub layout: Layout,
    /// Parameters in billions, as the hub counts them.
    pub parameters: f64,
    /// The language model that it was trained from.
    pub language: String,
    /// The vision tower.
    pub tower: String,
    /// The most positions of one sample, pictures and clips included.
    pub context: u32,
    /// What else to know.
    pub notes: String,
    /// What to begin with in a config, under the config's own names. How many tokens go through the model together is
    /// not among it: that follows from the device.
    #[serde(default)]
    pub settings: Settings,
}

/// Sections of a config.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `[media]`, for families that take pictures of any size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<Media>,
    /// `[video]`, for families that take frames of any size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video: Option<Video>,
}

/// Keys of `[media]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Media {
    /// Larger pictures are shrunk to so many pixels.
    pub max_pixels: u64,
}

/// Keys of `[video]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Video {
    /// Which frames are taken.
    pub sampling: String,
    /// Frames of a second.
    pub fps: f64,
    /// The most frames of a clip.
    pub max_frames: u32,
    /// Larger frames are shrunk to so many pixels.
    pub max_pixels: u64,
}

/// A name that no card has.
#[derive(Debug, thiserror::Error)]
#[error(
    "there is no model card `{name}` (did you mean `{nearest}`?); `madmix models` lists them. Checkpoints without a card \
     run as well, if their family is supported"
)]
pub struct UnknownCard {
    /// What was asked for.
    pub name: String,
    /// The card with the most similar name.
    pub nearest: String,
}

impl Card {
    /// All cards, by family and size.
    ///
    /// # Panics
    /// Never: a test reads all of them.
    pub fn all() -> Vec<Self> {
        let read = |(name, text): &(&str, &str)| -> Self {
            toml::from_str(text).unwrap_or_else(|error| panic!("models/{name}.toml: {error}"))
        };
        FILES.iter().map(read).collect()
    }

    /// The card of a checkpoint, by its id on the hub or the part of it after the owner.
    ///
    /// # Errors
    /// There is none.
    pub fn find(name: &str) -> Result<Self, UnknownCard> {
        let mut cards = Self::all();
        if let Some(at) = cards.iter().position(|card| card.is_named(name)) {
            return Ok(cards.swap_remove(at));
        }
        let likeness = |card: &Self| {
            [card.checkpoint.as_str(), card.repository()]
                .map(|known| strsim::normalized_levenshtein(known, name))
                .into_iter()
                .fold(0.0, f64::max)
        };
        let nearest = cards
            .iter()
            .max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        Err(UnknownCard {
            name: name.to_owned(),
            nearest: nearest.map_or_else(String::new, |card| card.checkpoint.clone()),
        })
    }

    /// Memory for the weights in bf16, in GB (10⁹ bytes).
    pub fn memory_gb(&self) -> f64 {
        self.parameters * 2.0
    }

    /// The id on the hub without the owner.
    fn repository(&self) -> &str {
        self.checkpoint
            .split_once('/')
            .map_or(self.checkpoint.as_str(), |(_, repository)| repository)
    }

    fn is_named(&self, name: &str) -> bool {
        [self.checkpoint.as_str(), self.repository()].contains(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::families;
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn every_file_is_a_card_of_a_known_family() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
        let on_disk: BTreeSet<String> = fs_err::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| Some(name.strip_suffix(".toml")?.to_owned()))
            .collect();
        let listed: BTreeSet<String> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(on_disk, listed, "the list in this file is that of models/");
        assert_eq!(listed.len(), FILES.len());
        for ((name, _), card) in FILES.iter().zip(Card::all()) {
            assert_eq!(card.repository(), *name);
            assert!(
                families::is_supported(&card.family, card.layout),
                "{name}: {} {:?}",
                card.family,
                card.layout
            );
            assert!(card.parameters > 0.1 && card.context >= 2048, "{name}");
            assert!(!card.notes.contains('\n'), "{name}");
        }
    }

    #[test]
    fn cards_are_found_by_either_name() {
        let card = Card::find("llava-hf/llava-1.5-7b-hf").unwrap();
        assert_eq!(card, Card::find("llava-1.5-7b-hf").unwrap());
        let error = Card::find("llava-1.5-8b-hf").unwrap_err();
        assert_eq!(error.nearest, "llava-hf/llava-1.5-7b-hf");
    }
}
