//! The command line: one file per subcommand. Messages and progress go to stderr, results to stdout.

mod aggregate;
mod allocator;
mod atlas;
mod cache;
mod cached;
mod compare;
mod export;
mod extract;
mod ground;
mod init;
mod make;
mod memory;
mod models;
mod open_files;
mod placed;
mod plan;
mod report;
mod rounds;
mod run;
mod session;
mod shards;
mod solve;
mod solved;
mod status;
mod stop;
mod terminal;

use std::ffi::OsString;
use std::fmt::Display;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::atlas::cells::CellsError;
use crate::atlas::replay::{ReplayError, TableError};
use crate::atlas::runner::RunnerError;
use crate::atlas::study::StudyError;
use crate::checkpoint::UnknownCard;
use crate::config::ConfigError;
use crate::export::ExportError;
use crate::init::InitError;
use crate::launch::LaunchError;
use crate::mix::{MixError, MixtureError};
use crate::wall;

/// The run was stopped on request, or is not complete, and can go on where it was.
const RESUMABLE: u8 = 75;
/// Wrong usage or config.
const USAGE: u8 = 2;

/// Finds the proportions in which to sample training domains for a vision-language model.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Say more: what is opened, and how each shard was made.
    #[arg(short, long, global = true)]
    verbose: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Write a config for the datasets of a folder or of a mixture file, to start from.
    Init(init::Arguments),
    /// Extract what is missing, solve, and print the weights: the main job.
    Run(make::Arguments),
    /// Say what would be done, and what is wrong with the data; change nothing.
    Plan(plan::Arguments),
    /// Make the missing shards, or a share of them, and the centroids, without solving.
    Extract(extract::ShareArguments),
    /// Say what of a run is done, what is missing and what failed.
    Status(status::Arguments),
    /// Find weights from the shards or the centroids of a run.
    Solve(solve::Arguments),
    /// Say how far two mixtures are apart, and how much of that is noise.
    Compare(compare::Arguments),
    /// Show a mixture with what moves it, in the terminal and as one page.
    Report(report::Arguments),
    /// Write a mixture down as a trainer reads it.
    Export(export::Arguments),
    /// List published checkpoints, with their sizes and settings to start from.
    Models(models::Arguments),
    /// Put samples into cells of concept and task, and search over mixtures of cells.
    Atlas(atlas::Arguments),
    /// Look after the cache of shards that runs share.
    Cache(cache::Arguments),
}

/// How a command ended that did not fail.
enum Ending {
    Done,
    Resumable,
}

/// The command line, or a file that it names, has to change.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

fn usage(words: impl Display) -> anyhow::Error {
    Usage(words.to_string()).into()
}

/// Whether the user has to change the command or the config.
fn is_usage(error: &anyhow::Error) -> bool {
    error.is::<ConfigError>()
        || error.is::<Usage>()
        || error.is::<cache::NotACache>()
        || error.is::<UnknownCard>()
        || error.is::<InitError>()
        || error.is::<init::AlreadyThere>()
        || error.is::<LaunchError>()
        || error
            .downcast_ref()
            .is_some_and(|error: &CellsError| !matches!(error, CellsError::Grid(_)))
        || error.downcast_ref().is_some_and(StudyError::is_usage)
        || error.downcast_ref().is_some_and(is_runners_usage)
        || error.is::<ReplayError>()
        || matches!(error.downcast_ref(), Some(TableError::Content { .. }))
        || error.downcast_ref().is_some_and(is_input)
        || error
            .downcast_ref()
            .is_some_and(|error: &ExportError| error.is_usage())
        || matches!(
            error.downcast_ref(),
            Some(
                MixtureError::Weights { .. }
                    | MixtureError::Json(_)
                    | MixtureError::File { .. }
                    | MixtureError::OtherDomains { .. }
            )
        )
}

/// Whether it is what was asked for, and not how it went.
fn is_runners_usage(error: &RunnerError) -> bool {
    match error {
        RunnerError::NoTrial { .. } => true,
        RunnerError::Study(problem) => problem.downcast_ref().is_some_and(StudyError::is_usage),
        _ => false,
    }
}

/// Whether centroids or settings are at fault, and not the file system.
fn is_input(error: &MixError) -> bool {
    !matches!(error, MixError::Read(_) | MixError::Publish(_))
}

/// Reads the arguments, does what they say and returns the exit code: 0 done, 1 failed, 2 wrong usage or
/// config, 75 interrupted or incomplete, and resumable.
pub fn main() -> ExitCode {
    run_with(std::env::args_os())
}

fn run_with(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { USAGE } else { 0 };
            let _ = error.print();
            return code.into();
        }
    };
    allocator::keep_freed_memory();
    open_files::allow_many();
    wall::keep_quiet();
    terminal::start_log(arguments.verbose);
    let ended = match &arguments.command {
        Command::Init(arguments) => init::run(arguments),
        Command::Run(arguments) => run::run(arguments),
        Command::Plan(arguments) => plan::run(arguments),
        Command::Extract(arguments) => extract::run(arguments),
        Command::Status(arguments) => status::run(arguments),
        Command::Solve(arguments) => solve::run(arguments),
        Command::Compare(arguments) => compare::run(arguments),
        Command::Report(arguments) => report::run(arguments),
        Command::Export(arguments) => export::run(arguments),
        Command::Models(arguments) => models::run(arguments),
        Command::Atlas(arguments) => atlas::run(arguments),
        Command::Cache(arguments) => cache::run(arguments),
    };
    memory::log_peak();
    match ended {
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::Resumable) => RESUMABLE.into(),
        Err(error) => {
            terminal::error(&error);
            if is_usage(&error) {
                USAGE.into()
            } else {
                ExitCode::FAILURE
            }
        }
    }
}
