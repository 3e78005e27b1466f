//! `madmix report`: a mixture with how sure it is and what moves it, in the terminal and as one page.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::solve::Solved;
use super::solved::Found;
use super::{Ending, terminal};
use crate::mix::{Analysis, Mixture};
use crate::report;

#[derive(Args)]
pub(super) struct Arguments {
    /// The folder of a run that is solved; its report.html is replaced.
    run: PathBuf,
    /// Print the mixture and what moves it as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Json<'a> {
    mixture: &'a Mixture,
    analysis: Option<&'a Analysis>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Ending> {
    let found = Found::read(&arguments.run)?;
    let analysis = analysis(&found)?;
    let solved = Solved {
        mixture: found.mixture,
        analysis,
    };
    if arguments.run.is_dir() {
        let page = solved.write_report(&arguments.run)?;
        tracing::info!("the report is {}", page.display());
    }
    let Solved { mixture, analysis } = &solved;
    if arguments.json {
        let json = Json {
            mixture,
            analysis: analysis.as_ref(),
        };
        terminal::print(serde_json::to_string_pretty(&json)? + "\n")?;
        return Ok(Ending::Done);
    }
    let mut text = report::mixture_table(mixture);
    if let Some(analysis) = analysis {
        text.push('\n');
        text.push_str(&report::analysis_text(mixture, analysis));
    }
    terminal::print(text)?;
    Ok(Ending::Done)
}

/// What moves the weights; `None`, and a message, where the shards are not there.
fn analysis(found: &Found) -> Result<Option<Analysis>> {
    let aggregated = match found.run() {
        Some(run) => run.aggregate()?,
        None => None,
    };
    let aggregated = aggregated.filter(|aggregated| found.is_of(&aggregated.domains));
    let (Some(run), Some(aggregated)) = (found.run(), aggregated) else {
        tracing::info!(
            "without all shards of the run nothing can be said about what moves the weights"
        );
        return Ok(None);
    };
    Ok(Some(run.analyse(&aggregated)?))
}
