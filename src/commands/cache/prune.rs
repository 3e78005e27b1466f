//! `madmix cache prune`

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use clap::Args;

use super::{DAY, Where, entries, megabytes, print, shards};
use crate::commands::Ending;
use crate::store::Entry;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    cache: Where,
    /// Shards that no run has made or used for so many days.
    #[arg(long, value_name = "N")]
    unused_days: Option<u32>,
    /// Shards of the checkpoint whose fingerprint begins so, as `madmix cache list` shows it.
    #[arg(long, value_name = "HEX", value_parser = fingerprint)]
    checkpoint: Option<String>,
    /// Shards of the dataset of this name, as the run named it that made them.
    #[arg(long, value_name = "NAME")]
    dataset: Option<String>,
    /// All shards.
    #[arg(long, conflicts_with_all = ["unused_days", "checkpoint", "dataset"])]
    all: bool,
    /// Only say what would be removed.
    #[arg(long)]
    dry_run: bool,
}

/// The start of a fingerprint. An empty one would be that of every checkpoint.
fn fingerprint(text: &str) -> Result<String, String> {
    let text = text.to_ascii_lowercase();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err("a fingerprint has hexadecimal digits".into());
    }
    Ok(text)
}

pub(super) fn run(arguments: &Arguments) -> Result<Ending> {
    let Some(cache) = arguments.cache.open()? else {
        return Ok(Ending::Done);
    };
    let entries = entries(&cache)?;
    let now = SystemTime::now();
    let unwanted = |entry: &Entry| arguments.unwanted(entry, now);
    let removed = cache.prune(&entries, &unwanted, arguments.dry_run)?;
    let mut lines = String::new();
    for file in &removed {
        writeln!(lines, "{}: {}", file.path.display(), file.reason)?;
    }
    print(&lines)?;
    let gone: u64 = removed.iter().map(|file| file.bytes).sum();
    tracing::info!(
        "{} {} ({:.1} MB) from {}",
        if arguments.dry_run {
            "would remove"
        } else {
            "removed"
        },
        shards(removed.len()),
        megabytes(gone),
        cache.root().display()
    );
    Ok(Ending::Done)
}

impl Arguments {
    /// Why a shard is to be removed. Of several options all have to hold.
    fn unwanted(&self, entry: &Entry, now: SystemTime) -> Option<String> {
        if self.all {
            return Some("every shard was to be removed".into());
        }
        let mut reasons = Vec::new();
        if let Some(days) = self.unused_days {
            let limit = Duration::from_secs(u64::from(days) * DAY);
            // A time in the future is of a clock that was wrong: it says nothing.
            let unused = now
                .duration_since(entry.used)
                .is_ok_and(|unused| unused >= limit);
            if !unused {
                return None;
            }
            reasons.push(format!("not used for {days} days"));
        }
        if let Some(checkpoint) = &self.checkpoint {
            let shard = entry.shard.as_ref().ok()?;
            if !shard.key.checkpoint.starts_with(checkpoint) {
                return None;
            }
            reasons.push(format!("of checkpoint {checkpoint}"));
        }
        if let Some(dataset) = &self.dataset {
            if entry.shard.as_ref().ok()?.dataset != *dataset {
                return None;
            }
            reasons.push(format!("of dataset {dataset}"));
        }
        (!reasons.is_empty()).then(|| reasons.join(", "))
    }
}
