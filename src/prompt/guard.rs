//! A wall around the tokenizer: its file comes with the checkpoint, the text with the data, and neither is trusted.

use serde::Deserialize;
use serde_json::Value;
use tokenizers::{Encoding, Tokenizer};

use crate::wall;

/// How many times longer a normalizer may make a text. `SentencePiece`'s replaces a space by three bytes.
const MOST_GROWTH: usize = 256;

/// The one part of `tokenizer.json` that can make a text longer than it is.
#[derive(Deserialize)]
struct Rewriting {
    normalizer: Option<Value>,
}

/// Reads a `tokenizer.json`.
///
/// # Errors
/// Says what keeps it from being used.
pub(super) fn read(text: &str) -> Result<Tokenizer, String> {
    let Rewriting { normalizer } = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if normalizer.as_ref().is_some_and(|n| growth(n) > MOST_GROWTH) {
        return Err(format!(
            "its normalizer could make a text more than {MOST_GROWTH} times longer"
        ));
    }
    wall::behind(|| text.parse::<Tokenizer>().map_err(|error| error.to_string()))?
}

/// Tokenises a text. A pattern of the tokenizer's that needs too many steps, which is a panic in its library, is an
/// error.
pub(super) fn encode(tokenizer: &Tokenizer, text: &str, special: bool) -> Result<Encoding, String> {
    // What a panic leaves half-changed is no more than a cache.
    let encoding = wall::behind(|| tokenizer.encode(text, special))?;
    encoding.map_err(|error| error.to_string())
}

/// How many times longer a normalizer may make a text, at most: what it puts in the place of a byte and before it.
fn growth(normalizer: &Value) -> usize {
    let steps = normalizer.get("normalizers").and_then(Value::as_array);
    if let Some(steps) = steps {
        return steps
            .iter()
            .fold(1, |all: usize, step| all.saturating_mul(growth(step)));
    }
    let put_in = ["content", "prepend"].map(|key| normalizer.get(key).and_then(Value::as_str));
    put_in
        .into_iter()
        .flatten()
        .fold(1, |sum: usize, text| sum.saturating_add(text.len()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn growth_multiplies_over_steps() {
        let replace = |content: &str| json!({"type": "Replace", "pattern": {"String": " "}, "content": content});
        assert_eq!(growth(&json!({"type": "NFC"})), 1);
        assert_eq!(growth(&replace("▁")), 4);
        let llama = json!({"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"}, replace("▁"),
        ]});
        assert_eq!(growth(&llama), 16);
        let bomb = json!({"type": "Sequence", "normalizers": vec![replace("ll"); 100]});
        assert_eq!(growth(&bomb), usize::MAX);
    }
}
