//! `madmix cache`: look after the shards that runs keep for each other.

mod list;
mod prune;
mod verify;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, Subcommand};

use super::Ending;
use super::terminal::{self, print};
use crate::config::Config;
use crate::store::{Cache, CacheError, Entry};

/// The config that a run's folder holds.
const CONFIG: &str = "config.toml";
/// Seconds.
const DAY: u64 = 24 * 60 * 60;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Say what is in it: a line for each dataset, checkpoint and settings.
    List(list::Arguments),
    /// Read every shard whole and name those that are damaged; change nothing.
    Verify(verify::Arguments),
    /// Remove damaged shards and other remains, and the shards that all given options hold for.
    Prune(prune::Arguments),
}

#[derive(Args)]
struct Where {
    /// The cache's folder; or a run's folder or a config file, whose cache is meant.
    #[arg(value_name = "WHERE")]
    place: PathBuf,
}

/// What was named as a cache is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotACache {
    /// A folder of something else, or nothing at all.
    #[error(transparent)]
    Folder(CacheError),
    /// A config that says so.
    #[error("{}: cache = \"off\", so its runs keep nothing", .0.display())]
    Off(PathBuf),
}

pub(super) fn run(arguments: &Arguments) -> Result<Ending> {
    match &arguments.action {
        Action::List(arguments) => list::run(arguments),
        Action::Verify(arguments) => verify::run(arguments),
        Action::Prune(arguments) => prune::run(arguments),
    }
}

impl Where {
    /// The cache; `None` when it is a config's that no run has made yet.
    fn open(&self) -> Result<Option<Cache>> {
        let config = match &self.place {
            file if file.is_file() => Some(file.clone()),
            folder => Some(folder.join(CONFIG)).filter(|file| file.is_file()),
        };
        let Some(config) = config else {
            return Ok(Some(existing(&self.place)?));
        };
        let folder = match Config::read(&config)?.cache.folder() {
            Some(folder) => folder.to_owned(),
            None => return Err(NotACache::Off(config).into()),
        };
        if !folder.exists() {
            tracing::info!("nothing has been kept in {} yet", folder.display());
            return Ok(None);
        }
        Ok(Some(existing(&folder)?))
    }
}

fn existing(folder: &Path) -> Result<Cache> {
    Cache::existing(folder).map_err(|error| match error {
        error @ (CacheError::Foreign { .. } | CacheError::Absent { .. }) => {
            NotACache::Folder(error).into()
        }
        error => error.into(),
    })
}

/// Reads the whole cache, with a bar.
fn entries(cache: &Cache) -> Result<Vec<Entry>> {
    let bar = terminal::bar("reading shards", 0, false);
    let entries = cache.entries(&|count| {
        bar.set_length(count as u64);
        bar.inc(1);
    });
    bar.finish_and_clear();
    Ok(entries?)
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// `1 shard`, `2 shards`.
fn shards(count: usize) -> String {
    format!("{count} shard{}", if count == 1 { "" } else { "s" })
}
