//! Whether what was predicted came true.

use crate::atlas::analysis::{Analysis, BenchmarkFit, Fitted, bands, ranks};
use crate::report::html::markup::{Tag, tag};
use crate::report::html::number::{MISSING, decimal, percent, significant};
use crate::report::html::parts::{Section, Sign, details, figure, legend, note, scroll};
use crate::report::html::svg::About;
use crate::report::html::svg::plot::{Dot, Plot, Series};
use crate::report::html::table::{Cell, Column, Table};

/// Benchmarks that are drawn; the table has all.
const DRAWN: usize = 12;

pub(super) fn section(analysis: &Analysis) -> Result<Section, String> {
    let fits: Vec<(usize, &BenchmarkFit)> = analysis
        .benchmarks
        .iter()
        .enumerate()
        .filter(|(_, fit)| fit.runs.len() > 1)
        .collect();
    if fits.is_empty() {
        return Err("Predicted against observed: there are too few runs.".to_owned());
    }
    let drawn = fits.iter().take(DRAWN).map(|(i, fit)| drawing(*i, fit));
    let mut body = vec![
        note(
            "Each point is a run: what came of it, and what was expected with its 90\u{a0}% interval, the noise of a run \
             included. Of points on the dashed line both are equal. Blue points were predicted before they were run, the \
             others from runs that they are not among.",
        ),
        legend([
            (Sign::Box("c0 swatch"), "predicted before the run"),
            (Sign::Box("c1 swatch"), "predicted from other runs"),
        ]),
        tag("div").set("class", "plots").extend(drawn),
        calibration(&fits).element(),
        note(
            "Where intervals are right, nine in ten runs lie within the 90\u{a0}% interval. With few runs the shares \
             jump: of 20 runs 16 to 20 are no surprise.",
        ),
    ];
    if fits.len() > DRAWN {
        body.push(note(&format!("The figures show the first {DRAWN}.")));
    }
    body.push(details("Every prediction", [every(&fits)]));
    Ok(Section {
        id: "fit",
        title: "Predicted against observed",
        body,
    })
}

fn drawing(i: usize, fit: &BenchmarkFit) -> Tag {
    let dot = |run: &Fitted| Dot {
        class: if run.ahead { "c0" } else { "c1" },
        x: run.observed,
        y: run.expected.mean,
        whisker: Some(run.expected.interval()),
        title: format!(
            "trial {}: observed {}, expected {}",
            run.trial,
            significant(run.observed),
            significant(run.expected.mean)
        ),
    };
    let plot = Plot {
        width: 300.0,
        height: 240.0,
        x_title: "observed",
        y_title: "expected",
        diagonal: true,
        series: vec![Series::Dots {
            dots: fit.runs.iter().map(dot).collect(),
        }],
    };
    let name = &fit.benchmark.name;
    let about = About {
        id: &format!("fit-{i}"),
        title: name,
        description: "Expected against observed, a point for each run.",
    };
    let number: &dyn Fn(f64) -> String = &significant;
    figure(
        name,
        None,
        scroll(name, plot.draw(&about, [number, number])),
    )
}

fn calibration(fits: &[(usize, &BenchmarkFit)]) -> Table {
    let levels = bands(&fits[0].1.runs);
    let mut columns = vec![
        Column::Words("Benchmark".to_owned()),
        Column::Number("Runs".to_owned()),
        Column::Number("Rank correlation".to_owned()),
    ];
    columns.extend(
        levels.iter().map(|band| {
            Column::Number(format!("within {}\u{a0}%", decimal(100.0 * band.level, 0)))
        }),
    );
    let row = |(_, fit): &(usize, &BenchmarkFit)| {
        let mut row = vec![
            Cell::Name(fit.benchmark.name.clone()),
            Cell::Number(fit.runs.len().to_string()),
            Cell::number(ranks(&fit.runs).map(|rho| decimal(rho, 3))),
        ];
        let holds = bands(&fit.runs);
        row.extend(
            holds
                .iter()
                .map(|band| Cell::Number(format!("{}\u{a0}%", percent(band.holds)))),
        );
        row
    };
    Table {
        caption: "How many runs lie within their intervals".to_owned(),
        columns,
        rows: fits.iter().map(row).collect(),
    }
}

fn every(fits: &[(usize, &BenchmarkFit)]) -> Tag {
    let titles = ["Trial", "Observed", "Expected", "90\u{a0}% interval"];
    let mut columns = vec![Column::Words("Benchmark".to_owned())];
    columns.extend(titles.map(|title| Column::Number(title.to_owned())));
    columns.push(Column::Words("Said".to_owned()));
    let row = |name: &str, run: &Fitted| {
        let (low, high) = run.expected.interval();
        vec![
            Cell::Name(name.to_owned()),
            Cell::Number(run.trial.to_string()),
            Cell::Number(significant(run.observed)),
            Cell::Number(significant(run.expected.mean)),
            Cell::Number(if low.is_finite() {
                format!("{} – {}", significant(low), significant(high))
            } else {
                MISSING.to_owned()
            }),
            Cell::Words(
                if run.ahead {
                    "before"
                } else {
                    "from other runs"
                }
                .to_owned(),
            ),
        ]
    };
    let rows = fits.iter().flat_map(|(_, fit)| {
        let name = &fit.benchmark.name;
        fit.runs.iter().map(move |run| row(name, run))
    });
    Table {
        caption: "Every prediction".to_owned(),
        columns,
        rows: rows.collect(),
    }
    .element()
}
