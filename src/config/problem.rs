//! What is wrong with a config, said so that it can be mended.

use std::path::PathBuf;

use super::ImportError;

/// Why a config cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the config: {0}")]
    Read(std::io::Error),
    /// It is no TOML, or a key is unknown, missing or of the wrong type.
    #[error("{}, {message}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// The line, and what is wrong there.
        message: String,
    },
    /// A value has no meaning.
    #[error("{}: {message}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The key, and what is wrong with its value.
        message: String,
    },
    /// A mixture file that cannot be taken in.
    #[error("{}: [[import]] of {}: {problem}", path.display(), import.display())]
    Import {
        /// The config.
        path: PathBuf,
        /// The mixture file as the config names it.
        import: PathBuf,
        /// What is wrong with it.
        problem: ImportError,
    },
}

/// The line of an error, its message, and for an unknown key the one that was probably meant.
pub(super) fn explain(error: &toml::de::Error, text: &str) -> String {
    let message = error.message();
    let place = match error.span() {
        Some(span) => {
            let line = text[..span.start.min(text.len())].matches('\n').count() + 1;
            format!("line {line}: ")
        }
        None => String::new(),
    };
    format!("{place}{message}{}", suggestion(message))
}

/// Serde's message lists the valid names in backquotes, after the one that it does not know.
fn suggestion(message: &str) -> String {
    if !message.starts_with("unknown field") && !message.starts_with("unknown variant") {
        return String::new();
    }
    let mut names = message.split('`').skip(1).step_by(2);
    let Some(unknown) = names.next() else {
        return String::new();
    };
    let nearest = names
        .map(|name| (strsim::damerau_levenshtein(unknown, name), name))
        .min()
        .filter(|(distance, name)| *distance <= unknown.len().max(name.len()).div_ceil(2));
    match nearest {
        Some((_, name)) => format!("; did you mean `{name}`?"),
        None => String::new(),
    }
}
