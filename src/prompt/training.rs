//! The prompt of LLaVA-NeXT's training code for Qwen.
//!
//! Reference: `preprocess_multimodal` and `preprocess_qwen` in `llava/train/train.py`. Every turn is a
//! ChatML block of its own after a default system message.

use super::parts::text_ranges;
use super::spans::Rendered;
use crate::dataset::{IMAGE_PLACEHOLDER, Role, Turn, VIDEO_PLACEHOLDER};

const SYSTEM: &str = "You are a helpful assistant.";

/// A marker that training removes from the answers of one noisy source.
const NOISE: &str = "QA_GT_caption_based_noisy";

/// The prompt of a conversation. A first turn of the assistant is dropped, as in training; one of the
/// system, on which training fails, takes the place of the default message.
pub(super) fn render(turns: &[Turn], multimodal: bool) -> Rendered {
    let mut rendered = Rendered {
        text: String::new(),
        spans: Vec::new(),
    };
    let turns = match turns.first().map(|turn| turn.role) {
        Some(Role::System) => turns,
        first => {
            push_block(&mut rendered.text, Role::System, SYSTEM);
            let dropped = usize::from(first == Some(Role::Assistant));
            &turns[dropped..]
        }
    };
    for turn in turns {
        let words = if multimodal {
            placeholder_first(&turn.text)
        } else {
            turn.text.clone()
        };
        let start = push_block(&mut rendered.text, turn.role, &words);
        // A placeholder's newline stays in the prompt, but nobody said it.
        let said = text_ranges(&words).into_iter();
        let in_prompt = said.map(|range| start + range.start..start + range.end);
        rendered
            .spans
            .extend(in_prompt.map(|range| (range, turn.role)));
    }
    rendered
}

/// Appends a block and returns where in the prompt its words begin.
fn push_block(prompt: &mut String, role: Role, words: &str) -> usize {
    prompt.push_str("<|im_start|>");
    prompt.push_str(role.as_str());
    prompt.push('\n');
    let start = prompt.len();
    prompt.push_str(words);
    prompt.push_str("<|im_end|>\n");
    start
}

/// Moves the only placeholder of a turn to its front, on a line of its own. Training writes the same
/// placeholder for videos.
fn placeholder_first(words: &str) -> String {
    let kinds = [IMAGE_PLACEHOLDER, VIDEO_PLACEHOLDER];
    let all: usize = kinds.iter().map(|kind| words.matches(kind).count()).sum();
    let only = kinds.into_iter().find(|kind| words.contains(kind));
    let words = match only {
        Some(kind) if all == 1 && !words.starts_with(kind) => {
            let rest = words.replace(kind, "");
            format!("{kind}\n{}", rest.trim()).trim().to_owned()
        }
        _ => words.to_owned(),
    };
    words.replace(NOISE, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(role: Role, text: &str) -> Turn {
        Turn {
            role,
            text: text.into(),
        }
    }

    #[test]
    fn turns_become_blocks_after_the_default_system_message() {
        let turns = [
            turn(Role::Assistant, "dropped"),
            turn(Role::User, "What is this? <image>"),
            turn(Role::Assistant, " A cat."),
        ];
        let rendered = render(&turns, true);
        assert_eq!(
            rendered.text,
            "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n\
             <|im_start|>user\n<image>\nWhat is this?<|im_end|>\n\
             <|im_start|>assistant\n A cat.<|im_end|>\n"
        );
        let words: Vec<&str> = rendered
            .spans
            .iter()
            .map(|(span, _)| &rendered.text[span.clone()])
            .collect();
        assert_eq!(words, ["What is this?", " A cat."]);
    }

    #[test]
    fn several_placeholders_stay_where_they_are() {
        let turns = [turn(Role::User, "A <image> B <image>")];
        assert!(
            render(&turns, true)
                .text
                .contains("\nA <image> B <image><|im_end|>")
        );
    }
}
