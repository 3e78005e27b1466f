//! How a run uses the shard cache: before it makes a shard it looks there, and what it makes it keeps there.
//!
//! A cache that cannot be used never ends a run: it is said once, and the run goes on without.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use rayon::prelude::*;

use super::terminal;
use crate::config::Config;
use crate::extract::{FailureLimit, ShardWork, is_lasting};
use crate::store::{Cache, CacheError, Failure, Shard, Store, Taken};

/// The cache of a run.
pub(super) struct Cached {
    /// Where it is, unless it is off.
    folder: Option<PathBuf>,
    output: PathBuf,
    /// Open once it was of use, until it fails.
    cache: Option<Cache>,
    /// The shards that were not found, by dataset and index, with their samples' content before they were made.
    wanted: BTreeMap<(String, u32), (ShardWork, String)>,
}

/// What became of a shard that was looked for.
enum Looked {
    /// It is in the run's folder now, with these failures.
    Found(String, Vec<Failure>),
    /// To be made, with the content of its samples as far as it is known.
    Missing(ShardWork, Option<String>),
}

impl Cached {
    /// The cache that a config names; touches nothing yet.
    pub(super) fn new(config: &Config) -> Self {
        Self {
            folder: config.cache.folder().map(Path::to_owned),
            output: config.output.clone(),
            cache: None,
            wanted: BTreeMap::new(),
        }
    }

    /// Publishes in the run's folder what of the missing shards is in the cache, adds their failures, and gives the
    /// shards that are left to make. With `retry` shards with failures are left to be made again. Ends early, with
    /// shards left, once `stop` is set.
    ///
    /// # Errors
    /// When the run's own folder cannot be written.
    pub(super) fn take(
        &mut self,
        store: &Store,
        missing: Vec<ShardWork>,
        retry: bool,
        stop: &AtomicBool,
        failures: &mut FailureLimit,
    ) -> Result<Vec<ShardWork>> {
        if missing.is_empty() {
            return Ok(missing);
        }
        let Some(cache) = self.open() else {
            return Ok(missing);
        };
        let count = missing.len();
        let bar = terminal::bar("looking into the cache", count as u64, false);
        let fault = OnceLock::new();
        let look = |work: ShardWork| {
            if stop.load(Ordering::Relaxed) || fault.get().is_some() {
                return Ok(Looked::Missing(work, None));
            }
            let looked = look(&cache, store, work, retry, &fault);
            bar.inc(1);
            looked
        };
        let looked: Result<Vec<Looked>> = missing.into_par_iter().map(look).collect();
        bar.finish_and_clear();
        let mut left = Vec::new();
        for looked in looked? {
            match looked {
                Looked::Found(dataset, found) => failures.add(&dataset, &found),
                Looked::Missing(work, content) => {
                    if let Some(content) = content {
                        let name = (work.dataset.name.clone(), work.index);
                        self.wanted.insert(name, (work.clone(), content));
                    }
                    left.push(work);
                }
            }
        }
        if left.len() < count {
            tracing::info!(
                "{} of {count} missing shards were in the cache ({})",
                count - left.len(),
                cache.root().display()
            );
        }
        self.cache = Some(cache);
        if let Some(error) = fault.into_inner() {
            self.give_up(&error);
        }
        Ok(left)
    }

    /// Keeps a shard that was just made and published, if its pictures are still what they were before.
    pub(super) fn keep(&mut self, shard: &Shard) {
        let Some(cache) = &self.cache else { return };
        let name = (shard.dataset.clone(), shard.index);
        let Some((work, content)) = self.wanted.remove(&name) else {
            return;
        };
        if !shard.failures.iter().all(is_lasting) {
            return;
        }
        if work.content().as_ref() != Some(&content) {
            tracing::warn!(
                "shard {} of {} is not kept in the cache: its data changed while it was made",
                shard.index,
                shard.dataset
            );
            return;
        }
        if let Err(error) = cache.keep(shard, &content) {
            self.give_up(&error);
        }
    }

    fn open(&mut self) -> Option<Cache> {
        let folder = self.folder.clone()?;
        if folder == self.output {
            tracing::warn!(
                "the shard cache cannot be the output folder itself ({}): the run goes on without it",
                folder.display()
            );
            return None;
        }
        Cache::open(folder)
            .inspect_err(|error| self.give_up(error))
            .ok()
    }

    fn give_up(&mut self, error: &CacheError) {
        self.cache = None;
        if let Some(folder) = self.folder.take() {
            tracing::warn!(
                "the shard cache {} cannot be used, so the run goes on without it: {error}",
                folder.display()
            );
        }
    }
}

fn look(
    cache: &Cache,
    store: &Store,
    work: ShardWork,
    retry: bool,
    fault: &OnceLock<CacheError>,
) -> Result<Looked> {
    let Some(content) = work.content() else {
        return Ok(Looked::Missing(work, None));
    };
    let dataset = &work.dataset;
    match cache.take(&dataset.key, &dataset.name, work.index, &content) {
        Ok(Taken::Hit(shard)) if !(retry && !shard.failures.is_empty()) => {
            store.publish(&shard)?;
            return Ok(Looked::Found(shard.dataset, shard.failures));
        }
        Ok(Taken::Hit(_) | Taken::Miss) => {}
        Ok(Taken::Refused(refused)) => {
            tracing::warn!("a shard in the cache is not used and will be made again: {refused}");
        }
        Err(error) => {
            // The first one is told; the others will be of the same kind.
            let _ = fault.set(error);
        }
    }
    Ok(Looked::Missing(work, Some(content)))
}
