//! Which hidden states are averaged.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::VlmError;

/// A choice among the hidden states of a language model, numbered as `hidden_states` of transformers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Name", into = "Name")]
pub enum Layer {
    /// After the final norm.
    Last,
    /// `hidden_states[len / 2]`, the choice of the Chameleon authors' code.
    Middle,
    /// `hidden_states[n]`: 0 is the input, `n` the output of layer `n`.
    Index(usize),
}

/// A layer as it is written in a config: a word or a number.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Name {
    Word(String),
    Number(usize),
}

impl Layer {
    /// Its index among the hidden states of a model with `depth` layers.
    ///
    /// # Errors
    /// When the model is not that deep.
    pub fn index(self, depth: usize) -> Result<usize, VlmError> {
        match self {
            Self::Last => Ok(depth),
            Self::Middle => Ok(depth.div_ceil(2)),
            Self::Index(index) if index <= depth => Ok(index),
            Self::Index(index) => Err(VlmError::NoSuchLayer { index, last: depth }),
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Last => f.write_str("last"),
            Self::Middle => f.write_str("middle"),
            Self::Index(index) => index.fmt(f),
        }
    }
}

impl TryFrom<Name> for Layer {
    type Error = String;

    fn try_from(name: Name) -> Result<Self, String> {
        match name {
            Name::Number(index) => Ok(Self::Index(index)),
            Name::Word(word) => match word.as_str() {
                "last" => Ok(Self::Last),
                "middle" => Ok(Self::Middle),
                _ => Err(format!(
                    "unknown layer \"{word}\": it is \"last\", \"middle\" or the number of a \
                     hidden state"
                )),
            },
        }
    }
}

impl From<Layer> for Name {
    fn from(layer: Layer) -> Self {
        match layer {
            Layer::Index(index) => Self::Number(index),
            word => Self::Word(word.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_those_of_transformers() {
        assert_eq!(Layer::Last.index(24).unwrap(), 24);
        assert_eq!(Layer::Middle.index(24).unwrap(), 25 / 2);
        assert_eq!(Layer::Middle.index(27).unwrap(), 28 / 2);
        assert_eq!(Layer::Index(0).index(24).unwrap(), 0);
        let error = Layer::Index(25).index(24).unwrap_err().to_string();
        assert!(
            error.contains("25 is not among the hidden states 0 to 24"),
            "{error}"
        );
    }
}
