//! A mixture as a plain-text table.

use crate::mix::{Mixture, MixtureDomain};
use crate::modality::Modality;

/// Longer names are cut, so that one name cannot push every column off the screen.
const LONGEST_NAME: usize = 40;
/// The name of the baseline that the table compares with.
const HUMAN: &str = "human";

/// The mixture as aligned text, one line per domain in the mixture's order: weight, today's share (`human`, scaled to
/// 100 %) and the difference in percentage points, the score per modality, and the number of rows.
///
/// Columns that no domain has are left out; a value that one domain lacks is `-`. Ends with a newline.
pub fn mixture_table(mixture: &Mixture) -> String {
    let human = mixture.baselines.get(HUMAN);
    let has_score = |modality: &Modality| {
        mixture
            .domains
            .iter()
            .any(|d| d.scores.contains_key(modality))
    };
    let scored: Vec<Modality> = Modality::ALL.into_iter().filter(has_score).collect();

    let mut header = vec!["domain".to_owned(), "weight %".to_owned()];
    if human.is_some() {
        header.extend(["human %".to_owned(), "diff".to_owned()]);
    }
    header.extend(scored.iter().map(|modality| format!("{modality} score")));
    header.push("size".to_owned());

    let mut rows = vec![header];
    for (i, domain) in mixture.domains.iter().enumerate() {
        rows.push(cells(domain, human.map(|human| human[i]), &scored));
    }
    align(&rows, 1)
}

fn cells(domain: &MixtureDomain, human: Option<f64>, scored: &[Modality]) -> Vec<String> {
    let mut cells = vec![shown(&domain.name), format!("{:.2}", 100.0 * domain.weight)];
    if let Some(human) = human {
        cells.push(format!("{:.2}", 100.0 * human));
        cells.push(format!("{:+.2}", 100.0 * (domain.weight - human)));
    }
    for modality in scored {
        cells.push(
            domain
                .scores
                .get(modality)
                .map_or("-".to_owned(), |score| format!("{score:.4}")),
        );
    }
    cells.push(domain.size.to_string());
    cells
}

/// A name of bounded length, without what would move the cursor.
pub(crate) fn shown(name: &str) -> String {
    let mut shown: String = name
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if let Some((end, _)) = shown.char_indices().nth(LONGEST_NAME) {
        let cut = shown[..end]
            .char_indices()
            .last()
            .map_or(0, |(last, _)| last);
        shown.truncate(cut);
        shown.push('…');
    }
    shown
}

/// Lines of columns as wide as their widest cell: the first `words` of them to the left, the others, numbers, to the
/// right.
pub(crate) fn align(rows: &[Vec<String>], words: usize) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let widest = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..columns).filter_map(widest).collect();
    let mut text = String::new();
    for row in rows {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            if column > 0 {
                text.push_str("  ");
            }
            let padded = if column < words {
                format!("{cell:<width$}")
            } else {
                format!("{cell:>width$}")
            };
            text.push_str(&padded);
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}
