//! `madmix atlas replay`: searches over a table of finished runs, side by side.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::atlas::replay::{Replay, Replayed, Strategy, Table};
use crate::atlas::search::{ACQUISITIONS, Rule, rule};
use crate::atlas::surrogate::SURROGATES;
use crate::commands::{Ending, Usage, terminal, usage};
use crate::config::Goal;
use crate::report;

/// Numbers of runs at which the table shows the regret.
const SHOWN: [usize; 4] = [20, 40, 60, 100];

#[derive(Args)]
pub(super) struct Arguments {
    /// A CSV file of mixtures: a column that says which run a row is, and one for each share; may be given again.
    #[arg(long, value_name = "CSV", required = true)]
    mixtures: Vec<PathBuf>,
    /// A CSV file with the metrics of the same runs; one for each file of mixtures.
    #[arg(long, value_name = "CSV", required = true)]
    metrics: Vec<PathBuf>,
    /// The metric, by its column's name or a part of it.
    #[arg(long, value_name = "NAME")]
    metric: String,
    /// Which way it is better.
    #[arg(long, value_enum, default_value_t = Better::Min)]
    goal: Better,
    /// What searches: `random`, or SURROGATE/ACQUISITION such as gp/ucb; may be given again [default: random and each
    /// surrogate with ucb].
    #[arg(long, value_name = "S")]
    strategy: Vec<String>,
    /// Random runs that a search starts from.
    #[arg(long, default_value_t = 10)]
    starts: usize,
    /// Runs of a search at most.
    #[arg(long, default_value_t = 100)]
    runs: usize,
    /// How many searches are made of each, from other starts.
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    /// How near the best run of the table is near enough, as a part of its value.
    #[arg(long, default_value_t = 0.01)]
    within: f64,
    /// Print JSON, with the regret after every run and the rows of the table in the order in which they were seen.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Better {
    Min,
    Max,
}

#[derive(Serialize)]
struct Json<'a> {
    metric: &'a str,
    rows: usize,
    starts: usize,
    within: f64,
    strategies: &'a BTreeMap<String, Replayed>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Ending> {
    if arguments.mixtures.len() != arguments.metrics.len() {
        return Err(usage(format!(
            "there are {} files of mixtures and {} of metrics: give --mixtures and --metrics equally often",
            arguments.mixtures.len(),
            arguments.metrics.len()
        )));
    }
    if arguments.seeds == 0 {
        return Err(usage("--seeds must be at least 1"));
    }
    let table = table(arguments)?;
    let replay = Replay {
        metric: arguments.metric.clone(),
        goal: match arguments.goal {
            Better::Min => Goal::Min,
            Better::Max => Goal::Max,
        },
        starts: arguments.starts,
        runs: arguments.runs,
        seeds: arguments.seeds,
        within: arguments.within,
    };
    let mut found = BTreeMap::new();
    let strategies = names(&arguments.strategy).into_iter().map(|name| {
        let strategy = strategy(&name)?;
        Ok((name, strategy))
    });
    // All are known before the first begins.
    for (name, strategy) in strategies.collect::<Result<Vec<_>>>()? {
        tracing::info!("{name}: {} searches", arguments.seeds);
        let replayed = replay.run(&table, strategy)?;
        found.insert(name, replayed);
    }
    let text = if arguments.json {
        let json = Json {
            metric: &arguments.metric,
            rows: table.points.len(),
            starts: arguments.starts,
            within: arguments.within,
            strategies: &found,
        };
        serde_json::to_string_pretty(&json)? + "\n"
    } else {
        shown(&table, arguments, &found)
    };
    terminal::print(text)?;
    Ok(Ending::Done)
}

fn table(arguments: &Arguments) -> Result<Table> {
    let mut table: Option<Table> = None;
    for (mixtures, metrics) in arguments.mixtures.iter().zip(&arguments.metrics) {
        let more = Table::read(mixtures, metrics)?;
        match &mut table {
            None => table = Some(more),
            Some(table) => table
                .extend(more)
                .map_err(|problem| usage(format!("{}: {problem}", mixtures.display())))?,
        }
    }
    table.context("there is no table")
}

fn names(asked: &[String]) -> Vec<String> {
    if !asked.is_empty() {
        return asked.to_vec();
    }
    let learning = SURROGATES.iter().map(|entry| format!("{}/ucb", entry.name));
    std::iter::once("random".to_owned())
        .chain(learning)
        .collect()
}

fn strategy(name: &str) -> Result<Strategy> {
    if name == "random" {
        return Ok(Strategy {
            surrogate: None,
            rule: Rule::Random,
        });
    }
    let known = name.split_once('/').and_then(|(surrogate, acquisition)| {
        let surrogate = SURROGATES.iter().find(|entry| entry.name == surrogate)?;
        let rule = rule(acquisition).filter(|rule| rule.learns())?;
        Some(Strategy {
            surrogate: Some(surrogate),
            rule,
        })
    });
    known.with_context(|| {
        let surrogates: Vec<&str> = SURROGATES.iter().map(|entry| entry.name).collect();
        let learning = ACQUISITIONS.iter().filter(|entry| entry.rule.learns());
        let acquisitions: Vec<&str> = learning.map(|entry| entry.name).collect();
        Usage(format!(
            "there is no strategy \"{name}\": it is `random`, or one of {} with one of {} behind a slash",
            surrogates.join(", "),
            acquisitions.join(", ")
        ))
    })
}

fn shown(table: &Table, arguments: &Arguments, found: &BTreeMap<String, Replayed>) -> String {
    let marks: Vec<usize> = SHOWN.into_iter().filter(|n| *n <= arguments.runs).collect();
    let mut header = vec![
        "strategy".to_owned(),
        "runs".to_owned(),
        "quartiles".to_owned(),
    ];
    header.extend(marks.iter().map(|n| format!("regret at {n}")));
    let number = |needed: Option<usize>| needed.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let row = |(name, replayed): (&String, &Replayed)| {
        let [low, median, high] = replayed.quartiles();
        let mut row = vec![
            name.clone(),
            number(median),
            format!("{} – {}", number(low), number(high)),
        ];
        row.extend(marks.iter().map(|n| {
            let regret = replayed.regret.get(n - 1);
            regret.map_or_else(|| "-".to_owned(), |[_, median, _]| format!("{median:.4}"))
        }));
        row
    };
    let mut rows = vec![header];
    rows.extend(found.iter().map(row));
    format!(
        "{} finished runs, {} searches from {} random ones: median runs until within {} % of the best {}\n\n{}",
        table.points.len(),
        arguments.seeds,
        arguments.starts,
        100.0 * arguments.within,
        arguments.metric,
        report::align(&rows, 1)
    )
}
