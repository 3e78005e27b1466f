//! The scores per modality as bars beside each other.

use super::context::Context;
use super::domains::capital;
use super::number::decimal;
use super::parts::{self, Section, details, figure, legend, note};
use super::svg::bars::{Row, Sign, chart};
use super::table::{Cell, Column, Table};
use crate::mix::{MadMix, Mixture, MixtureDomain};
use crate::modality::Modality;
use crate::report::table::scored;

pub(super) fn section(context: &Context) -> Result<Section, String> {
    let modalities = scored(context.mixture);
    if modalities.is_empty() {
        let method = &context.mixture.method;
        return Err(format!("Scores by modality: the method {method} has none."));
    }
    let rows: Vec<Row> = context.drawn().map(|(_, domain)| row(domain)).collect();
    let signs = modalities
        .iter()
        .map(|m| (parts::Sign::Box(m.name()), m.name()));
    let drawing = chart("score", &rows, "score", |tick| decimal(tick, 2));
    let table = Table {
        caption: "Scores of the domains".to_owned(),
        columns: columns(&modalities),
        rows: context
            .drawn()
            .map(|(_, domain)| cells(domain, &modalities))
            .collect(),
    };
    let mut body = vec![
        note(explanation(context.mixture)),
        figure("Scores by modality", Some(legend(signs)), drawing),
        details("The scores as a table", [table.element()]),
    ];
    body.extend(context.of_all().as_deref().map(note));
    Ok(Section {
        id: "scores",
        title: "Scores by modality",
        body,
    })
}

fn explanation(mixture: &Mixture) -> &'static str {
    if mixture.method == MadMix::NAME && mixture.settings.hold.is_empty() {
        "A domain’s weight grows with the sum of its scores, the upright stroke: the softmax of the sums gives the weights. \
         Scores below 0 count against the domain, and stand to the left."
    } else {
        "What the method makes the weights of. The upright stroke is the sum; scores below 0 stand to the left."
    }
}

fn total(domain: &MixtureDomain) -> f64 {
    domain.scores.values().sum()
}

fn row(domain: &MixtureDomain) -> Row<'_> {
    let scores = domain.scores.iter();
    let said: Vec<String> = scores
        .clone()
        .map(|(modality, score)| format!("{modality} {}", decimal(*score, 4)))
        .collect();
    let total = total(domain);
    Row {
        name: &domain.name,
        value: decimal(total, 4),
        description: format!("{}, in all {}", said.join(", "), decimal(total, 4)),
        bars: scores
            .map(|(modality, score)| (modality.name(), *score))
            .collect(),
        signs: vec![Sign::Total(total)],
    }
}

fn columns(modalities: &[Modality]) -> Vec<Column> {
    let mut columns = vec![Column::Words("Domain".to_owned())];
    columns.extend(
        modalities
            .iter()
            .map(|m| Column::Number(capital(*m).to_owned())),
    );
    columns.extend(["Sum", "α"].map(|title| Column::Number(title.to_owned())));
    columns
}

fn cells(domain: &MixtureDomain, modalities: &[Modality]) -> Vec<Cell> {
    let number = |value: Option<f64>| Cell::number(value.map(|value| decimal(value, 4)));
    let mut cells = vec![Cell::Name(domain.name.clone())];
    let score = |modality| domain.scores.get(modality).copied();
    cells.extend(modalities.iter().map(|modality| number(score(modality))));
    cells.extend([number(Some(total(domain))), number(domain.alpha)]);
    cells
}
