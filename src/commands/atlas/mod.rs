//! `madmix atlas`: one file per subcommand, and what they share.

pub(super) mod embed;
mod label;
mod run;

use anyhow::Result;
use clap::Subcommand;

use super::Ending;

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Put every sample into a cell: what its pictures show, and which task its conversation sets.
    Label(label::Arguments),
    /// Try mixtures of the cells until there are enough runs; labels first where there are no labels.
    Run(run::Arguments),
}

pub(super) fn run(arguments: &Arguments) -> Result<Ending> {
    match &arguments.command {
        Command::Label(arguments) => label::run(arguments),
        Command::Run(arguments) => run::run(arguments),
    }
}
