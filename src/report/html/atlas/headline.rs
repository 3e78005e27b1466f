//! What was found, in a paragraph.

use crate::atlas::Outcome;
use crate::atlas::analysis::Analysis;
use crate::report::html::markup::{Tag, tag};
use crate::report::html::number::{counted, decimal};
use crate::report::html::parts::note;

/// The paragraph, and one that says what a score is.
pub(super) fn headline(analysis: &Analysis) -> Vec<Tag> {
    let strong = |text: String| tag("strong").text(text);
    let told = |outcome: &&Option<Outcome>| matches!(outcome, Some(Outcome::Told(_)));
    let failed = |outcome: &&Option<Outcome>| matches!(outcome, Some(Outcome::Failed(_)));
    let outcomes = || analysis.trials.iter().map(|trial| &trial.outcome);
    let runs = outcomes().filter(told).count() as u64;
    let failures = outcomes().filter(failed).count() as u64;
    let best = &analysis.best;
    let chance = |p: f64| format!("{}\u{a0}%", decimal(100.0 * p, 0));
    let mut text = tag("p")
        .set("class", "headline")
        .text("From ")
        .push(strong(counted(runs, "proxy run", "proxy runs")))
        .text(match failures {
            0 => String::new(),
            failures => format!(" ({failures} more failed)"),
        })
        .text(" over ")
        .push(strong(counted(
            analysis.grid.cells.len() as u64,
            "cell",
            "cells",
        )))
        .text(". The mixture below beats today’s with a probability of ")
        .push(strong(chance(best.beats_today)));
    let (low, high) = best.gain.interval();
    text = text.text(format!(
        "; its score is {} above it (90\u{a0}% interval {} – {}). ",
        decimal(best.gain.mean, 2),
        decimal(low, 2),
        decimal(high, 2)
    ));
    text = text.text(match best.trial {
        Some(trial) => format!("Trial {trial} tried it."),
        None => "No trial has tried it yet: run it before you train on it.".to_owned(),
    });
    vec![
        text,
        note(
            "A score joins the benchmarks, each in standard deviations of its runs, more being better. It says what small \
             proxy runs say: whether a large model would agree is not known here.",
        ),
    ]
}
