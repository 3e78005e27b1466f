//! Whether a sample's modalities go through the model together, and what becomes of one that is too long.

use serde::{Deserialize, Serialize};

/// How a sample's vectors are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// One pass over the whole sample, whose states are split by position: text has seen the pictures before it.
    #[default]
    Joint,
    /// Each modality passed alone: the conversation without its placeholders; all pictures without any text; all videos
    /// likewise. There is no fused vector then.
    Separate,
}

/// What becomes of a sample with more tokens than allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TooLong {
    /// It is a failure that says its size.
    #[default]
    Fail,
    /// Its pictures are made smaller and its clips thinned, by halves, until it fits; a failure where that is not enough.
    Shrink,
}
