//! `madmix cache verify`

use std::fmt::Write;

use anyhow::Result;
use clap::Args;

use super::{Where, entries, print, shards};
use crate::commands::Ending;
use crate::store::Unfit;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    cache: Where,
}

pub(super) fn run(arguments: &Arguments) -> Result<Ending> {
    let Some(cache) = arguments.cache.open()? else {
        return Ok(Ending::Done);
    };
    let entries = entries(&cache)?;
    let mut lines = String::new();
    let (mut sound, mut damaged) = (0, 0);
    for entry in &entries {
        let path = entry.path.display();
        match &entry.shard {
            Ok(_) => sound += 1,
            Err(reason) if reason.is_damage() || matches!(reason, Unfit::NotRead(_)) => {
                damaged += 1;
                writeln!(lines, "{path}: {reason}")?;
            }
            // Of a newer format, for another madmix.
            Err(reason) => tracing::warn!("{path}: {reason}"),
        }
    }
    print(&lines)?;
    tracing::info!("sound: {} in {}", shards(sound), cache.root().display());
    if damaged > 0 {
        anyhow::bail!(
            "damaged: {}, which no run will use; `madmix cache prune` removes them",
            shards(damaged)
        );
    }
    Ok(Ending::Done)
}
