//! A mixture as a plain-text table.

use super::align::{align, shown};
use super::compare::{HUMAN, Noise, baseline, interval, interval_name, noise};
use crate::mix::{Mixture, MixtureDomain};
use crate::modality::Modality;

/// What stands where a domain lacks a value.
const MISSING: &str = "-";

/// The mixture as aligned text, one line per domain in the mixture's order: weight and its interval, today's share
/// (`human`, scaled to 100 %) and the difference in percentage points, the score per modality, and the number of rows. A
/// difference that is more than noise, today's share lying outside the interval, has a star, and a last line says so.
///
/// Columns that no domain has are left out; a value that one domain lacks is `-`. Ends with a newline.
pub fn mixture_table(mixture: &Mixture) -> String {
    let columns = Columns {
        intervals: mixture.domains.iter().any(|d| interval(d).is_some()),
        human: baseline(mixture, HUMAN),
        scored: scored(mixture),
    };
    let mut rows = vec![columns.header(mixture)];
    for (i, domain) in mixture.domains.iter().enumerate() {
        rows.push(columns.cells(domain, i));
    }
    let mut text = align(&rows, 1);
    let mut pairs = mixture.domains.iter().zip(columns.human.unwrap_or(&[]));
    if pairs.any(|(domain, human)| noise(domain, *human) == Some(Noise::Beyond)) {
        text.push_str("* the human share lies outside the interval\n");
    }
    text
}

/// The modalities in which a domain has a score.
pub(super) fn scored(mixture: &Mixture) -> Vec<Modality> {
    let has = |modality: &Modality| {
        mixture
            .domains
            .iter()
            .any(|d| d.scores.contains_key(modality))
    };
    Modality::ALL.into_iter().filter(has).collect()
}

/// The columns that are shown.
struct Columns<'a> {
    intervals: bool,
    human: Option<&'a [f64]>,
    scored: Vec<Modality>,
}

impl Columns<'_> {
    fn header(&self, mixture: &Mixture) -> Vec<String> {
        let mut header = vec!["domain".to_owned(), "weight %".to_owned()];
        if self.intervals {
            header.push(interval_name(mixture));
        }
        if self.human.is_some() {
            // Stars stand to the right of the numbers.
            let diff = if self.intervals { "diff " } else { "diff" };
            header.extend(["human %".to_owned(), diff.to_owned()]);
        }
        header.extend(
            self.scored
                .iter()
                .map(|modality| format!("{modality} score")),
        );
        header.push("size".to_owned());
        header
    }

    fn cells(&self, domain: &MixtureDomain, index: usize) -> Vec<String> {
        let percent = |share: f64| format!("{:.2}", 100.0 * share);
        let mut cells = vec![shown(&domain.name), percent(domain.weight)];
        if self.intervals {
            let ends = |(low, high)| format!("{} – {:>5}", percent(low), percent(high));
            cells.push(interval(domain).map_or(MISSING.to_owned(), ends));
        }
        if let Some(human) = self.human {
            let human = human[index];
            let mark = match noise(domain, human) {
                Some(Noise::Beyond) => "*",
                _ if self.intervals => " ",
                _ => "",
            };
            cells.push(percent(human));
            cells.push(format!("{:+.2}{mark}", 100.0 * (domain.weight - human)));
        }
        for modality in &self.scored {
            let score = domain.scores.get(modality);
            cells.push(score.map_or(MISSING.to_owned(), |score| format!("{score:.4}")));
        }
        cells.push(domain.size.to_string());
        cells
    }
}
