//! `madmix init`: a config to start from.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use fs_err::OpenOptions;

use super::{Ending, terminal};
use crate::init::{self, Target};
use crate::printable::printable;

#[derive(Args)]
pub(super) struct Arguments {
    /// A folder with datasets, or a mixture file (.yaml) as LLaVA-NeXT reads it.
    #[arg(value_name = "FOLDER|MIXTURE")]
    from: PathBuf,
    /// The config to write; - for standard output. A file that is there is never overwritten.
    #[arg(short, long, value_name = "FILE", default_value = "config.toml")]
    output: PathBuf,
    /// The checkpoint to put into it: a folder or a hub id.
    #[arg(long, value_name = "ID|FOLDER")]
    checkpoint: Option<String>,
}

/// The config is there already.
#[derive(Debug, thiserror::Error)]
#[error("{} is there already and was left as it is: say another file with -o, or remove it", .0.display())]
pub(super) struct AlreadyThere(PathBuf);

pub(super) fn run(arguments: &Arguments) -> Result<Ending> {
    let output = &arguments.output;
    let to_stdout = output == Path::new("-");
    if !to_stdout && output.symlink_metadata().is_ok() {
        return Err(AlreadyThere(output.clone()).into());
    }
    let survey = init::survey(&arguments.from, &|left| {
        let path = left.path.to_string_lossy();
        tracing::warn!("{}: {}", printable(&path), printable(&left.reason));
    })?;
    let absolute = init::absolute(output);
    let name = if to_stdout {
        "CONFIG"
    } else {
        &*output.to_string_lossy()
    };
    let target = Target {
        from: &arguments.from,
        folder: absolute.parent().unwrap_or(Path::new("/")),
        name,
        checkpoint: arguments.checkpoint.as_deref(),
    };
    let text = init::text(&survey, &target)?;
    if to_stdout {
        terminal::print(&text)?;
    } else {
        write_new(output, &text)?;
    }
    let datasets = survey.domains.iter().map(|domain| domain.datasets.len());
    tracing::info!(
        "{}: {} in {}",
        printable(name),
        counted(datasets.sum(), "dataset"),
        counted(survey.domains.len(), "domain")
    );
    if !to_stdout {
        let before = match arguments.checkpoint {
            Some(_) => "",
            None => "say the checkpoint in it, then ",
        };
        tracing::info!("next: {before}madmix plan {}", printable(name));
    }
    Ok(Ending::Done)
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Writes a file that nobody has made meanwhile.
fn write_new(path: &Path, text: &str) -> Result<()> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file
            .write_all(text.as_bytes())
            .context("writing the config"),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(AlreadyThere(path.to_owned()).into())
        }
        Err(error) => Err(error).context("writing the config"),
    }
}
