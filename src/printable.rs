//! Text that others wrote, made fit for a terminal: a sample's id may hold escape sequences that move the cursor, and
//! line breaks that forge messages. Files keep it exact.

use std::borrow::Cow;

/// The text with everything escaped that does not print: control characters, line breaks, and marks that turn the
/// direction of writing.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, |_| false)
}

/// As [`printable`], but with its line breaks.
pub(crate) fn printable_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c == '\n')
}

/// JSON whose strings hold nothing that a terminal obeys, and mean the same.
pub(crate) fn ascii_escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && (c.is_control() || turns_or_breaks(c)) {
            // All of them are in the first plane.
            out += &format!("\\u{:04x}", c as u32);
        } else {
            out.push(c);
        }
    }
    out
}

fn escaped(text: &str, keep: impl Fn(char) -> bool) -> Cow<'_, str> {
    let wild = |c: char| !keep(c) && (c.is_control() || turns_or_breaks(c));
    if !text.contains(wild) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if wild(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

fn turns_or_breaks(c: char) -> bool {
    matches!(c, '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_print_is_escaped() {
        assert_eq!(printable("café 図\\"), "café 図\\");
        assert!(matches!(printable("plain"), Cow::Borrowed(_)));
        assert_eq!(
            printable("\u{1b}[31ma\r\nb\u{7}\u{9b}c\u{202e}d"),
            "\\u{1b}[31ma\\r\\nb\\u{7}\\u{9b}c\\u{202e}d"
        );
        assert_eq!(printable_lines("a\nb\r"), "a\nb\\r");
    }
}
