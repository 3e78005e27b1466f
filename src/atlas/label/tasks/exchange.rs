//! A conversation as questions with their answers.

use crate::atlas::label::is_unspaced;
use crate::dataset::{IMAGE_PLACEHOLDER, Role, Turn, VIDEO_PLACEHOLDER};

/// What the user says, and what the assistant says to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Exchange {
    /// Without placeholders of media.
    pub(super) user: String,
    pub(super) assistant: String,
}

impl Exchange {
    /// Words of the answer; each sign of scripts that are written without spaces is one.
    pub(super) fn answer_words(&self) -> usize {
        let words = |run: &str| {
            let signs = run.chars().filter(|c| is_unspaced(*c)).count();
            let others = signs == 0 || run.chars().any(|c| c.is_alphanumeric() && !is_unspaced(c));
            signs + usize::from(others)
        };
        self.assistant.split_whitespace().map(words).sum()
    }
}

/// The exchanges of a conversation. Turns of one side that follow each other are one.
pub(super) fn exchanges(turns: &[Turn]) -> Vec<Exchange> {
    let mut all: Vec<Exchange> = Vec::new();
    let mut answered = true;
    for turn in turns {
        match turn.role {
            Role::System => {}
            Role::User => {
                if answered {
                    all.push(Exchange::default());
                }
                answered = false;
                if let Some(last) = all.last_mut() {
                    let text = turn
                        .text
                        .replace(IMAGE_PLACEHOLDER, " ")
                        .replace(VIDEO_PLACEHOLDER, " ");
                    add(&mut last.user, &text);
                }
            }
            Role::Assistant => {
                if all.is_empty() {
                    all.push(Exchange::default());
                }
                answered = true;
                if let Some(last) = all.last_mut() {
                    add(&mut last.assistant, &turn.text);
                }
            }
        }
    }
    all
}

fn add(to: &mut String, text: &str) {
    if !to.is_empty() {
        to.push('\n');
    }
    to.push_str(text.trim());
}
