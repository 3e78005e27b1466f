//! How many columns text takes in a terminal, and text cut to a number of them.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The columns of a text: 2 for East Asian and pictographic characters, 0 for marks that sit on the one before.
pub(super) fn columns(text: &str) -> usize {
    text.width()
}

/// The text, or as much of it as fits into so many columns with an ellipsis.
pub(super) fn cut(text: &str, most: usize) -> String {
    if columns(text) <= most {
        return text.to_owned();
    }
    let mut used = 1;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used <= most
    };
    let mut cut: String = text.chars().take_while(fits).collect();
    cut.truncate(cut.trim_end().len());
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_and_marks_count_as_a_terminal_shows_them() {
        assert_eq!(
            ["a", "café", "cafe\u{301}", "図表", "ｱ", "🎬"].map(columns),
            [1, 4, 4, 4, 1, 2]
        );
    }

    #[test]
    fn a_cut_text_fits() {
        assert_eq!(cut("図表図表", 8), "図表図表");
        assert_eq!(cut("図表図表", 7), "図表図…");
        assert_eq!(cut("図表図表", 6), "図表…");
        assert_eq!(cut("a bcd", 3), "a…");
    }
}
