//! Who outranks whom, and how surely.

use super::context::{Context, FIGURE};
use super::name::short;
use super::number::{count, decimal};
use super::parts::{Section, figure, note, scroll};
use super::svg::About;
use super::svg::heat::{Cell, Shade, map};

pub(super) fn section(context: &Context) -> Result<Section, String> {
    let k = context.k();
    let left_out = |reason: &str| Err(format!("Who outranks whom: {reason}"));
    let found = context.mixture.uncertainty.as_ref();
    let Some(outranks) = found.and_then(|found| found.outranks.as_ref()) else {
        return left_out("it was not kept, or the samples were not drawn again.");
    };
    if k > FIGURE {
        let k = count(k as u64);
        return left_out(&format!(
            "with {k} domains it would not be readable; mixture.json has it."
        ));
    }
    if outranks.len() != k || outranks.iter().any(|row| row.len() != k) || k < 2 {
        return left_out("it takes two domains.");
    }
    let names: Vec<&str> = context
        .mixture
        .domains
        .iter()
        .map(|d| d.name.as_str())
        .collect();
    let cell = |row: usize, column: usize| {
        let [this, other] = [row, column].map(|i| short(names[i], 30));
        if row == column {
            return Cell {
                shade: Shade::Blank,
                lines: Vec::new(),
                title: this,
            };
        }
        let probability = outranks[row][column];
        let percent = decimal(100.0 * probability, 0);
        Cell {
            shade: Shade::Between(probability),
            lines: vec![percent.clone()],
            title: format!("{this} outweighs {other} with {percent} %"),
        }
    };
    let about = About {
        id: "outranks-map",
        title: "Who outranks whom",
        description: "For each pair of domains the probability in percent that the domain of the row has the larger \
                      weight.",
    };
    let drawing = scroll(
        "Who outranks whom",
        map(&about, [&names, &names], 'd', cell),
    );
    let explanation = note(
        "How often, in percent, the domain of the row outweighs that of the column when the samples are drawn again. Near \
         50 the samples do not tell the two apart; blue is above, orange below.",
    );
    Ok(Section {
        id: "outranks",
        title: "Who outranks whom",
        body: vec![
            explanation,
            figure(
                "Probability in % that the row outweighs the column",
                None,
                drawing,
            ),
        ],
    })
}
