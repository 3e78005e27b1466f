//! Columns of text for the terminal.

use super::width::{columns, cut};

/// Longer names are cut, so that one name cannot push every column off the screen.
const LONGEST_NAME: usize = 40;

/// A name of bounded length, without what would move the cursor.
pub(crate) fn shown(name: &str) -> String {
    shortened(name, LONGEST_NAME)
}

/// A name of at most so many columns, without what would move the cursor.
pub(super) fn shortened(name: &str, most: usize) -> String {
    let turns = |c| matches!(c, '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let clean = |c: char| {
        if c.is_control() || turns(c) {
            '\u{fffd}'
        } else {
            c
        }
    };
    cut(&name.chars().map(clean).collect::<String>(), most)
}

/// Lines of columns as wide as their widest cell: the first `words` of them to the left, the others, numbers, to the
/// right.
pub(crate) fn align(rows: &[Vec<String>], words: usize) -> String {
    let count = rows.first().map_or(0, Vec::len);
    let widest = |column: usize| rows.iter().map(|row| columns(&row[column])).max();
    let widths: Vec<usize> = (0..count).filter_map(widest).collect();
    let mut text = String::new();
    for row in rows {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            if column > 0 {
                text.push_str("  ");
            }
            let padding = " ".repeat(width - columns(cell));
            let (before, after) = if column < words {
                ("", padding.as_str())
            } else {
                (padding.as_str(), "")
            };
            text.extend([before, cell, after]);
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}
