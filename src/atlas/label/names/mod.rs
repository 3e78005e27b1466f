//! Names of concepts: words whose vectors are near the centres, or words that the conversations of a cluster have and
//! others have not.

mod distinctive;
mod nearest;

use std::collections::BTreeSet;

pub use distinctive::{Counts, distinctive};
pub use nearest::nearest_words;

use crate::printable::printable;

/// The concept of samples without pictures.
pub const TEXT_ONLY: &str = "text only";

/// Concept words that come along, one a line.
const WORDS: &str = include_str!("words.txt");

/// The words that come along.
pub fn words() -> Vec<String> {
    parse_words(WORDS)
}

/// The words of a list, one a line, each once. Empty lines and those that begin with `#` are none.
pub fn parse_words(text: &str) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| printable(line).into_owned())
        .filter(|word| seen.insert(word.clone()))
        .collect()
}

/// Names that all differ, from each other and from [`TEXT_ONLY`]: a later one of the same name is numbered.
pub(super) fn unique(names: Vec<String>) -> Vec<String> {
    let mut taken = BTreeSet::from([TEXT_ONLY.to_owned()]);
    let one = |name: String| {
        let numbered = (2..).map(|number| format!("{name} {number}"));
        let mut free = std::iter::once(name.clone()).chain(numbered);
        let name = free.find(|name| !taken.contains(name)).unwrap_or(name);
        taken.insert(name.clone());
        name
    };
    names.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_that_comes_along_has_words_of_its_own() {
        let words = words();
        assert!(words.len() >= 140, "{}", words.len());
        assert!(words.contains(&"bar chart".to_owned()));
        assert_eq!(
            parse_words("# a\n cat \n\ncat\nd\u{7}g"),
            ["cat", "d\\u{7}g"]
        );
    }

    #[test]
    fn names_differ() {
        let given = ["a", "a", "text only", "a", "a 2"].map(str::to_owned);
        assert_eq!(
            unique(given.into()),
            ["a", "a 2", "text only 2", "a 3", "a 2 2"]
        );
    }
}
