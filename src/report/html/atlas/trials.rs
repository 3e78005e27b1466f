//! Every trial.

use crate::atlas::Outcome;
use crate::atlas::analysis::Analysis;
use crate::report::html::number::{decimal, significant};
use crate::report::html::parts::Section;
use crate::report::html::table::{Cell, Column, Table};

/// Trials that are shown at once.
const SHOWN: usize = 60;

pub(super) fn section(analysis: &Analysis) -> Section {
    let names: Vec<&String> = analysis
        .benchmarks
        .iter()
        .map(|fit| &fit.benchmark.name)
        .collect();
    let mut columns = vec![
        Column::Number("Trial".to_owned()),
        Column::Words("Chosen by".to_owned()),
        Column::Number("Score".to_owned()),
    ];
    columns.extend(names.iter().map(|name| Column::Domain((*name).clone())));
    columns.push(Column::Words("Came of it".to_owned()));
    let rows = analysis.trials.iter().zip(&analysis.scores);
    let rows = rows.map(|(trial, score)| {
        let mut row = vec![
            Cell::Key(trial.number.to_string()),
            Cell::Words(trial.by.clone()),
            Cell::number(score.map(|score| decimal(score, 2))),
        ];
        let metric = |name: &&String| match &trial.outcome {
            Some(Outcome::Told(metrics)) => metrics.get(*name).copied().map(significant),
            _ => None,
        };
        row.extend(names.iter().map(|name| Cell::number(metric(name))));
        row.push(match &trial.outcome {
            None => Cell::Words("not told yet".to_owned()),
            Some(Outcome::Told(_)) => Cell::Words("metrics".to_owned()),
            Some(Outcome::Failed(reason)) => Cell::OtherName(format!("failed: {reason}")),
        });
        row
    });
    let table = Table {
        caption: "Trials, in the order in which they were proposed".to_owned(),
        columns,
        rows: rows.collect(),
    };
    Section {
        id: "trials",
        title: "Trials",
        body: table.folded(SHOWN),
    }
}
