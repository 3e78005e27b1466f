//! The list of formats.

use super::format::Format;
use super::{llava, messages, parquet, webdataset};

/// Every format; the first that recognises a file opens it.
pub(super) const FORMATS: &[Format] = &[
    // First, as the surest to tell: the names that archives start with may look like anything.
    webdataset::FORMAT,
    parquet::FORMAT,
    messages::FORMAT,
    llava::FORMAT,
];

/// What `format` may be in a config.
pub fn format_names() -> impl Iterator<Item = &'static str> {
    FORMATS.iter().map(|format| format.name)
}

/// Whether there is a format of that name.
pub fn is_format(name: &str) -> bool {
    format_names().any(|known| known == name)
}
