//! How many tokens go through the model together: a number, or what the device has room for.

use std::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::vlm::Budget;

/// What `"auto"` is written as.
const AUTO: &str = "auto";

/// The value of `extract.batch_tokens`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BatchTokens {
    /// What the devices have room for: 8192 on the CPU, a power of two from 1,024 to 32,768 on CUDA.
    #[default]
    Auto,
    /// So many, at least one.
    Count(usize),
}

impl BatchTokens {
    /// The number for devices with this budget.
    pub fn within(self, budget: Budget) -> usize {
        match self {
            Self::Auto => budget.tokens,
            Self::Count(count) => count,
        }
    }
}

impl Serialize for BatchTokens {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str(AUTO),
            Self::Count(count) => serializer.serialize_u64(*count as u64),
        }
    }
}

impl<'de> Deserialize<'de> for BatchTokens {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written)
    }
}

struct Written;

impl Visitor<'_> for Written {
    type Value = BatchTokens;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "extract.batch_tokens to be \"{AUTO}\" or a number of tokens, at least 1"
        )
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<BatchTokens, E> {
        match word {
            AUTO => Ok(BatchTokens::Auto),
            _ => Err(E::invalid_value(Unexpected::Str(word), &self)),
        }
    }

    fn visit_u64<E: Error>(self, count: u64) -> Result<BatchTokens, E> {
        match usize::try_from(count) {
            Ok(count @ 1..) => Ok(BatchTokens::Count(count)),
            _ => Err(E::invalid_value(Unexpected::Unsigned(count), &self)),
        }
    }

    fn visit_i64<E: Error>(self, count: i64) -> Result<BatchTokens, E> {
        match u64::try_from(count) {
            Ok(count) => self.visit_u64(count),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(count), &self)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Section {
        batch_tokens: BatchTokens,
    }

    fn parsed(value: &str) -> Result<BatchTokens, String> {
        toml::from_str(&format!("batch_tokens = {value}"))
            .map(|section: Section| section.batch_tokens)
            .map_err(|error| error.message().to_owned())
    }

    #[test]
    fn auto_and_numbers_read_and_write_back() {
        for (value, expected) in [
            ("\"auto\"", BatchTokens::Auto),
            ("1", BatchTokens::Count(1)),
            ("9223372036854775807", BatchTokens::Count(i64::MAX as usize)),
        ] {
            let batch_tokens = parsed(value).unwrap();
            assert_eq!(batch_tokens, expected);
            let text = toml::to_string(&Section { batch_tokens }).unwrap();
            assert_eq!(text.trim(), format!("batch_tokens = {value}"));
        }
    }

    #[test]
    fn a_number_is_taken_whatever_fits() {
        let budget = Budget {
            tokens: 16_384,
            patches: None,
        };
        assert_eq!(BatchTokens::Auto.within(budget), 16_384);
        assert_eq!(BatchTokens::Count(7).within(budget), 7);
    }

    #[test]
    fn other_values_are_told_by_the_key() {
        for value in ["0", "-1", "\"atuo\"", "\"8192\"", "1.5", "true", "[1]"] {
            let error = parsed(value).unwrap_err();
            let shown = value.trim_matches(['[', ']']);
            assert!(
                error.contains("extract.batch_tokens to be \"auto\" or a number"),
                "{error}"
            );
            assert!(value == "[1]" || error.contains(shown), "{error}");
        }
    }
}
