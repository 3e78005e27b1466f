//! `madmix cache list`

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::{DAY, Where, entries, megabytes, print, shards};
use crate::commands::Ending;
use crate::report;
use crate::store::{CachedShard, Entry, ShardKey};

/// Digits of a fingerprint in the table; enough to tell them apart, and to give to `prune`.
const DIGITS: usize = 12;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    cache: Where,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// All sound shards of a key.
#[derive(Serialize)]
struct Group {
    /// The dataset's names in the runs that made them.
    names: BTreeSet<String>,
    checkpoint: String,
    dataset: String,
    settings: String,
    /// The settings by their path, each value as JSON.
    fields: BTreeMap<String, String>,
    shards: usize,
    samples: usize,
    failed: usize,
    bytes: u64,
    /// Whole days since the last of them was made or used.
    unused_days: u64,
}

pub(super) fn run(arguments: &Arguments) -> Result<Ending> {
    let entries = match arguments.cache.open()? {
        Some(cache) => entries(&cache)?,
        None => Vec::new(),
    };
    let (groups, unfit) = grouped(&entries);
    if arguments.json {
        print(serde_json::to_string_pretty(&groups)? + "\n")?;
    } else {
        print(table(&groups))?;
        print(differing(&groups))?;
    }
    if unfit > 0 {
        tracing::warn!(
            "not listed: {} that cannot be used; `madmix cache verify` says why",
            shards(unfit)
        );
    }
    Ok(Ending::Done)
}

/// The groups by the names of their datasets, and how many shards are in none.
fn grouped(entries: &[Entry]) -> (Vec<Group>, usize) {
    let now = SystemTime::now();
    let mut groups: BTreeMap<(&str, String, &str), Group> = BTreeMap::new();
    let mut unfit = 0;
    for entry in entries {
        let Ok(CachedShard {
            key,
            dataset,
            samples,
            failed,
        }) = &entry.shard
        else {
            unfit += 1;
            continue;
        };
        let settings = key.settings.fingerprint();
        let group = groups
            .entry((&key.checkpoint, settings, &key.dataset))
            .or_insert_with(|| Group::new(key));
        let unused = now.duration_since(entry.used).unwrap_or_default();
        group.names.insert(dataset.clone());
        group.shards += 1;
        group.samples += samples;
        group.failed += failed;
        group.bytes += entry.bytes;
        group.unused_days = group.unused_days.min(unused.as_secs() / DAY);
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by(|a, b| a.names.cmp(&b.names));
    (groups, unfit)
}

impl Group {
    fn new(key: &ShardKey) -> Self {
        Self {
            names: BTreeSet::new(),
            checkpoint: key.checkpoint.clone(),
            dataset: key.dataset.clone(),
            settings: key.settings.fingerprint(),
            fields: key.settings.fields(),
            shards: 0,
            samples: 0,
            failed: 0,
            bytes: 0,
            unused_days: u64::MAX,
        }
    }
}

fn short(fingerprint: &str) -> String {
    fingerprint.chars().take(DIGITS).collect()
}

fn table(groups: &[Group]) -> String {
    let header = [
        "dataset",
        "checkpoint",
        "settings",
        "shards",
        "samples",
        "failed",
        "MB",
        "days unused",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(groups.iter().map(|group| {
        let names: Vec<&str> = group.names.iter().map(String::as_str).collect();
        vec![
            report::shown(&names.join(", ")),
            short(&group.checkpoint),
            short(&group.settings),
            group.shards.to_string(),
            group.samples.to_string(),
            group.failed.to_string(),
            format!("{:.1}", megabytes(group.bytes)),
            group.unused_days.to_string(),
        ]
    }));
    report::align(&rows, 3)
}

/// Where there are several settings: what of them differs.
fn differing(groups: &[Group]) -> String {
    let settings: BTreeMap<&str, &BTreeMap<String, String>> = groups
        .iter()
        .map(|group| (group.settings.as_str(), &group.fields))
        .collect();
    let fields: BTreeSet<&String> = settings.values().flat_map(|fields| fields.keys()).collect();
    let differs = |field: &&&String| {
        let values: BTreeSet<_> = settings
            .values()
            .map(|fields| fields.get(**field))
            .collect();
        values.len() > 1
    };
    let fields: Vec<&String> = fields.iter().filter(differs).copied().collect();
    if fields.is_empty() {
        return String::new();
    }
    let header = ["settings"]
        .into_iter()
        .chain(fields.iter().map(|field| field.as_str()));
    let mut rows = vec![header.map(str::to_owned).collect::<Vec<_>>()];
    for (fingerprint, values) in settings {
        let value = |field: &&String| values.get(*field).map_or("-", String::as_str).to_owned();
        rows.push(
            [short(fingerprint)]
                .into_iter()
                .chain(fields.iter().map(value))
                .collect(),
        );
    }
    format!("\n{}", report::align(&rows, 1 + fields.len()))
}
