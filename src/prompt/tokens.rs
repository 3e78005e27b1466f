//! Token ids of which each knows what it stands for.

use crate::dataset::MediaKind;

/// What a token position stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Text that the template or the default system message adds.
    Template,
    /// Text of a turn that is not the assistant's.
    Content,
    /// Text of an assistant's turn.
    Answer,
    /// A position of a picture.
    Image,
    /// A position of a video.
    Video,
}

impl Place {
    /// Whether it is a position of a picture or a video.
    pub fn is_visual(self) -> bool {
        matches!(self, Self::Image | Self::Video)
    }
}

/// Token ids and what each stands for; both of one length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Ids in the checkpoint's vocabulary; 0 at the positions of pictures and videos in LLaVA-NeXT's
    /// layout, whose placeholder is no vocabulary entry.
    pub ids: Vec<u32>,
    /// What each position stands for.
    pub places: Vec<Place>,
}

impl Tokens {
    /// `count` positions of pictures, or of videos, with nothing around them.
    pub(crate) fn visual(kind: MediaKind, id: u32, count: usize) -> Self {
        let place = match kind {
            MediaKind::Image => Place::Image,
            MediaKind::Video => Place::Video,
        };
        Self {
            ids: vec![id; count],
            places: vec![place; count],
        }
    }
}

/// A tokenised conversation with a single placeholder per picture or video; by default one of nothing.
#[derive(Clone, Debug, Default)]
pub struct Prompt {
    pub(super) tokens: Tokens,
    pub(super) media: Vec<MediaKind>,
}

impl Prompt {
    /// Kinds of the media in the order of their placeholders, which a template may have changed.
    pub fn media(&self) -> &[MediaKind] {
        &self.media
    }

    /// Positions that are text.
    pub fn text_len(&self) -> usize {
        self.tokens.ids.len() - self.media.len()
    }

    /// The tokens with each placeholder repeated as often as `counts` says.
    ///
    /// # Panics
    /// When there are not as many counts as placeholders.
    pub fn expand(&self, counts: &[usize]) -> Tokens {
        assert_eq!(
            counts.len(),
            self.media.len(),
            "a count for each placeholder"
        );
        let length = self.text_len() + counts.iter().sum::<usize>();
        let mut tokens = Tokens {
            ids: Vec::with_capacity(length),
            places: Vec::with_capacity(length),
        };
        let mut counts = counts.iter();
        for (&id, &place) in self.tokens.ids.iter().zip(&self.tokens.places) {
            let repeat = match place {
                place if place.is_visual() => counts.next().copied().unwrap_or(0),
                _ => 1,
            };
            tokens.ids.extend(std::iter::repeat_n(id, repeat));
            tokens.places.extend(std::iter::repeat_n(place, repeat));
        }
        tokens
    }
}
