//! How far the search came, run by run.

use crate::atlas::analysis::Analysis;
use crate::report::html::number::decimal;
use crate::report::html::parts::{Section, Sign, figure, legend, note, scroll};
use crate::report::html::svg::About;
use crate::report::html::svg::plot::{Dot, Plot, Series};

pub(super) fn section(analysis: &Analysis) -> Result<Section, String> {
    let scored = analysis.trials.iter().zip(&analysis.scores);
    let scored: Vec<(u32, &str, f64)> = scored
        .filter_map(|(trial, score)| Some((trial.number, trial.by.as_str(), (*score)?)))
        .collect();
    let Some(most) = scored.iter().map(|run| run.2).reduce(f64::max) else {
        return Err("Regret over runs: no run was told.".to_owned());
    };
    let best = most.max(analysis.best.score.mean);
    let mut so_far = f64::NEG_INFINITY;
    let mut steps: Vec<(f64, f64)> = Vec::new();
    for (i, (_, _, score)) in scored.iter().enumerate() {
        let before = steps.last().map(|step| step.1);
        so_far = so_far.max(*score);
        let x = (i + 1) as f64;
        // A step, not a slope: nothing is known between runs.
        steps.extend(before.map(|regret| (x, regret)));
        steps.push((x, best - so_far));
    }
    let dots = scored
        .iter()
        .enumerate()
        .map(|(i, (number, by, score))| Dot {
            class: if *by == "design" { "c6" } else { "c0" },
            x: (i + 1) as f64,
            y: best - score,
            whisker: None,
            title: format!(
                "trial {number} ({by}): {} below the best",
                decimal(best - score, 3)
            ),
        });
    let plot = Plot {
        width: 640.0,
        height: 260.0,
        x_title: "runs",
        y_title: "score below the best mixture’s",
        diagonal: false,
        series: vec![
            Series::Line {
                class: "c1",
                points: steps,
            },
            Series::Dots {
                dots: dots.collect(),
            },
        ],
    };
    let about = About {
        id: "regret-plot",
        title: "Regret over runs",
        description: "A point for each run, and a line for the best so far: how far the score is below the best.",
    };
    let whole = |x: f64| decimal(x, 0);
    let two = |x: f64| decimal(x, 2);
    let drawing = plot.draw(&about, [&whole, &two]);
    let signs = legend([
        (Sign::Box("c6 swatch"), "a run of the initial design"),
        (
            Sign::Box("c0 swatch"),
            "a run that the search chose, or was told of",
        ),
        (Sign::Box("c1 swatch"), "the best so far"),
    ]);
    Ok(Section {
        id: "regret",
        title: "Regret over runs",
        body: vec![
            note(
                "The best is the largest score that was seen or, if it is larger, the one expected of the mixture above. \
                 Where the line has been flat for long, further runs will hardly pay.",
            ),
            figure(
                "How far from the best",
                Some(signs),
                scroll("Regret over runs", drawing),
            ),
        ],
    })
}
