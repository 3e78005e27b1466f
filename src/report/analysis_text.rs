//! What moves the weights, as plain text.

use std::fmt::Write as _;

use super::align::{align, shortened, shown};
use super::compare::{Noise, Shift, influences, layers};
use crate::mix::{Analysis, Mixture};

/// Domains that have a column in the λ path: more do not fit on a screen.
const COLUMNS: usize = 6;
/// Columns of a domain's name above its weights.
const LONGEST_HEADING: usize = 16;
/// Influences of datasets that are listed.
const DATASETS: usize = 5;

/// What moves the weights of a mixture, for a terminal: the weights for other λ, the datasets and modalities that matter
/// most, and the other layers, each with the largest difference it makes and whether that is more than noise.
///
/// Parts that the analysis does not have are left out; empty where it has none. Parts are separated by an empty line,
/// and each ends with a newline.
pub fn analysis_text(mixture: &Mixture, analysis: &Analysis) -> String {
    let datasets = influences(mixture, &analysis.without_dataset);
    let left = datasets.len().saturating_sub(DATASETS);
    let mut without_dataset = shifts(
        mixture,
        "without dataset",
        &datasets[..datasets.len() - left],
    );
    if left > 0 {
        let _ = writeln!(without_dataset, "and {left} more that matter less");
    }
    let parts = [
        lambda_path(mixture, analysis),
        without_dataset,
        shifts(
            mixture,
            "without modality",
            &influences(mixture, &analysis.without_modality),
        ),
        shifts(mixture, "with layer", &layers(mixture, &analysis.layers)),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("\n")
}

/// A line per power of ten from the λ in use.
fn lambda_path(mixture: &Mixture, analysis: &Analysis) -> String {
    let k = mixture.domains.len();
    let mut heaviest: Vec<usize> = (0..k).collect();
    heaviest.sort_by(|&a, &b| {
        mixture.domains[b]
            .weight
            .total_cmp(&mixture.domains[a].weight)
    });
    heaviest.truncate(COLUMNS);
    heaviest.sort_unstable();

    let in_use = |lambda: f64| mixture.lambda.is_some_and(|used| same(lambda, used));
    let from = mixture.lambda.unwrap_or(1.0);
    let decade = |lambda: f64| same(lambda / from, 10_f64.powf((lambda / from).log10().round()));
    let heading = |&i: &usize| shortened(&mixture.domains[i].name, LONGEST_HEADING);
    let mut rows = vec![vec!["weight % for λ".to_owned()]];
    rows[0].extend(heaviest.iter().map(heading));
    for point in &analysis.lambda_path {
        if point.weights.len() == k && (in_use(point.lambda) || decade(point.lambda)) {
            let mark = if in_use(point.lambda) {
                " (in use)"
            } else {
                ""
            };
            let mut row = vec![format!("{}{mark}", rounded(point.lambda))];
            row.extend(
                heaviest
                    .iter()
                    .map(|&i| format!("{:.2}", 100.0 * point.weights[i])),
            );
            rows.push(row);
        }
    }
    if rows.len() == 1 {
        return String::new();
    }
    let mut text = align(&rows, 1);
    if k > COLUMNS {
        let _ = writeln!(text, "of the {COLUMNS} heaviest of {k} domains");
    }
    text
}

/// Whether two λ are one, however they were computed.
fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

/// Without what a logarithm leaves behind in the last digits.
fn rounded(lambda: f64) -> f64 {
    format!("{lambda:.9e}").parse().unwrap_or(lambda)
}

fn shifts(mixture: &Mixture, title: &str, shifts: &[Shift]) -> String {
    if shifts.is_empty() {
        return String::new();
    }
    let heading = [title, "domain moved most", "", "points"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    rows.extend(shifts.iter().map(|shift| {
        let empty = |why: &str| {
            vec![
                shown(shift.name),
                why.to_owned(),
                String::new(),
                "-".to_owned(),
            ]
        };
        if shift.in_use {
            return empty("in use");
        }
        let Some(found) = shift.largest else {
            return empty("no weights then");
        };
        let noise = match found.noise {
            Some(Noise::Within) => "within noise",
            Some(Noise::Beyond) => "beyond noise",
            None => "",
        };
        vec![
            shown(shift.name),
            shown(&mixture.domains[found.domain].name),
            noise.to_owned(),
            format!("{:+.2}", 100.0 * found.difference),
        ]
    }));
    align(&rows, 3)
}
