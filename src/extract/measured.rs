//! A sample whose size is known.

use super::source::Source;
use crate::config::Protocol;
use crate::dataset::{Media, MediaKind};
use crate::prompt::Prompt;
use crate::vlm::Shape;

/// A sample whose tokens are known and whose pixels are not yet read.
pub struct Measured {
    /// The row in the dataset's file.
    pub row: u64,
    pub(super) id: String,
    pub(super) prompt: Prompt,
    /// In the order of the prompt's placeholders, or of the sample's where the prompt has none.
    pub(super) media: Vec<Seen>,
}

/// A picture or clip of a sample, with what its size says.
pub(super) struct Seen {
    pub(super) media: Media,
    pub(super) source: Source,
    pub(super) shape: Shape,
}

impl Measured {
    /// Positions that the sample takes in the language model, in all its passes.
    pub fn tokens(&self) -> usize {
        self.prompt.text_len() + self.counts().iter().sum::<usize>()
    }

    /// Positions of each picture and clip.
    pub(super) fn counts(&self) -> Vec<usize> {
        self.media.iter().map(|seen| seen.shape.tokens()).collect()
    }

    /// Positions of all pictures, or of all videos.
    pub fn tokens_of(&self, kind: MediaKind) -> usize {
        let seen = self.media.iter().filter(|seen| seen.media.kind == kind);
        seen.map(|seen| seen.shape.tokens()).sum()
    }

    /// Positions of each of its passes, of which some may have none.
    pub(super) fn passes(&self, protocol: Protocol) -> impl Iterator<Item = usize> {
        let passes = match protocol {
            Protocol::Joint => [self.tokens(), 0, 0],
            Protocol::Separate => [
                self.prompt.text_len(),
                self.tokens_of(MediaKind::Image),
                self.tokens_of(MediaKind::Video),
            ],
        };
        passes.into_iter()
    }

    /// Positions of the longest of its passes.
    pub(super) fn longest_pass(&self, protocol: Protocol) -> usize {
        self.passes(protocol).max().unwrap_or(0)
    }
}

/// The media of a sample in the order of a prompt's placeholders: a template may put all pictures first, but leaves
/// those of one kind in order. There are as many of each kind as the prompter has checked.
pub(super) fn in_order(media: Vec<Media>, kinds: &[MediaKind]) -> Vec<Media> {
    let (pictures, clips): (Vec<_>, Vec<_>) = media
        .into_iter()
        .partition(|media| media.kind == MediaKind::Image);
    let (mut pictures, mut clips) = (pictures.into_iter(), clips.into_iter());
    let next = |kind: &MediaKind| match kind {
        MediaKind::Image => pictures.next(),
        MediaKind::Video => clips.next(),
    };
    kinds.iter().filter_map(next).collect()
}
