//! What a person sees of a search: a bar with the best run so far, and a line for each that is told.

use std::sync::Mutex;

use indicatif::ProgressBar;

use crate::atlas::runner::{Event, RUN, Trials as _};
use crate::atlas::study::Study;
use crate::atlas::{Outcome, Trial};
use crate::commands::terminal;
use crate::config::Benchmark;
use crate::printable::printable;

/// How many benchmarks are shown of a run.
const SHOWN: usize = 4;

/// Shows a search.
pub(super) struct Progress<'a> {
    study: &'a Study,
    until: u32,
    bar: ProgressBar,
    /// The best run that was shown.
    best: Mutex<Option<u32>>,
}

impl<'a> Progress<'a> {
    pub(super) fn new(study: &'a Study, until: u32) -> Self {
        let progress = Self {
            study,
            until,
            bar: terminal::bar("trying mixtures", u64::from(until), false),
            best: Mutex::default(),
        };
        progress.show();
        progress
    }

    pub(super) fn hear(&self, event: Event<'_>) {
        match event {
            Event::Started(trial, device) => {
                let on = device
                    .map(|device| format!(" on {device}"))
                    .unwrap_or_default();
                tracing::debug!("trial {}{on}", trial.number);
            }
            Event::Told(trial, outcome) => self.told(trial, outcome),
            Event::Left(trial, reason) => {
                tracing::warn!(
                    "trial {} is left alone: {}",
                    trial.number,
                    printable(reason)
                );
            }
            Event::Waiting(others) => tracing::info!(
                "{others} trials are with other processes; waiting for what comes of them"
            ),
        }
    }

    fn told(&self, trial: &Trial, outcome: &Outcome) {
        let number = trial.number;
        match outcome {
            Outcome::Told(metrics) => {
                let shown = self.study.benchmarks().iter().take(SHOWN);
                let values: Vec<String> = shown
                    .filter_map(|Benchmark { name, .. }| {
                        Some(format!("{} {:.4}", printable(name), metrics.get(name)?))
                    })
                    .collect();
                tracing::info!("trial {number}: {}", values.join(", "));
            }
            Outcome::Failed(reason) => {
                let folder = self.study.trial_folder(number).join(RUN);
                tracing::warn!(
                    "trial {number} failed: {} ({})",
                    reason
                        .lines()
                        .map(printable)
                        .collect::<Vec<_>>()
                        .join(" | "),
                    folder.display()
                );
            }
        }
        self.show();
    }

    fn show(&self) {
        // It is only to look at.
        let Ok(trials) = self.study.trials() else {
            return;
        };
        let told = trials
            .iter()
            .filter(|trial| trial.outcome.is_some())
            .count();
        self.bar.set_position(told as u64);
        let Ok(scores) = self.study.scores(&trials) else {
            return;
        };
        let scored = trials.iter().zip(scores);
        let best = scored
            .filter_map(|(trial, score)| Some((trial, score?)))
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .map(|(trial, _)| trial.number);
        let Ok(mut shown) = self.best.lock() else {
            return;
        };
        if let Some(number) = best
            && *shown != best
        {
            self.bar
                .set_prefix(format!("trying mixtures (best so far: trial {number})"));
            if shown.is_some() {
                tracing::info!(
                    "the best so far is trial {number}, of {told} of {}",
                    self.until
                );
            }
            *shown = best;
        }
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
