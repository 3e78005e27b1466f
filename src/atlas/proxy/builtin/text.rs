//! Words as numbers, without a vocabulary: by their hashes.

use crate::atlas::label::is_unspaced;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// How many numbers a text becomes.
pub(super) const TEXT: usize = 64;
/// How many sorts of words an answer can have; words of one sort cannot be told apart.
pub(super) const SORTS: usize = 256;
/// Words of a text that count.
const MAX_WORDS: usize = 512;

/// The words of a text: runs of letters and digits, and each sign of scripts that are written without spaces.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric())
        .flat_map(|run| {
            run.split_inclusive(is_unspaced).flat_map(|piece| {
                // A run of letters may end with one sign.
                let at = piece.char_indices().last().filter(|(_, c)| is_unspaced(*c));
                let (letters, sign) = piece.split_at(at.map_or(piece.len(), |(at, _)| at));
                [letters, sign]
            })
        })
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .take(MAX_WORDS)
}

/// A bag of words through a random projection: every word has a vector of signs, which are its hash's bits. `[TEXT]`, of
/// about unit variance whatever the length.
pub(super) fn bag(text: &str) -> [f32; TEXT] {
    let mut sum = [0.0; TEXT];
    let mut count = 0_u32;
    for word in words(text) {
        let bits = xxh3_64(word.as_bytes());
        for (i, value) in sum.iter_mut().enumerate() {
            *value += if bits >> i & 1 == 1 { 1.0 } else { -1.0 };
        }
        count += 1;
    }
    let scale = (count.max(1) as f32).sqrt().recip();
    sum.map(|value: f32| value * scale)
}

/// The sorts of the words of a text with their shares, which sum to 1; none for a text without words.
pub(super) fn sorts(text: &str) -> Vec<(u8, f32)> {
    let mut counts = [0_u32; SORTS];
    let mut count = 0_u32;
    for word in words(text) {
        counts[(xxh3_64_with_seed(word.as_bytes(), 1) % SORTS as u64) as usize] += 1;
        count += 1;
    }
    let found = counts.iter().enumerate().filter(|(_, found)| **found > 0);
    found
        .map(|(sort, &found)| (sort as u8, found as f32 / count as f32))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_any_script() {
        let found: Vec<String> = words("A cat's 12 «Хвост» 猫x坐y!").collect();
        assert_eq!(
            found,
            ["a", "cat", "s", "12", "хвост", "猫", "x", "坐", "y"]
        );
    }

    #[test]
    fn answers_are_shares_of_sorts() {
        assert!(sorts(" ?! ").is_empty());
        let found = sorts("yes Yes no");
        let total: f32 = found.iter().map(|(_, share)| share).sum();
        assert!((total - 1.0).abs() < 1e-6 && found.len() == 2, "{found:?}");
        let bag = |text| bag(text).to_vec();
        assert_eq!(bag("one two"), bag("Two, one"));
        assert_ne!(bag("one two"), bag("one three"));
        assert_eq!(bag(""), vec![0.0; TEXT]);
    }
}
