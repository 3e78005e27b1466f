//! From a conversation to token ids of which each knows what it stands for.
//!
//! A Hugging Face checkpoint brings its own chat template; LLaVA-NeXT's layout has none, and gets the
//! prompt that its training uses. Both end in one string that is tokenised once, with a single
//! placeholder per picture; the placeholders are then repeated as often as their pictures have tokens,
//! which gives the same ids as repeating them in the text.

mod parts;
mod spans;
mod template;
mod training;

use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;

use tokenizers::{AddedToken, Tokenizer};

use crate::checkpoint::{Checkpoint, Layout};
use crate::dataset::{IMAGE_PLACEHOLDER, Role, Turn};
use spans::Rendered;
use template::ChatTemplate;

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

/// Token ids and what each stands for; both of one length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Ids in the checkpoint's vocabulary; 0 at the positions of pictures in LLaVA-NeXT's layout,
    /// whose placeholder is no vocabulary entry.
    pub ids: Vec<u32>,
    /// What each position stands for.
    pub places: Vec<Place>,
}

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
    /// The prompt has more or fewer placeholders than the sample has pictures.
    #[error(
        "the prompt has {found} picture placeholders for {expected} pictures; the checkpoint's \
         chat template may leave them out of some turns"
    )]
    Placeholders {
        /// In the prompt.
        found: usize,
        /// In the sample.
        expected: usize,
    },
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
    placeholder: u32,
    /// Whether the placeholder is an entry of the vocabulary.
    placeholder_has_id: bool,
}

enum Style {
    Chat(Box<ChatTemplate>),
    Training,
}

/// A tokenised conversation with a single placeholder per picture.
#[derive(Clone, Debug)]
pub struct Prompt {
    tokens: Tokens,
    pictures: usize,
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
        let mut tokenizer = Tokenizer::from_str(&text).map_err(|error| {
            unusable(format!(
                "not a tokenizer that can be read ({error}); copy it from the model that the \
                     checkpoint was trained from"
            ))
        })?;
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(None)
            .map_err(|error| unusable(error.to_string()))?;
        let (style, placeholder) =
            match checkpoint.layout {
                Layout::LlavaNext => {
                    let image = AddedToken::from(IMAGE_PLACEHOLDER, true);
                    tokenizer
                        .add_special_tokens([image])
                        .map_err(|error| unusable(error.to_string()))?;
                    (Style::Training, tokenizer.token_to_id(IMAGE_PLACEHOLDER))
                }
                Layout::HuggingFace => {
                    let source = checkpoint.chat_template.as_deref().ok_or_else(|| {
                        PromptError::NoTemplate {
                            checkpoint: checkpoint.root.clone(),
                        }
                    })?;
                    let id = checkpoint.family.image_token();
                    let known = id.filter(|id| tokenizer.id_to_token(*id).is_some());
                    (
                        Style::Chat(Box::new(ChatTemplate::new(
                            source,
                            &checkpoint.special_tokens,
                        )?)),
                        known,
                    )
                }
            };
        let placeholder = placeholder.ok_or_else(|| {
            unusable("the picture placeholder of config.json is not in its vocabulary".into())
        })?;
        let placeholder_has_id = matches!(style, Style::Chat(_));
        Ok(Self {
            tokenizer,
            style,
            placeholder,
            placeholder_has_id,
        })
    }

    /// Tokenises a conversation whose texts hold `pictures` placeholders. With `spans` every token
    /// knows whether it is what somebody said; without, all text counts as the template's.
    ///
    /// # Errors
    /// When the template refuses the conversation, loses a placeholder, or rewrites a text whose
    /// place was asked for.
    pub fn encode(
        &self,
        turns: &[Turn],
        pictures: usize,
        spans: bool,
    ) -> Result<Prompt, PromptError> {
        let rendered = match &self.style {
            Style::Chat(template) => template.render(turns, spans)?,
            Style::Training => training::render(turns, pictures > 0),
        };
        if rendered.text.is_empty() {
            return Err(PromptError::Empty);
        }
        self.tokenise(&rendered, pictures)
    }

    fn tokenise(&self, rendered: &Rendered, pictures: usize) -> Result<Prompt, PromptError> {
        let encoding = self
            .tokenizer
            .encode(rendered.text.as_str(), true)
            .map_err(|error| PromptError::Tokenise(error.to_string()))?;
        let mut ids = encoding.get_ids().to_vec();
        let mut spans = rendered.spans.iter().peekable();
        let mut found = 0;
        let places = ids
            .iter_mut()
            .zip(encoding.get_offsets())
            .map(|(id, &(start, _))| {
                if *id == self.placeholder {
                    found += 1;
                    if !self.placeholder_has_id {
                        *id = 0;
                    }
                    return Place::Image;
                }
                while spans.next_if(|(span, _)| span.end <= start).is_some() {}
                match spans.peek() {
                    Some((span, role)) if span.contains(&start) => place_of(*role),
                    _ => Place::Template,
                }
            })
            .collect();
        if found != pictures {
            return Err(PromptError::Placeholders {
                found,
                expected: pictures,
            });
        }
        Ok(Prompt {
            tokens: Tokens { ids, places },
            pictures,
        })
    }
}

/// Where in the prompt somebody's words are, in order.
type Spans = Vec<(Range<usize>, Role)>;

fn place_of(role: Role) -> Place {
    match role {
        Role::Assistant => Place::Answer,
        Role::User | Role::System => Place::Content,
    }
}

impl Prompt {
    /// Positions once every picture takes as many as `counts` says.
    pub fn expanded_len(&self, counts: &[usize]) -> usize {
        self.tokens.ids.len() - self.pictures + counts.iter().sum::<usize>()
    }

    /// The tokens with the placeholder of each picture repeated as often as `counts` says.
    ///
    /// # Panics
    /// When there are not as many counts as pictures.
    pub fn expand(&self, counts: &[usize]) -> Tokens {
        assert_eq!(counts.len(), self.pictures, "one count for each picture");
        let length = self.expanded_len(counts);
        let mut tokens = Tokens {
            ids: Vec::with_capacity(length),
            places: Vec::with_capacity(length),
        };
        let mut counts = counts.iter();
        for (&id, &place) in self.tokens.ids.iter().zip(&self.tokens.places) {
            let repeat = match place {
                Place::Image => counts.next().copied().unwrap_or(0),
                _ => 1,
            };
            tokens.ids.extend(std::iter::repeat_n(id, repeat));
            tokens.places.extend(std::iter::repeat_n(place, repeat));
        }
        tokens
    }
}
