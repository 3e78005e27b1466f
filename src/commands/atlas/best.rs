//! `madmix atlas best`: the mixture that is thought best, what is known of it, and what it costs.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::study;
use crate::atlas::analysis::Estimate;
use crate::atlas::study::{Best, Study};
use crate::commands::{Ending, terminal};
use crate::config::Goal;
use crate::printable::ascii_escaped;
use crate::report;
use crate::store::publish;

/// The report of a search, in the folder of its atlas.
const REPORT: &str = "report.html";

#[derive(Args)]
pub(super) struct Arguments {
    /// The TOML file that describes the run.
    config: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Ending> {
    let (study, _) = study(&arguments.config)?;
    conclude(&study, arguments.json)?;
    Ok(Ending::Done)
}

/// Finds the best mixture, writes it and the report down, and prints it.
pub(super) fn conclude(study: &Study, json: bool) -> Result<()> {
    let learnt = study.learnt()?;
    let best = study.best_of(&learnt)?;
    let folder = study.write_best(&best)?;
    let page = folder.with_file_name(REPORT);
    publish(
        &page,
        report::atlas_html(&study.analysis(&learnt, &best)?).as_bytes(),
    )?;
    terminal::print(if json {
        let mut json = serde_json::to_value(&best)?;
        json["cells"] = json!(study.spaces()[0].cells());
        json["intervals"] = intervals(&best);
        ascii_escaped(&serde_json::to_string_pretty(&json)?) + "\n"
    } else {
        described(study, &best)
    })?;
    tracing::info!(
        "wrote {}; `madmix export {0} --to TRAINER` writes it for a trainer",
        folder.display()
    );
    tracing::info!("the report is {}", page.display());
    Ok(())
}

/// The 90 % intervals, by what they are of.
fn intervals(best: &Best) -> Value {
    let of = |estimate: &Estimate| json!(estimate.interval());
    let differences: Vec<Value> = best
        .benchmarks
        .iter()
        .map(|pays| of(&pays.difference))
        .collect();
    let values: Vec<Value> = best.benchmarks.iter().map(|pays| of(&pays.best)).collect();
    json!({
        "level": 0.9,
        "score": of(&best.mixture.score),
        "gain": of(&best.mixture.gain),
        "best": values,
        "differences": differences,
    })
}

fn described(study: &Study, best: &Best) -> String {
    let mut text = mixture_table(study, best);
    let tried = match best.mixture.trial {
        Some(number) => format!("it was tried: trial {number}"),
        None => "no trial has tried it".to_owned(),
    };
    let more = format!(
        "\nscore {}; {tried}\nagainst today's mixture {}, better with a chance of {:.1} %; {:.1} % of the samples change place\n",
        plain(&best.mixture.score),
        signed(&best.mixture.gain),
        100.0 * best.mixture.beats_today,
        100.0 * best.distance,
    );
    text.push_str(&more);
    if best.added_up {
        text += "gains of concepts and of tasks are taken to add up, which no trial has tested\n";
    }
    if best.today_off > 1e-6 {
        let more = format!(
            "today's mixture is not in the space that is searched: it is compared with the nearest there, {:.1} % away\n",
            100.0 * best.today_off
        );
        text.push_str(&more);
    }
    let widened = best.benchmarks.iter().filter(|pays| pays.widened > 1.0);
    let widened: Vec<String> = widened
        .map(|pays| {
            let name = report::shown(&pays.benchmark.name);
            format!("{name} by {:.2}", pays.widened)
        })
        .collect();
    if !widened.is_empty() {
        let more = format!(
            "intervals said before the runs held fewer than nine in ten of them, so these are widened: {}\n",
            widened.join(", ")
        );
        text.push_str(&more);
    }
    text + "\n"
        + &benchmark_table(best)
        + &format!(
            "\nof {} finished runs; intervals are of 90 % and leave the noise of a run out\n",
            best.told
        )
}

fn mixture_table(study: &Study, best: &Best) -> String {
    let space = &study.spaces()[0];
    let mut rows = vec![
        ["cell", "best %", "today %", "diff"]
            .map(String::from)
            .to_vec(),
    ];
    for ((cell, weight), today) in space
        .cells()
        .iter()
        .zip(&best.mixture.weights)
        .zip(space.today())
    {
        rows.push(vec![
            report::shown(cell),
            format!("{:.2}", 100.0 * weight),
            format!("{:.2}", 100.0 * today),
            format!("{:+.2}", 100.0 * (weight - today)),
        ]);
    }
    report::align(&rows, 1)
}

fn benchmark_table(best: &Best) -> String {
    let header = ["benchmark", "goal", "best", "today", "difference", "better"];
    let mut rows = vec![header.map(String::from).to_vec()];
    for pays in &best.benchmarks {
        let goal = match pays.benchmark.goal {
            Goal::Max => "max",
            Goal::Min => "min",
        };
        rows.push(vec![
            report::shown(&pays.benchmark.name),
            goal.to_owned(),
            plain(&pays.best),
            plain(&pays.today),
            signed(&pays.difference),
            format!("{:.1} %", 100.0 * pays.better),
        ]);
    }
    report::align(&rows, 2)
}

fn plain(estimate: &Estimate) -> String {
    let (low, high) = estimate.interval();
    format!("{:.4} ({low:.4} – {high:.4})", estimate.mean)
}

fn signed(estimate: &Estimate) -> String {
    let (low, high) = estimate.interval();
    format!("{:+.4} ({low:+.4} – {high:+.4})", estimate.mean)
}
