//! Two mixtures side by side, for the terminal.

use std::fmt::Write as _;

use super::{align, shown};
use crate::mix::{Comparison, DomainComparison};

/// A line per domain with both weights, the difference in percentage points and its interval, and what it all comes to.
/// Ends with a newline.
pub fn comparison_text(comparison: &Comparison) -> String {
    let with_intervals = comparison.domains.iter().any(|domain| domain.low.is_some());
    let mut header = vec!["domain", "first %", "second %", "diff"];
    if with_intervals {
        header.extend(["95 % interval", ""]);
    }
    let mut rows = vec![header.into_iter().map(str::to_owned).collect()];
    let row = |domain: &DomainComparison| {
        let mut cells = vec![
            shown(&domain.name),
            format!("{:.2}", 100.0 * domain.first),
            format!("{:.2}", 100.0 * domain.second),
            format!("{:+.2}", 100.0 * domain.difference),
        ];
        if with_intervals {
            cells.push(match (domain.low, domain.high) {
                (Some(low), Some(high)) => format!("{:+.2} to {:+.2}", 100.0 * low, 100.0 * high),
                _ => "-".to_owned(),
            });
            cells.push(match domain.is_real() {
                Some(true) => "changed".to_owned(),
                Some(false) => "within noise".to_owned(),
                None => String::new(),
            });
        }
        cells
    };
    rows.extend(comparison.domains.iter().map(row));
    let mut text = align(&rows, 1);
    let points = 100.0 * comparison.total_variation;
    let _ = write!(
        text,
        "\n{points:.2} % of the samples would be of another domain (total variation)"
    );
    if let Some(noise) = comparison.noise {
        let verdict = if comparison.total_variation > noise {
            "the mixture has changed"
        } else {
            "that may be noise"
        };
        let _ = write!(
            text,
            "; noise alone stays below {:.2} %: {verdict}",
            100.0 * noise
        );
    }
    text.push('\n');
    if let Some(correlation) = comparison.rank_correlation {
        let _ = writeln!(text, "rank correlation (Spearman) {correlation:.3}");
    }
    text.push_str(if comparison.paired {
        "Both were drawn again with the same rows, whose noise cancels in the differences.\n"
    } else if with_intervals {
        "The shards of both are not at hand: their intervals are taken as independent, which makes them too wide if both \
         used the same rows.\n"
    } else {
        "Neither says how sure it is, so nothing can be said about noise: solve the runs again.\n"
    });
    text
}
