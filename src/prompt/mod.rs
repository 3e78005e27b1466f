//! From a conversation to token ids of which each knows what it stands for.
//!
//! A Hugging Face checkpoint brings its own chat template; LLaVA-NeXT's layout has none, and gets the
//! prompt that its training uses. Both end in one string that is tokenised once, with a single
//! placeholder per picture or video; the placeholders are then repeated as often as these have tokens,
//! which gives the same ids as repeating them in the text.

mod guard;
mod parts;
mod spans;
mod template;
mod tokens;
mod training;
mod words;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use tokenizers::{AddedToken, Tokenizer};

use crate::checkpoint::{Checkpoint, Layout};
use crate::dataset::{IMAGE_PLACEHOLDER, MediaKind, Role, Turn, VIDEO_PLACEHOLDER};
use spans::Rendered;
use template::ChatTemplate;

pub use template::MAX_RENDERED;
pub use tokens::{Place, Prompt, Tokens};
pub use words::WordEncoder;

/// Why a conversation cannot be turned into tokens.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// The tokenizer file cannot be read.
    #[error(transparent)]
    Read(std::io::Error),
    /// The tokenizer file cannot be used.
    #[error("{}: {reason}", file.display())]
    Tokenizer {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A Hugging Face checkpoint without a template.
    #[error(
        "{} has no chat template: expected chat_template.jinja, chat_template.json or \
         \"chat_template\" in tokenizer_config.json", checkpoint.display()
    )]
    NoTemplate {
        /// The checkpoint's folder.
        checkpoint: PathBuf,
    },
    /// The template is no Jinja, or failed on a conversation.
    #[error("the checkpoint's chat template: {0}")]
    Template(String),
    /// The tokenizer failed on a text.
    #[error("tokenising the prompt failed: {0}")]
    Tokenise(String),
    /// The prompt has more or fewer placeholders of a kind than the sample has media.
    #[error(
        "the prompt has {found} {} placeholders for {expected} of them; the checkpoint's chat \
         template may leave them out of some turns", kind.placeholder()
    )]
    Placeholders {
        /// Which.
        kind: MediaKind,
        /// In the prompt.
        found: usize,
        /// In the sample.
        expected: usize,
    },
    /// A video for a checkpoint of a family that knows none.
    #[error("it holds a video, and the checkpoint's family knows only pictures")]
    NoVideo,
    /// The place of a turn's text in the prompt is not known.
    #[error(
        "the chat template rewrites the text of a turn, so text_scope = \"content\" or \"answer\" \
         has no meaning for it; use text_scope = \"all\""
    )]
    Rewritten,
    /// Nothing is left to say.
    #[error("the conversation is empty")]
    Empty,
}

/// Turns conversations into tokens for one checkpoint.
pub struct Prompter {
    tokenizer: Tokenizer,
    style: Style,
    image: u32,
    /// `None` for families that know no videos.
    video: Option<u32>,
    /// Rows of the model's embedding; tokenizers may know more tokens.
    vocab_size: usize,
    /// Whether the placeholders are entries of the vocabulary.
    placeholders_have_ids: bool,
    /// The first token of every text, where the tokenizer has one.
    bos: Option<String>,
}

enum Style {
    Chat(Box<ChatTemplate>),
    Training,
}

impl Prompter {
    /// Reads a checkpoint's tokenizer and template.
    ///
    /// # Errors
    /// When either is missing or unusable.
    pub fn new(checkpoint: &Checkpoint) -> Result<Self, PromptError> {
        let file = checkpoint.tokenizer.as_path();
        let unusable = |reason: String| PromptError::Tokenizer {
            file: file.to_owned(),
            reason,
        };
        let text = fs_err::read_to_string(file).map_err(PromptError::Read)?;
        let mut tokenizer = guard::read(&text).map_err(|error| {
            unusable(format!(
                "not a tokenizer that can be read ({error}); copy it from the model that the \
                     checkpoint was trained from"
            ))
        })?;
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(None)
            .map_err(|error| unusable(error.to_string()))?;
        let family = &checkpoint.family;
        let (style, image, video) =
            match checkpoint.layout {
                Layout::LlavaNext => {
                    let placeholders = [IMAGE_PLACEHOLDER, VIDEO_PLACEHOLDER];
                    tokenizer
                        .add_special_tokens(placeholders.map(|text| AddedToken::from(text, true)))
                        .map_err(|error| unusable(error.to_string()))?;
                    let [image, video] = placeholders.map(|text| tokenizer.token_to_id(text));
                    (Style::Training, image, video)
                }
                Layout::HuggingFace => {
                    let source = checkpoint.chat_template.as_deref().ok_or_else(|| {
                        PromptError::NoTemplate {
                            checkpoint: checkpoint.root.clone(),
                        }
                    })?;
                    let template = ChatTemplate::new(source, &checkpoint.special_tokens)?;
                    let style = Style::Chat(Box::new(template));
                    (style, family.image_token(), family.video_token())
                }
            };
        let known = |id: Option<u32>| id.filter(|id| tokenizer.id_to_token(*id).is_some());
        let missing = |kind: MediaKind| {
            unusable(format!(
                "the {} placeholder of config.json is not in its vocabulary",
                kind.placeholder()
            ))
        };
        let image = known(image).ok_or_else(|| missing(MediaKind::Image))?;
        let video = match known(video) {
            None if family.has_video() => return Err(missing(MediaKind::Video)),
            video => video.filter(|_| family.has_video()),
        };
        Ok(Self {
            vocab_size: family.language().vocab_size,
            placeholders_have_ids: matches!(style, Style::Chat(_)),
            bos: checkpoint.special_tokens.get("bos_token").cloned(),
            tokenizer,
            style,
            image,
            video,
        })
    }

    /// Tokenises a conversation whose texts hold a placeholder for each of `media`. With `spans` every
    /// token knows whether it is what somebody said; without, all text counts as the template's.
    ///
    /// # Errors
    /// When the template refuses the conversation, loses a placeholder, or rewrites a text whose
    /// place was asked for, and when the family does not know a kind of media.
    pub fn encode(
        &self,
        turns: &[Turn],
        media: &[MediaKind],
        spans: bool,
    ) -> Result<Prompt, PromptError> {
        self.check(media)?;
        let rendered = match &self.style {
            Style::Chat(template) => template.render(turns, spans)?,
            Style::Training => training::render(turns, !media.is_empty()),
        };
        if rendered.text.is_empty() {
            return Err(PromptError::Empty);
        }
        let prompt = self.tokenise(&rendered)?;
        for kind in [MediaKind::Image, MediaKind::Video] {
            let count = |media: &[MediaKind]| media.iter().filter(|found| **found == kind).count();
            let (found, expected) = (count(&prompt.media), count(media));
            if found != expected {
                return Err(PromptError::Placeholders {
                    kind,
                    found,
                    expected,
                });
            }
        }
        Ok(prompt)
    }

    /// Tokenises what is left of a conversation without its placeholders.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_text(&self, turns: &[Turn], spans: bool) -> Result<Prompt, PromptError> {
        let bare = |turn: &Turn| Turn {
            role: turn.role,
            text: parts::without_placeholders(&turn.text),
        };
        let turns: Vec<Turn> = turns.iter().map(bare).collect();
        self.encode(&turns, &[], spans)
    }

    /// `count` positions of pictures, or of videos, with nothing around them.
    pub fn bare(&self, kind: MediaKind, count: usize) -> Tokens {
        let id = match kind {
            MediaKind::Image => self.image,
            MediaKind::Video => self.video.unwrap_or(0),
        };
        let id = if self.placeholders_have_ids { id } else { 0 };
        Tokens::visual(kind, id, count)
    }

    /// Whether the family knows all kinds of media that a sample has.
    ///
    /// # Errors
    /// When it does not.
    pub fn check(&self, media: &[MediaKind]) -> Result<(), PromptError> {
        if self.video.is_none() && media.contains(&MediaKind::Video) {
            return Err(PromptError::NoVideo);
        }
        Ok(())
    }

    fn tokenise(&self, rendered: &Rendered) -> Result<Prompt, PromptError> {
        // As transformers' `apply_chat_template`: a template that writes the first token itself gets it once.
        let written = |bos: &String| !bos.is_empty() && rendered.text.starts_with(bos);
        let add = !self.bos.as_ref().is_some_and(written);
        let encoding =
            guard::encode(&self.tokenizer, &rendered.text, add).map_err(PromptError::Tokenise)?;
        let mut ids = encoding.get_ids().to_vec();
        let mut spans = rendered.spans.iter().peekable();
        let mut media = Vec::new();
        // What the tokenizer adds, such as Llama's `<s>`, stands for no text; its offsets are those of the first.
        let added = encoding.get_special_tokens_mask();
        let places: Vec<Place> = ids
            .iter_mut()
            .zip(encoding.get_offsets())
            .zip(added)
            .map(|((id, &(start, _)), &added)| {
                if added == 1 {
                    return Place::Template;
                }
                let seen = match *id {
                    id if id == self.image => Some((MediaKind::Image, Place::Image)),
                    id if Some(id) == self.video => Some((MediaKind::Video, Place::Video)),
                    _ => None,
                };
                if let Some((kind, place)) = seen {
                    media.push(kind);
                    if !self.placeholders_have_ids {
                        *id = 0;
                    }
                    return place;
                }
                while spans.next_if(|(span, _)| span.end <= start).is_some() {}
                match spans.peek() {
                    Some((span, role)) if span.contains(&start) => place_of(*role),
                    _ => Place::Template,
                }
            })
            .collect();
        let beyond =
            |(id, place): &(&u32, &Place)| !place.is_visual() && **id as usize >= self.vocab_size;
        if let Some((id, _)) = ids.iter().zip(&places).find(beyond) {
            return Err(PromptError::Tokenise(format!(
                "token {id} is beyond the model's vocabulary of {}",
                self.vocab_size
            )));
        }
        Ok(Prompt {
            tokens: Tokens { ids, places },
            media,
        })
    }
}

/// A conversation as a chat template lays it out: Jinja that may print `special_tokens` by name.
///
/// # Errors
/// The template is no Jinja, fails on the conversation, takes too many steps or prints more than [`MAX_RENDERED`].
pub fn render(
    template: &str,
    special_tokens: &BTreeMap<String, String>,
    turns: &[Turn],
) -> Result<String, PromptError> {
    let template = ChatTemplate::new(template, special_tokens)?;
    Ok(template.render(turns, false)?.text)
}

/// Where in the prompt somebody's words are, in order.
type Spans = Vec<(Range<usize>, Role)>;

fn place_of(role: Role) -> Place {
    match role {
        Role::Assistant => Place::Answer,
        Role::User | Role::System => Place::Content,
    }
}
