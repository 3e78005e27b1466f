//! How many columns text takes in a terminal, and text cut to a number of them.

/// The columns of a text: 2 for East Asian and pictographic characters, 0 for marks that sit on the one before.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

/// The text, or as much of it as fits into so many columns with an ellipsis.
pub(super) fn cut(text: &str, most: usize) -> String {
    if columns(text) <= most {
        return text.to_owned();
    }
    let mut used = 1;
    let fits = |c: &char| {
        used += columns_of(*c);
        used <= most
    };
    let mut cut: String = text.chars().take_while(fits).collect();
    cut.truncate(cut.trim_end().len());
    cut.push('…');
    cut
}

/// The blocks of Unicode that matter here; exact tables are not worth a dependency for aligning names.
fn columns_of(c: char) -> usize {
    match u32::from(c) {
        0x0300..=0x036F
        | 0x1AB0..=0x1AFF
        | 0x1DC0..=0x1DFF
        | 0x200B..=0x200F
        | 0x20D0..=0x20FF
        | 0xFE00..=0xFE0F
        | 0xFE20..=0xFE2F => 0,
        0x1100..=0x115F
        | 0x2E80..=0x303E
        | 0x3041..=0xA4CF
        | 0xA960..=0xA97C
        | 0xAC00..=0xD7A3
        | 0xF900..=0xFAFF
        | 0xFE30..=0xFE6F
        | 0xFF00..=0xFF60
        | 0xFFE0..=0xFFE6
        | 0x1F300..=0x1F64F
        | 0x1F680..=0x1F6FF
        | 0x1F900..=0x1F9FF
        | 0x20000..=0x3FFFD => 2,
        _ => 1,
    }
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
