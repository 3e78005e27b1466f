//! Text of others inside files with a syntax: names and paths hold quotes, colons and line breaks.

use std::fmt::Write as _;
use std::path::Path;

use super::ExportError;

/// The text as a double-quoted scalar that JSON, YAML and Python read alike.
///
/// YAML 1.1, which `PyYAML` reads, takes three further characters for line breaks and refuses those that do not print,
/// so they are escaped, too.
pub fn double(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    let mut quoted = String::with_capacity(json.len());
    for c in json.chars() {
        if matches!(
            c,
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        ) {
            let _ = write!(quoted, "\\u{:04x}", u32::from(c));
        } else {
            quoted.push(c);
        }
    }
    quoted
}

/// The text as one word of a POSIX shell.
pub fn shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The text on one line, for a comment: what would end the comment is escaped.
pub fn comment(text: &str) -> String {
    crate::printable::printable(text).into_owned()
}

/// A path as text.
///
/// # Errors
/// When it is not UTF-8, which no text file can say.
pub fn path(path: &Path) -> Result<&str, ExportError> {
    path.to_str().ok_or_else(|| ExportError::Path {
        path: path.to_owned(),
        problem: "it is not UTF-8, which a trainer's file cannot say; rename it",
    })
}

/// A path as text for the library `datasets`, which takes the names of files for patterns, puts in variables of the
/// environment, and cuts at `::`.
///
/// # Errors
/// When it is not UTF-8 or has what is taken for more than a name.
pub fn unglobbed(file: &Path) -> Result<&str, ExportError> {
    let text = path(file)?;
    if text.contains(['*', '?', '[', '$']) || text.contains("::") {
        return Err(ExportError::Path {
            path: file.to_owned(),
            problem: "the library `datasets` takes *, ?, [, $ and :: in it for more than a name; rename it",
        });
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_yaml_takes_for_a_break_is_escaped() {
        assert_eq!(double("a\u{85}b\u{2028}\n"), r#""a\u0085b\u2028\n""#);
        assert_eq!(double("é \"#: %"), "\"é \\\"#: %\"");
        assert_eq!(
            serde_json::from_str::<String>(&double("\u{7f}\\")).unwrap(),
            "\u{7f}\\"
        );
    }

    #[test]
    fn a_shell_word_keeps_its_quotes() {
        assert_eq!(shell("it's $HOME"), r"'it'\''s $HOME'");
    }
}
