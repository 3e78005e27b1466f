//! What each benchmark gains or pays.

use crate::atlas::analysis::{Analysis, BenchmarkFit};
use crate::config::Goal;
use crate::report::compare::Noise;
use crate::report::html::number::{decimal, significant};
use crate::report::html::parts::{Section, note};
use crate::report::html::table::{Cell, Column, Table};

pub(super) fn section(analysis: &Analysis) -> Result<Section, String> {
    if analysis.benchmarks.is_empty() {
        return Err("What each benchmark pays: there is none.".to_owned());
    }
    let number = |title: &str| Column::Number(title.to_owned());
    let row = |fit: &BenchmarkFit| {
        let (low, high) = fit.pays.interval();
        let noise = if low > 0.0 || high < 0.0 {
            Noise::Beyond
        } else {
            Noise::Within
        };
        vec![
            Cell::Name(fit.benchmark.name.clone()),
            Cell::Words(match fit.benchmark.goal {
                Goal::Max => "more".to_owned(),
                Goal::Min => "less".to_owned(),
            }),
            Cell::Number(significant(fit.benchmark.weight)),
            Cell::Number(significant(fit.pays.mean)),
            Cell::Number(format!("{} – {}", significant(low), significant(high))),
            Cell::Noise(Some(noise)),
            Cell::Number(significant(fit.noise)),
        ]
    };
    let table = Table {
        caption: "The mixture against today’s, by benchmark".to_owned(),
        columns: vec![
            Column::Words("Benchmark".to_owned()),
            Column::Words("Better is".to_owned()),
            number("Weight"),
            number("Difference"),
            number("90\u{a0}% interval"),
            Column::Words("Difference is".to_owned()),
            number("Noise of a run"),
        ],
        rows: analysis.benchmarks.iter().map(row).collect(),
    };
    let mut body = vec![
        table.element(),
        note(
            "Predicted differences in the benchmark’s own units. The noise is that of one run, as it was learnt: two \
             runs of one mixture differ by some 1.4 times as much.",
        ),
    ];
    let widened = analysis.benchmarks.iter().filter(|fit| fit.widened > 1.0);
    let widened: Vec<String> = widened
        .map(|fit| format!("{} by {}", fit.benchmark.name, decimal(fit.widened, 2)))
        .collect();
    if !widened.is_empty() {
        body.push(note(&format!(
            "Intervals that were said before the runs held fewer than nine in ten of them, so those here are widened: {}. \
             Those that are said before a run, further down, are as they were.",
            widened.join(", ")
        )));
    }
    Ok(Section {
        id: "pays",
        title: "What each benchmark gains or pays",
        body,
    })
}
