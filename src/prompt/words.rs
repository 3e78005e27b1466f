//! Texts for the text side of CLIP and SigLIP: no conversation and no template, only ids.

use tokenizers::{Tokenizer, TruncationParams};

use super::{PromptError, guard};
use crate::checkpoint::{EmbeddingCheckpoint, Tower};

/// Turns texts into the ids that an embedding checkpoint reads, as transformers' processors do: CLIP's are as long as the
/// text, SigLIP's are filled up to the most that it reads, and both are cut there. SigLIP's texts lose punctuation and
/// capitals first.
pub struct WordEncoder {
    tokenizer: Tokenizer,
    tower: Tower,
    /// What texts are filled up with, and to which length.
    fill: Option<(u32, usize)>,
    vocab_size: usize,
}

impl WordEncoder {
    /// The encoder of a checkpoint; `None` where it has no tokenizer.
    ///
    /// # Errors
    /// When its tokenizer cannot be used.
    pub fn new(checkpoint: &EmbeddingCheckpoint) -> Result<Option<Self>, PromptError> {
        let (Some(files), Some(config)) = (&checkpoint.tokenizer, &checkpoint.config.text) else {
            return Ok(None);
        };
        let unusable = |reason: String| PromptError::Tokenizer {
            file: files.file.clone(),
            reason,
        };
        let text = fs_err::read_to_string(&files.file).map_err(PromptError::Read)?;
        let mut tokenizer = guard::read(&text).map_err(unusable)?;
        tokenizer.with_padding(None);
        let most = config.max_position_embeddings;
        let truncation = TruncationParams {
            max_length: most,
            ..TruncationParams::default()
        };
        tokenizer
            .with_truncation(Some(truncation))
            .map_err(|error| unusable(error.to_string()))?;
        let named = files.pad.as_deref();
        let pad = named.and_then(|name| tokenizer.token_to_id(name));
        let pad = pad.unwrap_or(config.pad_token);
        let tower = checkpoint.config.tower;
        Ok(Some(Self {
            tokenizer,
            tower,
            fill: (tower == Tower::Siglip).then_some((pad, most)),
            vocab_size: config.vocab_size,
        }))
    }

    /// The ids of a text, at least one.
    ///
    /// # Errors
    /// When the tokenizer fails on it or gives an id that the model does not know.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, PromptError> {
        let text = match self.tower {
            Tower::Clip => text.to_owned(),
            Tower::Siglip => plain(text),
        };
        let encoding =
            guard::encode(&self.tokenizer, &text, true).map_err(PromptError::Tokenise)?;
        let mut ids = encoding.get_ids().to_vec();
        if let Some((pad, length)) = self.fill {
            ids.resize(length, pad);
        }
        if ids.is_empty() {
            return Err(PromptError::Empty);
        }
        if let Some(id) = ids.iter().find(|id| **id as usize >= self.vocab_size) {
            return Err(PromptError::Tokenise(format!(
                "token {id} is beyond the text side's vocabulary of {}",
                self.vocab_size
            )));
        }
        Ok(ids)
    }
}

/// Without punctuation and capitals, words one space apart.
fn plain(text: &str) -> String {
    let kept: String = text
        .chars()
        .filter(|letter| !letter.is_ascii_punctuation())
        .collect();
    let words: Vec<&str> = kept.split_whitespace().collect();
    words.join(" ").to_lowercase()
}
