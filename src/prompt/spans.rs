//! Finding what was said in what a template made of it.

use super::{PromptError, Spans};
use crate::dataset::Role;

/// A prompt, and where in it somebody's words are (byte ranges, in order).
#[derive(Debug)]
pub(super) struct Rendered {
    pub text: String,
    pub spans: Spans,
}

/// A character that no template holds, from Unicode's private use area.
const MARK: char = '\u{F8FE}';

/// What stands for the `i`-th piece of text in a skeleton.
pub(super) fn marker(i: usize) -> String {
    format!("{MARK}{i}{MARK}")
}

/// Finds each of `said` in `text`, given the same prompt rendered with markers in their place: what is
/// no marker in the skeleton must stand in `text` as it is, and a piece may have been trimmed.
pub(super) fn locate(
    text: &str,
    skeleton: &str,
    said: &[(&str, Role)],
) -> Result<Spans, PromptError> {
    let mut spans = Vec::new();
    let mut at = 0;
    for (i, piece) in skeleton.split(MARK).enumerate() {
        if i % 2 == 0 {
            at += prefix(&text[at..], piece)?;
            continue;
        }
        let index: usize = piece.parse().map_err(|_| PromptError::Rewritten)?;
        let (words, role) = said.get(index).ok_or(PromptError::Rewritten)?;
        let length = [words, words.trim(), words.trim_start(), words.trim_end()]
            .into_iter()
            .find_map(|form| text[at..].starts_with(form).then_some(form.len()))
            .ok_or(PromptError::Rewritten)?;
        spans.push((at..at + length, *role));
        at += length;
    }
    if at == text.len() {
        Ok(spans)
    } else {
        Err(PromptError::Rewritten)
    }
}

fn prefix(text: &str, prefix: &str) -> Result<usize, PromptError> {
    if text.starts_with(prefix) {
        Ok(prefix.len())
    } else {
        Err(PromptError::Rewritten)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_where_the_skeleton_says_even_if_they_look_like_the_template() {
        let skeleton = format!("user {} user {}!", marker(0), marker(1));
        let said = [("user", Role::User), (" x ", Role::Assistant)];
        let spans = locate("user user user x!", &skeleton, &said).unwrap();
        assert_eq!(spans, [(5..9, Role::User), (15..16, Role::Assistant)]);
        assert!(locate("user USER user x!", &skeleton, &said).is_err());
        assert!(locate("user user user x!?", &skeleton, &said).is_err());
    }
}
